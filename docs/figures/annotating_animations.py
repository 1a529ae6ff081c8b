"""Makes the pictures and the animations of docs/annotating.md and docs/interactive.md: a real Label Studio, the real
backend with the embedded model, rendered clips, Chromium with a mouse.

PYTHONPATH=. .venv/bin/python docs/figures/annotating_animations.py [folder]
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from backend.db.engine import Database
from backend.demo.clips import DemoClip
from backend.demo.label_studio import LabelStudioServer
from backend.demo.loop import connect, preannotate
from backend.demo.stack import Stack
from backend.labelstudio.client import LabelStudioClient
from docs.figures.film import Film, show_mouse
from docs.figures.review_screenshots import OUT, shrink
from stvg_core.demo.clips import SPLIT_SEEDS, write_clip
from stvg_core.demo.domain import USUAL
from stvg_core.demo.scenes import Difficulty, sample_scene
from stvg_core.demo.truths import scene_truth
from tests.browser.box import Box
from tests.browser.chromium import CHROMIUM, CHROMIUM_FLAGS
from tests.browser.labelling_page import LabellingPage
from tests.browser.timeline import RANGE_JS, go_to_frame, go_to_frame_on_line, line, on_ruler
from tests.browser.waiting import rest

LABEL_STUDIO = Path(".venv-ls/bin/label-studio")
WORLD = replace(USUAL, frame_rates=(Fraction(8),), frame_sizes=((480, 320),), seconds=(4.0, 4.0))
SIZE = (1280, 800)
WORKPLACE = (240, 90, 720, 710)  # sentence, labels, video, timeline, buttons; without the lists at both sides
# Where the picture is in the window: left, top, width, height. It is shown at most at its own size.
PICTURE_JS = """
() => {
  const canvas = document.querySelector('.lsf-video-canvas canvas'), at = canvas.getBoundingClientRect();
  const {videoWidth: w, videoHeight: h} = document.querySelector('video');
  const zoom = Math.min(1, at.width / w, at.height / h);
  return [at.left + (at.width - w * zoom) / 2, at.top + (at.height - h * zoom) / 2, w * zoom, h * zoom];
}
"""
# Label Studio builds the page anew after Submit.
LOADED_JS = "() => document.querySelector('video')?.readyState >= 2 && document.querySelector('.lsf-keypoints__point')"
TUBES_JS = """
() => window.Htx.annotationStore.selected.regionStore.regions
  .filter(region => region.type === 'videorectangleregion').map(region => region.cleanId)
"""


@dataclass(frozen=True)
class Choice:
    """A rendered scene; ``frame`` (from 1) is one on which its object is clear."""

    number: int
    frame: int
    difficulty: Difficulty = "medium"
    sentence: str = ""


CHOICES = {
    "end": Choice(523, 13, "easy"),
    "follow": Choice(506, 12, sentence="the red ring that moves left"),
    "ask": Choice(514, 9, sentence="the purple ring that moves left"),
    "draw": Choice(511, 13, "easy"),
}


@dataclass
class Place:
    """The project's tasks and a browser that labels them."""

    browser: Browser
    server: LabelStudioServer
    project: int

    def open(self, task: int, *, mouse: bool = True, auto: bool = False, select: bool = False) -> LabellingPage:
        context = self.browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
        if mouse:
            show_mouse(context)
        tab = LabellingPage(context.new_page(), self.server.url)
        tab.log_in(self.server.username, self.server.password)
        tab.open(self.project, task)
        if auto:
            tab.auto_annotation()
        if select:
            tab.select_what_is_drawn()
        return tab


def render(folder: Path, name: str) -> DemoClip:
    choice = CHOICES[name]
    rng = np.random.default_rng(SPLIT_SEEDS["demo"] + choice.number)
    scene = sample_scene(rng, difficulty=choice.difficulty, world=WORLD)
    path = write_clip(folder / f"{name}.mp4", scene)
    return DemoClip(path, scene.query, float(scene.fps), scene.n_frames, scene_truth(scene))


def middle(found: Locator) -> tuple[float, float]:
    box = found.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def label(page: Page, name: str) -> tuple[float, float]:
    return middle(page.locator(".lsf-label", has_text=name).first)


def tubes(page: Page) -> list[str]:
    return list(page.evaluate(TUBES_JS))


def true_box(page: Page, clip: DemoClip, frame: int) -> Box:
    """Where the object is in the window, with a small border; ``frame`` from 1."""
    assert clip.truth is not None
    left, top, width, height = page.evaluate(PICTURE_JS)
    x1, y1, x2, y2 = clip.truth.boxes[frame - 1 - clip.truth.start_frame].tolist()
    return Box(left + x1 * width - 3, top + y1 * height - 3, left + x2 * width + 3, top + y2 * height + 3)


def submit(tab: LabellingPage, film: Film) -> None:
    film.click(*middle(tab.page.locator("button", has_text="Submit")), length_ms=300)
    tab.page.locator("button", has_text="Update").wait_for()
    tab.page.wait_for_function(LOADED_JS)
    film.shoot(300)


