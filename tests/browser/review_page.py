"""The review pages as a person sees and uses them, driven through Chromium.

What the browser says on its console and what its policy refuses is kept in ``complaints``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.browser.waiting import PATIENCE_MS, rest

# The red square of the painted clip, in shares of the picture that the video shows now.
RED_JS = """
() => {
  const video = document.querySelector('#video'), picture = document.querySelector('#picture');
  const shown = video.hidden ? picture : video;
  const [width, height] = [shown.videoWidth || shown.naturalWidth, shown.videoHeight || shown.naturalHeight];
  const canvas = new OffscreenCanvas(width, height), pen = canvas.getContext('2d');
  pen.drawImage(shown, 0, 0);
  const {data} = pen.getImageData(0, 0, width, height);
  let [x1, y1, x2, y2] = [Infinity, Infinity, -1, -1];
  for (let y = 0, k = 0; y < height; y++) for (let x = 0; x < width; x++, k += 4) {
    if (data[k] > 140 && data[k + 1] < 90 && data[k + 2] < 90) {
      x1 = Math.min(x1, x); x2 = Math.max(x2, x + 1); y1 = Math.min(y1, y); y2 = Math.max(y2, y + 1);
    }
  }
  return x2 < 0 ? null : [x1 / width, y1 / height, x2 / width, y2 / height];
}
"""
# The colour of the overlay's pixel at a place in shares of the picture, and what the style sheet calls it.
PIXEL_JS = """
([x, y]) => {
  const canvas = document.querySelector('#overlay');
  const place = [Math.round(x * canvas.width), Math.round(y * canvas.height)];
  return [...canvas.getContext('2d').getImageData(...place, 1, 1).data];
}
"""
COLOUR_JS = """
name => {
  const value = getComputedStyle(document.querySelector('#overlay')).getPropertyValue(name).trim();
  return [1, 3, 5].map(k => parseInt(value.slice(k, k + 2), 16));
}
"""


@dataclass
class ReviewPage:
    """One browser tab."""

    page: Page
    url: str
    complaints: list[str]

    @classmethod
    def open(cls, page: Page, url: str) -> ReviewPage:
        complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return cls(page, url, complaints)

    def log_in(self, name: str, password: str) -> None:
        self.page.goto(f"{self.url}/login")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url("**/review/**")

    def queue(self, query: str = "") -> None:
        self.page.goto(f"{self.url}/review/{query}")

    def sentences(self) -> list[str]:
        return self.page.locator(".queue a.open").all_text_contents()

    def item(self, task: int, query: str = "") -> None:
        """Open a task and wait until everything is drawn."""
        self.page.goto(f"{self.url}/review/tasks/{task}{query}")
        self._ready()

    def arrives(self, task: int, query: str = "") -> None:
        """Wait until a key or a click has led to a task's page and everything is drawn."""
        self.page.wait_for_url(f"**/review/tasks/{task}{query}")
        self._ready()

    def follow(self, link: str) -> None:
        """Click on a link and wait for the page that it leads to."""
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=link).click()

    def _ready(self) -> None:
        self.page.wait_for_selector("#item[data-ready=yes]")
        rest(self.page)

    def go_to(self, frame: int) -> None:
        """Move the slider, as a person does, and wait until that frame is shown."""
        self.page.evaluate(
            "frame => { const seek = document.querySelector('#seek'); seek.value = frame; "
            "seek.dispatchEvent(new Event('input')); }",
            frame,
        )
        self.shows(frame)

    def shows(self, frame: int) -> None:
        self.page.wait_for_function(
            "frame => document.querySelector('#overlay').dataset.frame === String(frame)"
            " && document.querySelector('#strips').dataset.frame === String(frame)"
            " && !document.querySelector('#video').seeking",
            arg=frame,
        )
        rest(self.page)

    @property
    def frame(self) -> int:
        return int(self.page.locator("#overlay").get_attribute("data-frame") or -1)

    def drawn(self) -> dict[str, list[float]]:
        """Box by name, in shares of the picture."""
        rest(self.page)
        found: list[dict[str, Any]] = json.loads(self.page.locator("#overlay").get_attribute("data-drawn") or "[]")
        return {one["name"]: one["box"] for one in found}

    def red(self) -> list[float]:
        found: list[float] | None = self.page.evaluate(RED_JS)
        assert found is not None, "the video shows no red square"
        return found

    def pixel(self, x: float, y: float) -> list[int]:
        rest(self.page)
        found: list[int] = self.page.evaluate(PIXEL_JS, [x, y])
        return found

    def colour(self, name: str) -> list[int]:
        found: list[int] = self.page.evaluate(COLOUR_JS, name)
        return found

    def overflows(self) -> int:
        """By how many pixels the page is wider than the window."""
        rest(self.page)
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
