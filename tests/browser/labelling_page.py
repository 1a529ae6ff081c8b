"""Label Studio's labelling page as a person sees and uses it, driven through Chromium.

Where a box is drawn is asked of Konva, which draws it; where the object is, is read from the pixels below it.
All positions are in pixels of the browser window.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Page

from tests.browser.actions import ACTIONS
from tests.browser.box import Box
from tests.browser.labelling_js import (
    ANSWERED_JS,
    DRAWN_AT_JS,
    DRAWN_JS,
    GONE_JS,
    KEPT_JS,
    RED_JS,
    REGIONS_JS,
    SELECTED_JS,
    SETTLED_JS,
    SOUGHT_JS,
)
from tests.browser.waiting import PATIENCE_MS, rest, until

log = logging.getLogger(__name__)


class LabellingPage:
    """One browser tab.

    Attributes:
        actions: what the person has done so far, counted as in ``tests/browser/actions.py``.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.actions = 0
        page.set_default_timeout(PATIENCE_MS)

    def log_in(self, username: str, password: str) -> None:
        self.page.goto(f"{self.url}/user/login/")
        self.page.fill("#email", username)
        self.page.fill("#password", password)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(lambda address: "login" not in address)

    def open(self, project_id: int, task_id: int) -> None:
        """Open a task and wait until its video shows its first frame."""
        self.page.goto(f"{self.url}/projects/{project_id}/data?task={task_id}")
        self.page.wait_for_selector(".lsf-frames-control")
        self.page.wait_for_function("() => (window.Konva?.stages ?? []).length > 0")
        self.page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")
        self.page.wait_for_function("() => !/of (0|1)$/.test(document.querySelector('.lsf-frames-control').innerText)")

    @contextmanager
    def takes(self, correction: str) -> Iterator[None]:
        """What happens inside is that row of the table of actions, and needs as many as it says.

        The seconds go into the log, for the same table: ``-o log_cli=true --log-cli-level=INFO`` shows them.
        """
        before, began = self.actions, time.monotonic()
        yield
        log.info("%s: %.1f s", correction, time.monotonic() - began)
        assert self.actions - before == ACTIONS[correction], correction

    def go_to_frame(self, frame: int) -> None:
        """Click the frame counter three times and type the frame's number (1-based), as a person does."""
        self.show(frame, self._type)
        self.actions += 2

    def show(self, frame: int, go: Callable[[int], None]) -> None:
        """Go to a frame, and again where it was lost.

        Label Studio builds its controls anew while a task opens; what is typed or clicked at that moment goes nowhere.
        The number that the counter shows already makes it draw nothing, also where the canvas is behind: then another
        frame is asked for first.
        """

        def arrived() -> bool:
            if str(self.page.inner_text(".lsf-frames-control")).split()[:1] == [str(frame)]:
                go(frame - 1 or 2)
            go(frame)
            return self._shows(frame)

        until(f"frame {frame} is shown", arrived)

    def await_frame(self, frame: int) -> None:
        """Wait until the page shows the frame that it was brought to."""
        until(f"frame {frame} is shown", lambda: self._shows(frame))

    def _shows(self, frame: int) -> bool:
        """Whether the page shows that frame when it has come to rest."""
        for _ in range(2):  # what was there before may fit by chance: the page comes to rest in between
            self.page.wait_for_function(SOUGHT_JS, polling=100)
            rest(self.page)
            if not self.page.evaluate(SETTLED_JS, str(frame)):
                return False
        return True

    def _type(self, frame: int) -> None:
        # Three times, so that the number is selected: what is typed after one click stands behind the old one.
        self.page.locator(".lsf-frames-control").click(click_count=3, position={"x": 30, "y": 10})
        self.page.wait_for_selector(".lsf-frames-control input")
        self.page.keyboard.type(str(frame))
        self.page.keyboard.press("Enter")
        rest(self.page)

    def drawn(self, region_id: str) -> Box | None:
        """Where the region's box is drawn now, None when it is not."""
        boxes = self.page.evaluate(DRAWN_JS, region_id)
        assert len(boxes) <= 1, f"region {region_id} is drawn {len(boxes)} times"
        return Box(*boxes[0]) if boxes else None

    def red_object(self) -> Box | None:
        """Where the picture is red now."""
        found = self.page.evaluate(RED_JS)
        return Box(*found) if found else None

    def drag(self, region_id: str, right: float, down: float) -> None:
        """Take the box by its middle and move it."""
        box = self.drawn(region_id)
        assert box is not None, "there is no box to drag on this frame"
        x, y = box.centre
        self._pull((x, y), (x + right / 2, y + down / 2), (x + right, y + down))
        wanted = [box.x1 + right, box.y1 + down, box.x2 + right, box.y2 + down]
        self.page.wait_for_function(DRAWN_AT_JS, arg=[region_id, wanted])
        rest(self.page)
        self.actions += 1

    def _pull(self, start: tuple[float, float], *stations: tuple[float, float]) -> None:
        """Press the mouse button at the start, let go at the last station; the page takes in each step."""
        mouse = self.page.mouse
        mouse.move(*start)
        rest(self.page)
        mouse.down()
        rest(self.page)
        for station in stations:
            mouse.move(*station, steps=4)
            rest(self.page)
        mouse.up()
        rest(self.page)

    def auto_annotation(self) -> None:
        """Switch on that the page asks the backend."""
        self.page.get_by_text("Auto-Annotation", exact=True).click()
        self.actions += 1

    def select_what_is_drawn(self) -> None:
        """Switch on "Select region after creating it" in the settings of the page; the browser keeps it."""
        setting = self.page.get_by_text("Select region after creating it")

        def kept() -> bool:
            # Label Studio builds the page anew while a task opens: a click at that moment goes nowhere.
            if self.page.evaluate(KEPT_JS):
                return True
            if not setting.is_visible():
                self.page.get_by_test_id("bottombar-settings-button").click()
            setting.click()
            rest(self.page)
            return bool(self.page.evaluate(KEPT_JS))

        until("the setting is kept", kept)
        self.page.keyboard.press("Escape")
        setting.wait_for(state="hidden")
        self.actions += 3

    def draw(self, box: Box) -> str:
        """Draw a box with the mouse; returns the new region's id."""
        before = set(self.page.evaluate(REGIONS_JS))
        self._pull((box.x1, box.y1), box.centre, (box.x2, box.y2))
        self.actions += 1
        self.page.wait_for_function(f"known => ({REGIONS_JS})().some(id => !known.includes(id))", arg=list(before))
        (new,) = set(self.page.evaluate(REGIONS_JS)) - before
        return str(new)

    def click(self, box: Box) -> None:
        """Click into the middle of a box, which selects its region."""
        self.page.mouse.click(*box.centre)
        self.actions += 1
        self.page.wait_for_function(SELECTED_JS, arg=True)
        rest(self.page)

    def delete(self, region_id: str) -> None:
        """Press the key that deletes what is selected."""
        self.page.keyboard.press("Backspace")
        self.page.wait_for_function(GONE_JS, arg=region_id)
        rest(self.page)
        self.actions += 1

    def said_of_regions(self) -> list[str]:
        """What the list of regions says below them, in order; nothing can be typed there."""
        fields = self.page.get_by_test_id("textarea-region-item").locator("textarea, input")
        assert all(field.get_attribute("readonly") is not None for field in fields.all())
        assert not any(form.is_visible() for form in self.page.get_by_test_id("textarea-region-form").all())
        return [field.input_value() for field in fields.all()]

    def unselect(self) -> None:
        self.page.keyboard.press("Escape")
        self.actions += 1
        self.page.wait_for_function(SELECTED_JS, arg=False)
        rest(self.page)

    def choose_label(self, label: str) -> None:
        self.page.locator(".lsf-label", has_text=label).first.click()
        self.actions += 1

    def type_sentence(self, sentence: str) -> None:
        """Type into the field for another sentence and press Enter."""
        field = self.page.get_by_placeholder("Another sentence")
        field.fill(sentence)
        field.press("Enter")
        self.actions += 1

    @contextmanager
    def asking(self) -> Iterator[None]:
        """What happens inside asks the backend; ends when its answer is on the page."""
        with self.page.expect_response(lambda response: "interactive-annotating" in response.url) as reply:
            yield
        assert reply.value.ok, f"{reply.value.status}: {reply.value.text()[:300]}"
        boxes = [
            (region["id"], len(region["value"]["sequence"]))
            for region in reply.value.json()["data"]["result"]
            if region["type"] == "videorectangle"
        ]
        self.page.wait_for_function(ANSWERED_JS, arg=boxes)
        rest(self.page)

    def submit(self) -> int:
        """Press Submit; returns the new annotation's number. The page has it then, and offers to update it."""
        number = self._send("Submit", "POST")
        self.page.locator("button", has_text=re.compile("^Update$")).wait_for()
        rest(self.page)
        return number

    def update(self) -> int:
        """Press Update, which stands where Submit was; returns the annotation's number."""
        return self._send("Update", "PATCH")

    def _send(self, button: str, method: str) -> int:
        def is_submission(response: object) -> bool:
            request = response.request  # type: ignore[attr-defined]
            return request.method == method and "/annotations" in request.url and "/api/" in request.url

        with self.page.expect_response(is_submission) as reply:
            self.page.locator("button", has_text=re.compile(f"^{button}$")).click()
        self.actions += 1
        return int(reply.value.json()["id"])
