// The queue by keyboard: j and k or the arrows move over the rows, Enter opens (the focused link does that by itself).
// The row stands in the address, so that the way back, and a copy of the address, leads to it.

import { bind, help, press } from './keys.js';
import { showThumbnails } from './thumbnails.js';

const links = [...document.querySelectorAll('.queue a.open')];

// Where there is little room, the list comes first and the filter is folded up.
const fold = document.querySelector('.fold');
const narrow = matchMedia('(max-width: 34rem)');
const folding = () => { fold.open = !narrow.matches; };
folding();
narrow.addEventListener('change', folding);

function move(by) {
  if (!links.length) return;
  const here = links.indexOf(document.activeElement);
  const next = here < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(here + by, 0), links.length - 1);
  links[next].focus();
  links[next].closest('tr').scrollIntoView({ block: 'nearest' });
  history.replaceState(history.state, '', `#${links[next].closest('tr').id}`);
}

function search() {
  fold.open = true;
  const field = document.querySelector('#search');
  field.focus();
  field.select();
}

if (/^#task-\d+$/.test(location.hash)) document.querySelector(`${location.hash} a.open`)?.focus();
showThumbnails();

bind({
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  '/': search,
  n: press('.pager [rel=next]'),
  p: press('.pager [rel=prev]'),
  u: press('[data-key=u]'),
  '?': help(),
});

// A choice shows at once; what is typed shows with Enter or the button.
const filters = document.querySelector('.filters');
filters.addEventListener('change', event => event.target.matches('select') && filters.requestSubmit());

// Empty choices stay out of the address.
filters.addEventListener('formdata', event => {
  for (const [name, value] of [...event.formData]) if (value === '') event.formData.delete(name);
});
