// The preview of accepting several: how many are ticked, all or none at once, and one press is one request.

import { showThumbnails } from './thumbnails.js';

const form = document.querySelector('form.bulk');
if (form) {
  const boxes = [...form.querySelectorAll('input[name=row]')], button = form.querySelector('[type=submit]');
  const count = () => {
    const ticked = boxes.filter(box => box.checked).length;
    form.querySelector('[data-count]').textContent = ` (${ticked})`;
    button.disabled = ticked === 0;
  };
  for (const tick of form.querySelectorAll('[data-tick]')) {
    tick.hidden = false;
    tick.addEventListener('click', () => {
      for (const box of boxes) box.checked = Boolean(tick.dataset.tick);
      count();
    });
  }
  form.addEventListener('change', count);
  form.addEventListener('submit', () => { button.disabled = true; });
  window.addEventListener('pageshow', count); // also where the browser brings the page back as it was
  count();
}
showThumbnails();
