// The queue by keyboard: j and k move over the rows, Enter opens (the focused link does that by itself).

import { bind, help, press } from './keys.js';

const links = [...document.querySelectorAll('.queue a.open')];

function move(by) {
  if (!links.length) return;
  const here = links.indexOf(document.activeElement);
  const next = here < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(here + by, 0), links.length - 1);
  links[next].focus();
  links[next].closest('tr').scrollIntoView({ block: 'nearest' });
}

bind({
  j: () => move(1),
  k: () => move(-1),
  n: press('.pager [rel=next]'),
  p: press('.pager [rel=prev]'),
  u: press('[data-key=u]'),
  '?': help(),
});

// A choice shows at once; the button is for browsers without scripts.
const filters = document.querySelector('.filters');
filters.querySelector('button').hidden = true;
filters.addEventListener('change', () => filters.requestSubmit());

// Empty choices stay out of the address.
filters.addEventListener('formdata', event => {
  for (const [name, value] of [...event.formData]) if (value === '') event.formData.delete(name);
});
