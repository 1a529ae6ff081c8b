// How did the candidates score? One bar each, the chosen one marked; to point at one shows its boxes over the video.

import { html, svg } from './svg.js';

const AT_ONCE = 8;

/** Fill `place`; `show(index)` while one is pointed at or has the focus, `show(null)` afterwards. */
export function tracks(place, scores, show) {
  const top = Math.max(...scores.tracks.map(track => track.score ?? 0)) || 1;
  const order = scores.tracks.map((_, k) => k).sort((a, b) => (scores.tracks[b].score ?? 0) - (scores.tracks[a].score ?? 0));
  const bars = order.map(k => {
    const track = scores.tracks[k];
    const chosen = k === scores.chosen;
    const width = Math.max(0, 100 * (track.score ?? 0) / top);
    const bar = svg('svg', { class: 'bar', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      svg('rect', { class: 'bar-track', width: 100, height: 8 }), svg('rect', { class: 'bar-value', width, height: 8 }));
    const button = html('button', { type: 'button', className: chosen ? 'track chosen' : 'track' },
      html('span', { textContent: `Track ${k + 1}` }), bar,
      html('span', { className: 'number', textContent: number(track.score) }),
      html('span', { className: 'mark', textContent: chosen ? 'chosen' : '' }));
    button.title = `S_obj ${number(track.score)}; forward ${number(track.forward)}, reversed ${number(track.reversed)}`;
    button.dataset.track = String(k);
    for (const name of ['pointerenter', 'focus']) button.addEventListener(name, () => show(k));
    for (const name of ['pointerleave', 'blur']) button.addEventListener(name, () => show(null));
    return button;
  });
  const first = bars.filter((bar, place) => place < AT_ONCE || bar.classList.contains('chosen'));
  place.replaceChildren(...first);
  if (first.length < bars.length) {
    const more = html('button', { type: 'button', className: 'button button-quiet', textContent: `All ${bars.length} tracks` });
    more.addEventListener('click', () => place.replaceChildren(...bars));
    place.append(more);
  }
}

function number(value) {
  if (value === null) return '–';
  return value > 0 && value < 0.0005 ? '<0.001' : value.toFixed(3);
}
