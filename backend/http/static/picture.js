// A single picture from the server. While its decoders are busy it says 503: then it is asked again, as long as the
// picture is wanted.

const PAUSE_S = 2;

export function show(image, source) {
  image.dataset.alt ??= image.alt; // a reason takes its place below
  image.alt = image.dataset.alt;
  image.onerror = () => again(image, source);
  image.src = source;
}

async function again(image, source) {
  const wanted = () => image.getAttribute('src') === source;
  while (wanted()) {
    let answer;
    try {
      answer = await fetch(source);
    } catch {
      image.alt = 'The server does not answer.';
      return;
    }
    if (answer.ok) {
      await answer.blob(); // whole, so that the next line takes it from the browser's cache
      if (!wanted()) return;
      image.onerror = null;
      image.src = source;
      return;
    }
    if (answer.status !== 503) {
      image.alt = (await answer.json().catch(() => null))?.error ?? 'There is no such picture.';
      return;
    }
    const pause = Number(answer.headers.get('Retry-After')) || PAUSE_S;
    await new Promise((done) => setTimeout(done, 1000 * pause));
  }
}
