// A picture is asked for when its row comes near the window: two at a time, as what is least urgent. No row waits for
// its picture, and one that there is none of leaves its place empty.

const AT_ONCE = 2, TRIES = 10, NEAR = '300px';
const waiting = [];
let running = 0;

/** Fill the places `.thumb[data-src]` of the page. */
export function showThumbnails() {
  const observer = new IntersectionObserver(entries => {
    for (const entry of entries.filter(one => one.isIntersecting)) {
      observer.unobserve(entry.target);
      waiting.push(entry.target);
    }
    work();
  }, { rootMargin: NEAR });
  for (const place of document.querySelectorAll('.thumb[data-src]')) observer.observe(place);
}

function work() {
  while (running < AT_ONCE && waiting.length) {
    running++;
    show(waiting.shift()).finally(() => { running--; work(); });
  }
}

async function show(place) {
  for (let tries = 0; tries < TRIES; tries++) {
    const answer = await fetch(place.dataset.src, { priority: 'low' }).catch(() => null);
    if (answer?.status === 202) {
      const seconds = Number(answer.headers.get('Retry-After')) || 2;
      await new Promise(done => setTimeout(done, seconds * 1000));
      continue;
    }
    if (answer?.status !== 200 || !answer.headers.get('Content-Type')?.startsWith('image/')) return;
    const picture = await answer.blob().catch(() => null);
    if (picture) await draw(place, picture);
    return;
  }
}

/** What was fetched is shown: naming its address again could ask the server a second time. */
async function draw(place, picture) {
  const reader = new FileReader();
  await new Promise(done => { reader.onloadend = done; reader.readAsDataURL(picture); });
  if (!reader.result) return;
  const image = new Image();
  image.alt = '';
  image.src = reader.result;
  place.append(image);
}
