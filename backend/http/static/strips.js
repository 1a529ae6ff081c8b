// How do score, overlap and intervals run along the video? Strips over one time axis, with one cursor; a click or a drag
// seeks.

import { html, svg } from './svg.js';

const LANE = 12;

export class Strips {
  constructor(place, player, { tubes, iou, scores, apart }) {
    Object.assign(this, { place, player, iou, scores, frames: player.frames });
    this.track = scores ? scores.chosen : -1;
    this.readings = [];
    if (tubes.length) this.#row('Interval', this.#intervals(tubes), () => '');
    if (scores?.tracks.length && this.track >= 0) {
      this.curve = this.#plot('curve');
      this.scoreName = this.#row('Frame score', this.curve, frame => this.#scoreAt(frame));
      this.showTrack(this.track);
    }
    for (const { whose, stretches } of apart) {
      this.#row(`Apart: ${whose}`, this.#apart(whose, stretches), frame => stretches.find(([first, last]) => first <= frame && frame <= last)?.[2] ?? '–');
    }
    if (iou) this.#row('IoU', this.#overlap(), frame => this.#iouAt(frame));
    this.empty = this.readings.length === 0;
    if (!this.empty) {
      this.#axis();
      this.#scrub();
      player.addEventListener('cursor', () => this.#follow());
      this.#follow();
    }
  }

  /** The frame scores of another track; null goes back to the chosen one. */
  showTrack(index) {
    if (!this.curve) return;
    this.track = index ?? this.scores.chosen;
    const other = this.track !== this.scores.chosen;
    this.scoreName.textContent = other ? `Frame score, track ${this.track + 1}` : 'Frame score';
    const { slots, tracks } = this.scores;
    const top = Math.max(...tracks.flatMap(track => track.frames.map(value => value ?? 0))) || 1;
    const points = tracks[this.track].frames.map((value, k) => [slots[k] + 0.5, 96 - 90 * Math.max(value ?? 0, 0) / top]);
    const line = points.map(([x, y]) => `${x} ${y}`).join(' L ');
    this.curve.replaceChildren(
      svg('path', { class: 'area', d: `M ${points[0][0]} 96 L ${line} L ${points.at(-1)[0]} 96 Z` }),
      svg('path', { class: 'line', d: `M ${line}` }),
      svg('path', { class: 'dots', d: points.map(([x, y]) => `M ${x} ${y} h 0`).join(' ') }),
    );
    this.curve.dataset.track = String(this.track);
    this.#follow();
  }

  #row(name, plot, read) {
    const label = html('span', { className: 'strip-name', textContent: name });
    const value = html('output', { className: 'strip-value number', title: `${name}, at the frame that is shown` });
    for (const cell of [label, plot, value]) cell.style.gridRow = String(this.readings.length + 1);
    this.place.append(label, plot, value);
    this.readings.push([value, read]);
    return label;
  }

