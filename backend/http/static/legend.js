// Which tubes are shown over the video? One switch per tube, with its colour and its dashes.

import { html, svg } from './svg.js';

/** Fill `place` with switches; `changed()` after each. Returns `toggle(name)` for the keyboard. */
export function legend(place, tubes, changed) {
  const boxes = new Map();
  const keys = { suggestion: 's', correction: 'c' };
  for (const tube of tubes) {
    const box = html('input', { type: 'checkbox', checked: tube.shown, name: tube.name });
    box.addEventListener('change', () => {
      tube.shown = box.checked;
      changed();
    });
    const line = svg('svg', { class: `swatch kind-${tube.kind}`, viewBox: '0 0 26 10', 'aria-hidden': 'true' }, svg('line', { x1: 1, x2: 25, y1: 5, y2: 5 }));
    const label = html('label', { className: 'choice small' }, box, line, html('span', { textContent: tube.title }));
    if (keys[tube.name]) label.append(html('kbd', { textContent: keys[tube.name] }));
    place.append(label);
    boxes.set(tube.name, box);
  }
  return name => boxes.get(name)?.click();
}
