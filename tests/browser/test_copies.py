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
from tests.video.painted import BITS, write_painted

pytestmark = pytest.mark.browser

COUNT = 40
SHOWN_JS = """
async ([source, times, bits]) => {
  const video = document.createElement('video');
  video.muted = true;
  const shown = name => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener('error', () => reject(video.error.message), { once: true });
  });
  const loaded = shown('loadeddata');
  video.src = source;
  await loaded;
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight), pen = canvas.getContext('2d');
  const numbers = [];
  for (const time of times) {
    const painted = new Promise(resolve => video.requestVideoFrameCallback(resolve)), sought = shown('seeked');
    video.currentTime = time;
    await sought;
    await painted;
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
"""
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
