// The page keeps itself up to date: it asks for itself again and takes the new figures over.

const EVERY_MS = 5000;
const live = document.querySelector('#live');

async function refresh() {
  // Nobody's button may vanish while it is in use, and a page that nobody sees asks for nothing.
  if (document.hidden || live.contains(document.activeElement)) return true;
  let answer;
  try {
    answer = await fetch(location.href, { headers: { Accept: 'text/html' }, redirect: 'manual' });
  } catch {
    return true; // the service is away for the moment
  }
  if (answer.type === 'opaqueredirect' || answer.status === 401 || answer.status === 403) return false; // logged out
  if (!answer.ok) return true;
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const fresh = page.querySelector('#live');
  if (fresh && !live.contains(document.activeElement)) live.replaceChildren(...fresh.childNodes);
  return true;
}

async function again() {
  if (await refresh()) setTimeout(again, EVERY_MS);
}
setTimeout(again, EVERY_MS);

// A choice shows at once; the button is for browsers without scripts.
const filters = document.querySelector('.filters');
filters.querySelector('button').hidden = true;
filters.addEventListener('change', () => filters.requestSubmit());
filters.addEventListener('formdata', event => {
  for (const [name, value] of [...event.formData]) if (value === '') event.formData.delete(name);
});