  #plot(kind, height = 100) {
    return svg('svg', { class: `plot plot-${kind}`, viewBox: `0 0 ${this.frames} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  }

  #intervals(tubes) {
    const listed = tubes.filter(tube => tube.kind !== 'object');
    const plot = this.#plot('intervals', listed.length * LANE);
    plot.style.height = `${listed.length * LANE}px`;
    listed.forEach((tube, lane) => {
      for (const [first, last] of tube.intervals) {
        plot.append(svg('rect', { class: `span kind-${tube.kind}`, 'data-name': tube.name, x: first, width: last - first + 1, y: lane * LANE + 2, height: LANE - 4 }));
      }
    });
    return plot;
  }

  /** Where answers differ: high where some are not shown, low where all are and their boxes lie apart. */
  #apart(whose, stretches) {
    const plot = this.#plot('apart', LANE);
    plot.style.height = `${LANE}px`;
    plot.dataset.whose = whose;
    for (const [first, last, kind] of stretches) {
      plot.append(svg('rect', { class: `apart apart-${kind}`, x: first, width: last - first + 1, y: kind === 'alone' ? 1 : 4, height: kind === 'alone' ? LANE - 2 : LANE - 8 }));
    }
    return plot;
  }

  #overlap() {
    const plot = this.#plot('iou');
    const { first_frame: first, values } = this.iou;
    plot.append(svg('line', { class: 'guide', x1: 0, x2: this.frames, y1: 50, y2: 50 }));
    let [area, line, open] = ['', '', false];
    values.forEach((value, k) => {
      if (value === null) {
        if (open) area += ' V 100 Z';
        open = false;
        return;
      }
      const [x, y] = [first + k, 100 - 98 * value];
      area += open ? ` V ${y} h 1` : ` M ${x} 100 V ${y} h 1`;
      line += open ? ` V ${y} h 1` : ` M ${x} ${y} h 1`;
      open = true;
    });
    if (open) area += ' V 100 Z';
    plot.append(svg('path', { class: 'area', d: area }), svg('path', { class: 'line', d: line }));
    return plot;
  }

  /** Where on the axis of frames does a second lie, in percent? */
  #share(second) {
    const { frames, player: { times } } = this;
    if (!times) return 100 * second * this.player.fps / frames;
    return 100 * times.filter(time => time < second).length / frames;
  }

  #axis() {
    const { frames, player } = this;
    const axis = html('div', { className: 'axis', ariaHidden: 'true' });
    // No seconds where they are not known.
    const seconds = player.times ? player.seconds(frames - 1) : player.variable ? 0 : frames / player.fps;
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
    const step = steps.find(size => seconds / size <= 7) ?? 7200;
    let free = 0; // a pause in the video puts several seconds on one frame
    for (let at = 0; at < seconds; at += step) {
      const left = this.#share(at);
      if (left < free) continue;
      free = left + 8;
      const mark = html('span', { textContent: at >= 60 ? `${Math.floor(at / 60)}:${String(Math.round(at % 60)).padStart(2, '0')}` : `${+at.toFixed(1)} s` });
      mark.style.left = `${left}%`;
      axis.append(mark);
    }
    axis.style.gridRow = String(this.readings.length + 1);
    this.place.append(axis);
  }

  #scrub() {
    const rows = this.readings.length;
    const scrub = html('div', { className: 'scrub' });
    scrub.style.gridRow = `1 / span ${rows}`;
    this.line = html('div', { className: 'cursor' });
    scrub.append(this.line);
    this.place.append(scrub);
    const go = event => {
      const { left, width } = scrub.getBoundingClientRect();
      this.player.seek(Math.floor((event.clientX - left) / width * this.frames));
    };
    scrub.addEventListener('pointerdown', event => {
      if (event.button) return;
      scrub.setPointerCapture(event.pointerId);
      this.player.pause();
      go(event);
    });
    scrub.addEventListener('pointermove', event => {
      if (scrub.hasPointerCapture(event.pointerId)) go(event);
    });
  }

  #follow() {
    if (!this.line) return;
    const frame = this.player.cursor;
    this.line.style.left = `${100 * (frame + 0.5) / this.frames}%`;
    this.place.dataset.frame = String(frame);
    for (const [value, read] of this.readings) value.textContent = read(frame);
  }

  #scoreAt(frame) {
    const { slots, tracks } = this.scores;
    const nearest = slots.reduce((best, slot, k) => (Math.abs(slot - frame) < Math.abs(slots[best] - frame) ? k : best), 0);
    const value = tracks[this.track].frames[nearest];
    if (value === null) return '–';
    return value > 0 && value < 0.0001 ? '<.0001' : short(Number(value.toPrecision(2)).toString());
  }

  #iouAt(frame) {
    const value = this.iou.values[frame - this.iou.first_frame];
    return value === undefined || value === null ? '–' : short(value.toFixed(2));
  }
}

/** A number as the pages write it, without the zero in front. */
const short = text => text.replace(/^0\./, '.');
