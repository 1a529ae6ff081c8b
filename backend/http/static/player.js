// Which frame is on the screen, and how does one get to another? Frames count from 0, as in the database; what people read counts from 1.
//
// The browser says the time of each picture that it shows (requestVideoFrameCallback); time by rate is the frame, and where
// the rate varies, the frame that begins nearest to that time. To go to a frame is to go into its time, where rounding
// cannot lead to its neighbour. Where the browser cannot play the file, or exact pictures are wanted, single
// pictures come from the server.

import { show } from './picture.js';

const REPEATS = 3;

export class Player extends EventTarget {
  /** Events: `frame` when another frame is shown, `cursor` as soon as it is asked for, `mode` and `state`. */
  constructor({ video, picture, frames, fps, address, variable }) {
    super();
    Object.assign(this, { video, picture, frames, fps, address, variable });
    this.times = null; // seconds of each frame, where the rate varies and they are known
    this.frame = 0;
    this.cursor = 0;
    this.single = false;
    this.origin = null; // the time of frame 0: some files do not begin at 0
    this.waiting = null;
    this.sought = null; // the frame that the video was last sent to
    this.repeats = 0;
    this.timer = null;
    video.controls = false;
    video.addEventListener('error', () => this.useSingle('This browser cannot play the file. Single pictures are shown in its place.'));
    video.addEventListener('seeked', () => this.#continueSeek());
    for (const name of ['play', 'pause', 'ended']) video.addEventListener(name, () => this.#tell('state'));
    if (video.requestVideoFrameCallback) this.#begin();
    else this.useSingle('This browser does not say which frame it shows. Single pictures are exact.');
    if (video.error) this.useSingle('This browser cannot play the file. Single pictures are shown in its place.');
  }

  get playing() {
    return this.single ? this.timer !== null : !this.video.paused && !this.video.ended;
  }

  /** When a frame is shown, in seconds from the first; null where the rate varies and that is not known. */
  seconds(frame) {
    if (this.times) return this.times[frame];
    return this.variable ? null : frame / this.fps;
  }

  /** The times of a variable-rate video's frames have come. */
  useTimes(times) {
    this.times = times;
    this.#tell('cursor');
    if (this.origin !== null && !this.single) this.seek(this.cursor);
  }

  /** Show a frame; the nearest there is. */
  seek(frame) {
    const wanted = Math.min(Math.max(Math.round(frame), 0), this.frames - 1);
    this.cursor = wanted;
    this.#tell('cursor');
    if (this.single) this.#showPicture(wanted);
    else if (this.origin === null || this.video.seeking) this.waiting = wanted;
    else {
      this.repeats = 0;
      this.#seekVideo(wanted);
    }
  }

  step(by) {
    this.pause();
    this.seek(this.cursor + by);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (!this.single) {
      if (this.origin === null) return; // not before it is known which frame is which
      this.video.play().catch(() => this.#tell('state'));
      return;
    }
    if (this.cursor >= this.frames - 1) this.seek(0);
    this.timer = setInterval(() => {
      if (!this.picture.complete) return; // the server is slower than the video: go on when the picture is there
      if (this.cursor >= this.frames - 1) this.pause();
      else this.seek(this.cursor + 1);
    }, 1000 / this.fps);
    this.#tell('state');
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.video.pause();
    this.#tell('state');
  }

  /** Single pictures from the server from now on; `why` is for the person. */
  useSingle(why = '') {
    this.pause();
    this.single = true;
    this.video.hidden = true;
    this.picture.hidden = false;
    this.dispatchEvent(new CustomEvent('mode', { detail: why }));
    this.seek(this.cursor);
  }

  useVideo() {
    this.pause();
    this.single = false;
    this.picture.hidden = true;
    this.video.hidden = false;
    this.dispatchEvent(new CustomEvent('mode', { detail: '' }));
    this.seek(this.cursor);
  }

  #begin() {
    this.#watch();
    // The first picture may have been shown before anybody watched: it is shown again, to learn when frame 0 is. Until
    // then nothing else is sought.
    if (this.video.readyState >= 2) this.#showFirst();
    else this.video.addEventListener('loadeddata', () => this.#showFirst(), { once: true });
  }

  #showFirst() {
    // Where the rate varies the first picture may be shorter than the others.
    this.video.currentTime = this.#part() * (this.variable ? 0.002 : 1 / this.fps);
  }

  #watch() {
    this.video.requestVideoFrameCallback((_, facts) => {
      this.#watch(); // before anything else: a picture that comes while this runs must be heard of
      const first = this.origin === null;
      if (first) this.origin = facts.mediaTime;
      if (!this.single) this.#shown(this.#frameAt(facts.mediaTime - this.origin));
      if (first && !this.video.seeking) this.#continueSeek();
    });
  }

  #continueSeek() {
    if (this.single) return;
    if (this.origin === null || this.waiting === null) {
      this.#confirm();
      return;
    }
    const wanted = this.waiting;
    this.waiting = null;
    this.repeats = 0;
    this.#seekVideo(wanted);
  }

  /** A browser may show a picture and not say so; the boxes would be another frame's. Then it is asked for again. */
  #confirm() {
    const wanted = this.sought;
    const look = () => {
      if (this.single || this.video.seeking || !this.video.paused || this.repeats >= REPEATS) return;
      if (this.origin === null) {
        this.repeats += 1;
        this.#showFirst();
      } else if (wanted !== null && this.sought === wanted && this.waiting === null && this.frame !== wanted) {
        this.repeats += 1;
        this.#seekVideo(wanted);
      }
    };
    requestAnimationFrame(() => requestAnimationFrame(look));
  }

  #seekVideo(frame) {
    this.sought = frame;
    this.video.currentTime = this.origin + this.#inside(frame);
  }

  /** Where in a frame to go, as a share of it. Each time a little earlier: to go where it is already is nothing to a browser. */
  #part() {
    return 0.5 - 0.1 * this.repeats;
  }

  #inside(frame) {
    const part = this.#part();
    if (!this.times) return (frame + part) / this.fps;
    // Not deep into a long frame: in files with B-frames a browser may take a frame before a pause for a short one.
    const next = this.times[frame + 1] ?? Infinity;
    return this.times[frame] + Math.min((next - this.times[frame]) * part, 0.01 * part);
  }

  #frameAt(second) {
    const { times } = this;
    if (!times) return Math.round(second * this.fps);
    let [low, high] = [0, times.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= second) low = middle;
      else high = middle - 1;
    }
    return low + 1 < times.length && times[low + 1] - second < second - times[low] ? low + 1 : low;
  }

  #showPicture(frame) {
    this.picture.onload = () => {
      if (this.single) this.#shown(frame); // it may come after the video was chosen again
    };
    show(this.picture, `${this.address}/frames/${frame}.jpg`);
  }

  #shown(frame) {
    this.frame = Math.min(Math.max(frame, 0), this.frames - 1);
    if (!this.single && this.waiting === null && (this.playing || !this.video.seeking)) this.cursor = this.frame;
    this.#tell('frame');
    this.#tell('cursor');
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}
