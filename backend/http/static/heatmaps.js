// Where did the model look? Its attention over each sampled frame, with the chosen track's box.

import { show } from './picture.js';
import { html } from './svg.js';

const SIDE = 176;

export class Heatmaps {
  /** `address` of the video; null where it is not here: then the maps stand alone. */
  constructor(place, player, { maps, scores }, { address, width, height }) {
    Object.assign(this, { place, maps, scores, kind: 'spatial' });
    const scale = SIDE / Math.max(width, height);
    this.size = [Math.round(width * scale), Math.round(height * scale)];
    this.cells = scores.slots.map((frame, slot) => {
      const canvas = html('canvas', { width: this.size[0] * 2, height: this.size[1] * 2 });
      const cell = html('button', { type: 'button', className: 'map' }, canvas, html('span', { className: 'small number', textContent: String(frame + 1) }));
      cell.ariaLabel = `Go to frame ${frame + 1}`;
      cell.dataset.frame = String(frame);
      if (address) {
        const image = html('img', { alt: '', loading: 'lazy', width: this.size[0], height: this.size[1] });
        show(image, `${address}/frames/${frame}.jpg?side=${SIDE * 2}`);
        cell.prepend(image);
      }
      cell.addEventListener('click', () => player?.seek(frame));
      cell.disabled = !player;
      place.append(cell);
      return { cell, canvas, slot };
    });
    this.draw();
    player?.addEventListener('cursor', () => this.#mark(player.cursor));
  }

  show(kind) {
    this.kind = kind;
    this.draw();
  }

  draw() {
    const { width, height } = this.maps;
    const chosen = this.scores.tracks[this.scores.chosen];
    for (const { canvas, slot } of this.cells) {
      const pen = canvas.getContext('2d');
      pen.clearRect(0, 0, canvas.width, canvas.height);
      pen.imageSmoothingEnabled = true;
      pen.imageSmoothingQuality = 'high';
      pen.drawImage(heat(this.maps[this.kind][slot], width, height), 0, 0, canvas.width, canvas.height);
      const box = chosen?.boxes[slot];
      if (!box) continue;
      const place = [box[0] * canvas.width, box[1] * canvas.height, (box[2] - box[0]) * canvas.width, (box[3] - box[1]) * canvas.height];
      for (const [line, colour] of [[6, 'rgb(0 0 0 / 55%)'], [3, '#fff']]) {
        pen.lineWidth = line;
        pen.strokeStyle = colour;
        pen.strokeRect(...place);
      }
    }
    this.place.dataset.kind = this.kind;
  }

  #mark(frame) {
    const { slots } = this.scores;
    const nearest = slots.reduce((best, slot, k) => (Math.abs(slot - frame) < Math.abs(slots[best] - frame) ? k : best), 0);
    this.cells.forEach(({ cell, slot }) => cell.classList.toggle('here', slot === nearest));
  }
}

/** Shades 0..255 as a small picture: nothing is clear, much is red and then yellow. */
function heat(shades, width, height) {
  const small = new OffscreenCanvas(width, height);
  const pen = small.getContext('2d');
  const picture = pen.createImageData(width, height);
  shades.forEach((shade, k) => {
    const share = shade / 255;
    picture.data.set([120 + 135 * Math.min(1, share * 1.6), 240 * Math.max(0, share - 0.35) / 0.65, 40 * (1 - share), 225 * share ** 0.55], 4 * k);
  });
  pen.putImageData(picture, 0, 0);
  return small;
}
