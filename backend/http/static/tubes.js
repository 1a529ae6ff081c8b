// Where is a tube on a frame? Keyframes are [frame, x1, y1, x2, y2], linear in between, shown inside the intervals only.

/** The box `[x1, y1, x2, y2]` in shares of the picture, null where the tube is not shown. */
export function boxAt(tube, frame) {
  if (!tube.intervals.some(([first, last]) => first <= frame && frame <= last)) return null;
  return between(tube.keyframes.map(row => row[0]), tube.keyframes.map(row => row.slice(1)), frame);
}

/** The box of a track, known at some frames only (null where it is absent); never across a gap. */
export function trackBoxAt(track, slots, frame) {
  const after = slots.findIndex(slot => slot >= frame);
  if (after < 0) return slots.length && frame - slots.at(-1) <= gap(slots) / 2 ? track.boxes.at(-1) : null;
  if (slots[after] === frame) return track.boxes[after];
  if (after === 0) return slots[0] - frame <= gap(slots) / 2 ? track.boxes[0] : null;
  const [a, b] = [track.boxes[after - 1], track.boxes[after]];
  if (a && b) return between([slots[after - 1], slots[after]], [a, b], frame);
  const nearer = frame - slots[after - 1] < slots[after] - frame ? a : b;
  return nearer ?? null;
}

function gap(slots) {
  return slots.length > 1 ? slots[1] - slots[0] : Infinity;
}

function between(frames, boxes, frame) {
  const after = frames.findIndex(known => known >= frame);
  if (after < 0) return boxes.at(-1);
  if (after === 0 || frames[after] === frame) return boxes[after];
  const share = (frame - frames[after - 1]) / (frames[after] - frames[after - 1]);
  return boxes[after].map((end, k) => boxes[after - 1][k] + share * (end - boxes[after - 1][k]));
}
