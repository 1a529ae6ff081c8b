// The page of one task: fetches what there is to draw and puts the parts together.

import { decision } from './decision.js';
import { Heatmaps } from './heatmaps.js';
import { bind, help, press } from './keys.js';
import { legend } from './legend.js';
import { show } from './picture.js';
import { Player } from './player.js';
import { Stage } from './stage.js';
import { Strips } from './strips.js';
import { html } from './svg.js';
import { tracks } from './tracks.js';

const item = document.querySelector('#item');
const facts = item.dataset;
const find = id => document.querySelector(`#${id}`);
const actions = { ...decision(), j: press('[data-key=j]'), k: press('[data-key=k]'), q: press('.crumbs a'), w: press('[data-key=w]'), '?': help() };
bind(actions);

// What the model saw: one that the server had no time for is asked for again.
for (const image of document.querySelectorAll('.shown img')) {
  if (!image.naturalWidth) show(image, image.getAttribute('src'));
}

if (facts.footage === 'being fetched') waitForVideo();
start();

async function start() {
  const player = find('video') ? openPlayer() : null;
  const reply = await fetch(facts.evidence, { headers: { Accept: 'application/json' } });
  if (!reply.ok) {
    notice('The boxes and curves cannot be shown. Reload the page.');
    return;
  }
  const evidence = await reply.json();
  if (player && evidence.times) player.useTimes(evidence.times);
  else if (player && facts.variable === 'yes' && !player.single) {
    notice('The video has a variable frame rate, and the times of its frames are not stored yet (stvg sync stores them): while it plays, boxes may be some frames off. Single pictures (f) are exact.');
  }
  const has = name => evidence.tubes.some(tube => tube.name === name);
  for (const tube of evidence.tubes) tube.shown = tube.kind === 'suggestion' || tube.kind === 'correction';
  const stage = player && new Stage(find('overlay'), evidence.tubes);
  let strips = null;
  if (player) {
    const toggle = legend(find('legend'), evidence.tubes, () => stage.draw());
    Object.assign(actions, { s: () => toggle('suggestion'), c: () => toggle('correction') });
    player.addEventListener('frame', () => stage.draw(player.frame));
    strips = find('strips') && new Strips(find('strips'), player, evidence);
    if (strips && !strips.empty) find('strips-panel').hidden = false;
    stage.draw(player.frame);
    const first = evidence.tubes.find(tube => tube.name === (has('correction') ? 'correction' : 'suggestion'));
    if (first) player.seek(first.intervals[0][0]);
    apartList(evidence.apart);
    followFrames(player);
  }
  if (evidence.scores?.tracks.length && find('tracks')) {
    tracks(find('tracks'), evidence.scores, index => {
      stage?.showTrack(index === null ? null : evidence.scores.tracks[index], evidence.scores.slots);
      strips?.showTrack(index);
    });
  }
  if (evidence.maps && evidence.scores && find('maps')) {
    const sizes = { address: player && facts.video, width: Number(facts.width), height: Number(facts.height) };
    const maps = new Heatmaps(find('maps'), player, evidence, sizes);
    find('maps-panel').hidden = false;
    find('maps-switch').addEventListener('change', event => maps.show(event.target.value));
  }
  item.dataset.ready = 'yes';
}

/** Links of the form `#frame=45` (counted from 1, as people read it) go there; so does such an address. */
function followFrames(player) {
  const go = hash => {
    const [, number] = /^#frame=(\d+)$/.exec(hash) ?? [];
    if (!number) return false;
    player.pause();
    player.seek(Number(number) - 1);
    return true;
  };
  go(location.hash);
  addEventListener('hashchange', () => go(location.hash));
  document.addEventListener('click', event => {
    const link = event.target.closest('a[href^="#frame="]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !go(link.hash)) return;
    event.preventDefault(); // the same link works twice, and leaves no step behind to go back to
    history.replaceState(null, '', link.hash);
    find('stage').scrollIntoView({ block: 'nearest' });
  });
}

/** The marks of the time strip in words, each a link to its first frame. */
function apartList(apart) {
  const whose = { correction: 'suggestion and correction', versions: 'the two model versions', annotators: 'the annotators' };
  const lines = apart.flatMap(({ whose: name, stretches }) => stretches.map(([first, last, kind]) => {
    const link = html('a', { href: `#frame=${first + 1}`, textContent: first === last ? `Frame ${first + 1}` : `Frames ${first + 1} to ${last + 1}` });
    return html('li', {}, link, kind === 'alone' ? `: not shown by all of ${whose[name]}` : `: the boxes of ${whose[name]} lie apart (IoU below .5)`);
  }));
  if (!lines.length || !find('apart-list')) return;
  find('apart-list').replaceChildren(...lines);
  find('apart').hidden = false;
}

function openPlayer() {
  const [frames, fps] = [Number(facts.frames), Number(facts.fps)];
  find('stage').style.setProperty('--ratio', String(Number(facts.width) / Number(facts.height)));
  const player = new Player({ video: find('video'), picture: find('picture'), frames, fps, address: facts.video, variable: facts.variable === 'yes' });
  const [play, seek, clock, single] = [find('play'), find('seek'), find('clock'), find('pictures')];
  find('controls').hidden = false;
  play.addEventListener('click', () => player.toggle());
  find('back').addEventListener('click', () => player.step(-1));
  find('forth').addEventListener('click', () => player.step(1));
  seek.addEventListener('input', () => {
    player.pause();
    player.seek(Number(seek.value));
  });
  single.addEventListener('change', () => (single.checked ? player.useSingle() : player.useVideo()));
  player.addEventListener('cursor', () => {
    seek.value = String(player.cursor);
    const second = player.seconds(player.cursor);
    seek.ariaValueText = `frame ${player.cursor + 1}`; // its value counts from 0
    clock.textContent = `frame ${player.cursor + 1} / ${frames}` + (second === null ? '' : ` · ${second.toFixed(2)} s`);
  });
  player.addEventListener('state', () => {
    play.textContent = player.playing ? 'Pause' : 'Play';
    item.dataset.playing = player.playing ? 'yes' : 'no';
  });
  player.addEventListener('mode', event => {
    single.checked = player.single;
    if (event.detail) {
      single.disabled = true;
      notice(event.detail);
    }
  });
  if (player.single) {
    single.checked = single.disabled = true;
    notice('This browser cannot play the file. Single pictures are shown in its place.');
  }
  Object.assign(actions, {
    ' ': event => (event.target.closest('button, a, input') ? false : player.toggle()),
    ',': () => player.step(-1),
    '.': () => player.step(1),
    ArrowLeft: event => (event.target.matches('input') ? false : player.step(-10)),
    ArrowRight: event => (event.target.matches('input') ? false : player.step(10)),
    f: () => { if (!single.disabled) single.click(); },
  });
  return player;
}

function notice(text) {
  const place = find('viewer-notice');
  if (!place) return;
  place.textContent = text;
  place.hidden = false;
}

async function waitForVideo() {
  const reply = await fetch(facts.state).catch(() => null);
  if (reply?.ok && (await reply.json()).state !== 'being fetched') location.reload();
  else setTimeout(waitForVideo, 2000);
}
