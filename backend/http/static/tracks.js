// Which track was chosen, and why? One bar each, the highest is the chosen one; to point at one shows its boxes.

import { html, svg } from './svg.js';

const AT_ONCE = 8;
const POWERS = { 1: '', 0.5: ' (its square root)', 2: ' (squared)' };

/** Fill `place`; `show(index)` while one is pointed at or has the focus, `show(null)` afterwards. */
export function tracks(place, scores, show) {
  const whole = scores.weight !== null;
  const value = track => (whole ? track.choice : track.score) ?? 0;
  const top = Math.max(...scores.tracks.map(track => Math.max(value(track), track.score ?? 0))) || 1;
  const share = number => Math.min(Math.max(0, 100 * number / top), 100);
  // Of equal bars the chosen one comes first.
  const order = scores.tracks.map((_, k) => k).sort((a, b) => value(scores.tracks[b]) - value(scores.tracks[a]) || (b === scores.chosen) - (a === scores.chosen));
  const bars = order.map(k => {
    const track = scores.tracks[k];
    const chosen = k === scores.chosen;
    const bar = svg('svg', { class: 'bar', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      svg('rect', { class: 'bar-track', width: 100, height: 8 }), svg('rect', { class: 'bar-value', width: share(value(track)), height: 8 }));
    if (scores.weight) bar.append(svg('rect', { class: 'bar-mark', x: Math.max(0, share(track.score ?? 0) - 1), width: 1, height: 8 }));
    const button = html('button', { type: 'button', className: chosen ? 'track chosen' : 'track' },
      html('span', { textContent: `Track ${k + 1}` }), bar,
      html('span', { className: 'number', textContent: number(whole ? track.choice : track.score) }),
      html('span', { className: 'mark', textContent: chosen ? 'chosen' : '' }));
    const proposer = track.proposer === null ? '' : `; proposer’s confidence ${number(track.proposer)}`;
    const attention = `S_obj ${number(track.score)} (forward ${number(track.forward)}, reversed ${number(track.reversed)})`;
    button.title = `${scores.words ? `Candidate ${k + 1}` : attention}${proposer}`;
    button.dataset.track = String(k);
    for (const name of ['pointerenter', 'focus']) button.addEventListener(name, () => show(k));
    for (const name of ['pointerleave', 'blur']) button.addEventListener(name, () => show(null));
    return button;
  });
  const legend = html('p', { className: 'muted small', textContent: meaning(scores.weight, scores.words) });
  const first = bars.filter((bar, place) => place < AT_ONCE || bar.classList.contains('chosen'));
  place.replaceChildren(legend, ...first);
  if (first.length < bars.length) {
    const more = html('button', { type: 'button', className: 'button button-quiet', textContent: `All ${bars.length} tracks` });
    more.addEventListener('click', () => place.replaceChildren(legend, ...bars));
    place.append(more);
  }
}

/** What are the bars? `words`: a model named the track; `weight` is the power to which the proposer's confidence counts, null where it is not known. */
function meaning(weight, words) {
  if (words) return 'Bar: the candidate that the model named.';
  if (weight === null) return 'Bar: attention on the track (S_obj). The choice also went by the proposer’s confidence; how, was not kept for this suggestion.';
  if (weight === 0) return 'Bar: attention on the track (S_obj). The highest is chosen.';
  const power = POWERS[weight] ?? ` to the power ${weight}`;
  return `Bar: attention on the track (S_obj, the mark) × the proposer’s confidence${power}. The highest is chosen.`;
}

function number(value) {
  if (value === null) return '–';
  return value > 0 && value < 0.0005 ? '<0.001' : value.toFixed(3);
}
