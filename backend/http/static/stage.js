// What is drawn over the video? The boxes of the chosen tubes on the frame that is shown.

import { boxAt, trackBoxAt } from './tubes.js';

const DASHES = { suggestion: [8, 5], correction: [], consensus: [2, 4], other: [2, 5], object: [12, 3, 2, 3], offered: [6, 6], 'version-a': [10, 3], 'version-b': [4, 3], track: [] };
const WIDTHS = { suggestion: 2.5, correction: 2.5, consensus: 2.5, other: 2, object: 2, offered: 2.5, 'version-a': 2.5, 'version-b': 2.5, track: 2 };

export class Stage {
  /** `tubes` each with `name`, `kind`, and `shown`; what is drawn stands in `data-drawn` too, in shares of the picture. */
  constructor(canvas, tubes) {
    this.canvas = canvas;
    this.tubes = tubes;
    this.track = null;
    this.frame = 0;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  /** Show a candidate's boxes as well, until null. */
  showTrack(track, slots) {
    this.track = track && { track, slots };
    this.draw();
  }

  draw(frame = this.frame) {
    this.frame = frame;
    const { canvas } = this;
    const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio || 1];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext('2d');
    pen.scale(ratio, ratio);
    const drawn = [];
    for (const tube of this.tubes.filter(tube => tube.shown)) {
      const box = boxAt(tube, frame);
      if (box) drawn.push({ name: tube.name, kind: tube.kind, box });
    }
    const box = this.track && trackBoxAt(this.track.track, this.track.slots, frame);
    if (box) drawn.push({ name: 'track', kind: 'track', box });
    this.#stroke(pen, drawn, width, height);
    canvas.dataset.frame = String(frame);
    canvas.dataset.drawn = JSON.stringify(drawn);
  }

  /** The light edges below all lines, and dashed lines above solid ones: boxes that coincide are both seen. */
  #stroke(pen, drawn, width, height) {
    const style = getComputedStyle(this.canvas);
    const place = ([x1, y1, x2, y2]) => [x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height];
    pen.strokeStyle = style.getPropertyValue('--halo');
    for (const { kind, box } of drawn) {
      pen.lineWidth = WIDTHS[kind] + 2.5;
      pen.strokeRect(...place(box));
    }
    for (const { kind, box } of drawn.toSorted((a, b) => DASHES[a.kind].length - DASHES[b.kind].length)) {
      pen.setLineDash(DASHES[kind]);
      pen.lineWidth = WIDTHS[kind];
      pen.strokeStyle = style.getPropertyValue(`--${kind}-drawn`);
      pen.strokeRect(...place(box));
    }
  }
}