def move_an_end(tab: LabellingPage, frame: int, frames: int) -> Film:
    """The right end of Match is dragged in by so many frames."""
    go_to_frame(tab, frame)
    film = Film(tab.page, WORKPLACE)
    shown = tab.page.evaluate(RANGE_JS)
    (x, y), step = shown["last"], on_ruler(tab.page, 2)[0] - on_ruler(tab.page, 1)[0]
    film.drag((x, y), (x - frames * step, y))
    submit(tab, film)
    return film


def ask_again(tab: LabellingPage, sentence: str, frame: int) -> Film:
    """Another sentence is typed; its tube appears, and is looked at on another frame."""
    go_to_frame(tab, frame)
    film = Film(tab.page, WORKPLACE)
    film.click(*middle(tab.page.get_by_placeholder("Another sentence")))
    film.type(sentence)
    with tab.asking():
        tab.page.keyboard.press("Enter")
        film.shoot(300)
    film.shoot(1500)
    look_at(tab, film, frame - 4, frame - 2)
    submit(tab, film)
    return film


def draw_and_follow(tab: LabellingPage, clip: DemoClip, frame: int) -> Film:
    """The tube is deleted, a box drawn, its label clicked; the tube is looked at on other frames."""
    film = Film(tab.page, WORKPLACE)
    (wrong,) = tubes(tab.page)
    film.click(on_ruler(tab.page, frame)[0], line(tab.page, wrong)["y"], length_ms=200)
    tab.await_frame(frame)
    film.shoot(1200)
    tab.delete(wrong)
    film.shoot(1000)
    box = true_box(tab.page, clip, frame)
    film.drag((box.x1, box.y1), (box.x2, box.y2))
    with tab.asking():
        film.click(*label(tab.page, "Target"), length_ms=300)
    film.shoot(1500)
    look_at(tab, film, frame - 3, frame + 4)
    submit(tab, film)
    return film


def look_at(tab: LabellingPage, film: Film, *frames: int) -> None:
    """Frames are clicked on the timeline, one after the other."""
    for frame in frames:
        film.click(*on_ruler(tab.page, frame))
        tab.await_frame(frame)
        film.shoot(800)


def shoot_tube(tab: LabellingPage, frame: int, path: Path) -> None:
    """The whole page as it opens, with a suggestion, in the middle of it."""
    tab.go_to_frame(frame)
    tab.page.mouse.move(0, 0)
    rest(tab.page)
    tab.page.screenshot(path=path)
    shrink(path)


def shoot_followed(tab: LabellingPage, clip: DemoClip, frame: int, sentence: str, path: Path) -> None:
    """The whole page after a drawn box was followed and another sentence asked; the further tube is selected."""
    (suggested,) = tubes(tab.page)
    go_to_frame_on_line(tab, suggested, frame)
    tab.delete(suggested)
    tab.draw(true_box(tab.page, clip, frame))
    with tab.asking():
        tab.choose_label("Target")
    known = tubes(tab.page)
    with tab.asking():
        tab.type_sentence(sentence)
    (further,) = set(tubes(tab.page)) - set(known)
    go_to_frame_on_line(tab, further, frame + 3)
    tab.page.mouse.move(0, 0)
    rest(tab.page)
    tab.page.screenshot(path=path)
    shrink(path)


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder)
        (root / "videos" / "clips").mkdir(parents=True)
        clips = [render(root / "videos" / "clips", name) for name in CHOICES]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        server = LabelStudioServer(LABEL_STUDIO, root / "label-studio", document_root=root / "videos")
        stack = Stack(root / "stvg", server, document_root=root / "videos")
        with server, stack, LabelStudioClient(server.url, server.token) as client:
            project = connect(client, stack, root / "videos", clips, title="Shapes")
            database = Database(stack.database_url)
            preannotate(client, database, stack, project)
            database.close()
            place = Place(browser, server, project.id)
            task = {clip.path.stem: number for number, clip in project.tasks.items()}
            clip = {clip.path.stem: clip for clip in clips}
            shoot_tube(place.open(task["end"], mouse=False), CHOICES["end"].frame, out / "label-studio-tube.png")
            shoot_followed(
                place.open(task["follow"], mouse=False, auto=True, select=True), clip["follow"],
                CHOICES["follow"].frame, CHOICES["follow"].sentence, out / "label-studio-follow.png",
            )  # fmt: skip
            move_an_end(place.open(task["end"]), CHOICES["end"].frame, 4).save(out / "annotating-end.webp")
            ask_again(
                place.open(task["ask"], auto=True), CHOICES["ask"].sentence, CHOICES["ask"].frame
            ).save(out / "annotating-ask.webp")  # fmt: skip
            draw_and_follow(
                place.open(task["draw"], auto=True, select=True), clip["draw"], CHOICES["draw"].frame
            ).save(out / "annotating-draw.webp")  # fmt: skip
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
