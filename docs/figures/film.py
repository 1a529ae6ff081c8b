"""A labelling page as an animation: a mouse that is seen, pictures of a part of the page, one file that loops."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import BrowserContext, Page

from tests.browser.waiting import rest

# A headless browser draws no mouse. This one follows the events; while a button is held, a ring is around it.
POINTER_JS = """
document.addEventListener('DOMContentLoaded', () => {
  const pointer = document.createElement('div');
  pointer.style.cssText = 'position:fixed;left:-99px;top:-99px;z-index:2147483647;pointer-events:none';
  pointer.innerHTML = `
  <svg width="44" height="44" viewBox="-16 -16 44 44" style="position:absolute;left:-16px;top:-16px">
    <circle r="12" fill="#ff9800" fill-opacity="0.35" stroke="#ff9800" stroke-width="2" style="display:none"/>
    <path d="M0 0 L0 19 L4.5 15 L7.6 22 L10.6 20.7 L7.5 13.8 L13.4 13.6 Z" stroke="#fff" stroke-width="1.5"/>
  </svg>`;
  document.body.appendChild(pointer);
  const ring = shown => { pointer.querySelector('circle').style.display = shown ? '' : 'none'; };
  for (const name of ['pointermove', 'pointerdown', 'pointerup', 'mousemove', 'mousedown', 'mouseup']) {
    addEventListener(name, event => {
      pointer.style.left = event.clientX + 'px';
      pointer.style.top = event.clientY + 'px';
      if (name.endsWith('down')) ring(true);
      if (name.endsWith('up')) ring(false);
    }, true);
  }
});
"""
STEP_PX = 70  # how far the mouse gets from one picture to the next


def show_mouse(context: BrowserContext) -> None:
    """Every page that the context opens from now on shows where its mouse is."""
    context.add_init_script(POINTER_JS)


@dataclass
class Film:
    """Pictures of a part of a page, each with how long it is shown.

    Args:
        part: left, top, width and height in pixels of the window.
        mouse: where the mouse is at the beginning.
    """

    page: Page
    part: tuple[int, int, int, int]
    mouse: tuple[float, float] = (640.0, 560.0)
    pictures: list[Image.Image] = field(default_factory=list)
    lengths_ms: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.mouse.move(*self.mouse)
        self.shoot(1500)

    def shoot(self, length_ms: int = 200) -> None:
        """One picture of the page as it is now; one that shows the same as the last makes that one longer."""
        rest(self.page)
        left, top, width, height = self.part
        shot = self.page.screenshot(clip={"x": left, "y": top, "width": width, "height": height})
        picture = Image.open(io.BytesIO(shot)).convert("RGB")
        if self.pictures and picture.tobytes() == self.pictures[-1].tobytes():
            self.lengths_ms[-1] += length_ms
            return
        self.pictures.append(picture)
        self.lengths_ms.append(length_ms)

    def move(self, x: float, y: float, length_ms: int = 120) -> None:
        """Bring the mouse there in a straight line."""
        (x0, y0), self.mouse = self.mouse, (x, y)
        steps = max(2, round(max(abs(x - x0), abs(y - y0)) / STEP_PX))
        for step in range(1, steps + 1):
            share = step / steps
            self.page.mouse.move(x0 + share * (x - x0), y0 + share * (y - y0))
            self.shoot(length_ms)

    def click(self, x: float, y: float, length_ms: int = 700) -> None:
        self.move(x, y)
        self.page.mouse.down()
        self.shoot(250)
        self.page.mouse.up()
        self.shoot(length_ms)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.move(*start)
        self.page.mouse.down()
        self.shoot(300)
        self.move(*end, length_ms=200)
        self.page.mouse.up()
        self.shoot(900)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        for word in text.split(" "):
            self.page.keyboard.type(word + ("" if text.endswith(word) else " "))
            self.shoot(250)

    def save(self, path: Path, quality: int = 70) -> None:
        """Write an animated WebP that begins again at its end."""
        first, *others = self.pictures
        lengths = [*self.lengths_ms[:-1], self.lengths_ms[-1] + 2000]
        first.save(
            path, save_all=True, append_images=others, duration=lengths, loop=0, quality=quality, method=6,
            minimize_size=False, kmin=9, kmax=200,
        )  # fmt: skip
