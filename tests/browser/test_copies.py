"""In a real browser, frame i of a copy stands at (i + 1/2) / rate: that is how Label Studio asks for it."""

from __future__ import annotations

import base64
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from stvg_core.video import probe
from stvg_core.video.transcode import transcode
from tests.browser.waiting import WITHIN_JS
from tests.video.painted import BITS, write_painted

pytestmark = pytest.mark.browser

COUNT = 40
SHOWN_JS = """
async ([source, times, bits]) => {
  const within = WITHIN;
  const video = document.createElement('video');
  video.muted = true;
  const shown = name => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener('error', () => reject(video.error.message), { once: true });
  });
  const turn = () => new Promise(done => requestAnimationFrame(done));
  const drawn = async times => {
    for (let k = 0; k < times; k++) await within('an animation frame', turn());
  };
  const seek = async time => {
    const sought = shown('seeked');
    video.currentTime = time;
    await within(`a seek to ${time} s`, sought);
  };
  // A browser may show a picture and not say so (player.js knows it too): then another one is shown in between.
  let said = null; // when the picture is that was shown last
  const watch = () => video.requestVideoFrameCallback((_, facts) => {
    said = facts.mediaTime;
    watch();
  });
  const show = async time => {
    const before = said;
    for (let tries = 0; tries < 20; tries++) {
      await seek(time);
      for (let k = 0; k < 60 && said === before; k++) await drawn(1);
      if (said !== before) return drawn(2);
      await seek(time > 0.5 ? time - 0.4 : time + 0.4);
      await drawn(10);
    }
    throw new Error(`no picture was shown at ${time} s`);
  };
  watch();
  const loaded = shown('loadeddata');
  video.src = source;
  await within('the first picture', loaded);
  await drawn(10); // what is said of it is said before the first seek
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight), pen = canvas.getContext('2d');
  const numbers = [];
  for (const time of times) {
    await show(time);
    pen.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {
      const [x, y] = [Math.floor((bit + 0.5) * canvas.width / bits), Math.floor(canvas.height / 6)];
      if (pen.getImageData(x, y, 1, 1).data[0] > 128) number += 1 << bit;
    }
    numbers.push(number);
  }
  return numbers;
}
""".replace("WITHIN", WITHIN_JS)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "AVI": ("a.avi", {"codec": "mpeg4"}),
    "begins late": ("a.mp4", {"pts": [3 + k for k in range(COUNT)], "time_base": Fraction(1, 25)}),
    "variable rate": (
        "a.mp4", {"pts": [*range(0, 2000, 100), *range(10_000, 12_000, 100)], "time_base": Fraction(1, 1000)},
    ),
}  # fmt: skip


def shown(browser: Browser, path: Path, frames: list[int], fps: float) -> list[int]:
    page = browser.new_page()
    source = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()
    found: list[int] = page.evaluate(SHOWN_JS, [source, [(frame + 0.5) / fps for frame in frames], BITS])
    page.close()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_browser_shows_the_frame_that_is_meant(kind: str, chromium: Browser, tmp_path: Path) -> None:
    name, options = KINDS[kind]
    info = probe(write_painted(tmp_path / name, COUNT, **options))
    wanted = [1, 0, 19, 20, 21, 30, COUNT - 1, 7]
    copy = transcode(info, tmp_path / "copy.mp4")
    assert shown(chromium, copy, wanted, info.fps) == wanted


def test_without_a_copy_a_late_beginning_shows_other_frames(chromium: Browser, tmp_path: Path) -> None:
    """Why ``connect`` names such videos: were this to change, the warning would have to go."""
    info = probe(write_painted(tmp_path / "a.mp4", COUNT, **KINDS["begins late"][1]))
    assert shown(chromium, tmp_path / "a.mp4", [10, 20, 30], info.fps) == [7, 17, 27]
