"""The timeline of Label Studio's labelling page under a real mouse: its ruler, the lines of its regions, their ends.

Frames count from 1, as on the page. All positions are in pixels of the browser window.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.browser.labelling_js import SELECTED_JS
from tests.browser.labelling_page import LabellingPage
from tests.browser.waiting import rest

# Where a frame stands on the ruler, above the lines; null where the timeline does not show it.
RULER_JS = """
frame => {
  const timeline = document.querySelector('.lsf-timeline-frames'), style = getComputedStyle(timeline);
  const scroll = timeline.querySelector('.lsf-timeline-frames__scroll'), shown = scroll.getBoundingClientRect();
  const [step, labels] = ['--frame-size', '--offset'].map(name => parseFloat(style.getPropertyValue(name)));
  const x = shown.left + labels + (frame - 0.5) * step - scroll.scrollLeft;
  const lines = timeline.querySelector('.lsf-timeline-frames__filler').getBoundingClientRect();
  return x < shown.left + labels || x > shown.right ? null : [x, (shown.top + lines.top) / 2];
}
"""
# The middle of a region's line, and of its keyframes in order.
LINE_JS = """
([regionId, keyframes]) => {
  const line = document.querySelector(`.lsf-keypoints[data-id='${regionId}']`);
  const middle = element => {
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const points = [...line?.querySelectorAll('.lsf-keypoints__point') ?? []].map(middle);
  return points.length >= keyframes && {y: middle(line)[1], points};
}
"""
# The range has a line of its own; its two points are its handles.
RANGE_JS = """
() => {
  const lane = document.querySelector('.lsf-keypoints_timeline');
  const middle = element => {
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const points = [...lane.querySelectorAll('.lsf-keypoints__point')].map(middle);
  const width = lane.querySelector('.lsf-keypoints__lifespan').getBoundingClientRect().width;
  return {last: points[points.length - 1], width};
}
"""
KEYFRAMES_JS = """
([regionId, count]) => window.Htx.annotationStore.selected.regionStore.regions
  .some(region => region.cleanId === regionId && region.sequence.length === count)
"""
# Neither of the two buttons before the hops has a name; the first sets the keyframe of the selected region or takes it.
KEYFRAME_BUTTON = "//button[@aria-label='Hop backward']/../preceding-sibling::*[1]/button[1]"


def go_to_frame(tab: LabellingPage, frame: int) -> None:
    """Click the frame on the ruler."""
    tab.show(frame, lambda number: tab.page.mouse.click(*on_ruler(tab.page, number)))
    tab.actions += 1


def go_to_frame_on_line(tab: LabellingPage, region_id: str, frame: int) -> None:
    """Click the frame on a region's line: the page goes there and the region is selected."""
    y = line(tab.page, region_id)["y"]
    tab.page.mouse.click(on_ruler(tab.page, frame)[0], y)
    tab.page.wait_for_function(SELECTED_JS, arg=True)
    tab.actions += 1
    tab.await_frame(frame)


def delete_keyframe(tab: LabellingPage, region_id: str, place: int) -> None:
    """Click a keyframe's diamond, then the diamond of the controls; ``place`` counts a region's keyframes from 0."""
    points = line(tab.page, region_id, keyframes=place + 1)["points"]
    tab.page.mouse.click(*points[place])
    tab.page.wait_for_function(SELECTED_JS, arg=True)
    rest(tab.page)
    tab.page.click(KEYFRAME_BUTTON)
    tab.page.wait_for_function(KEYFRAMES_JS, arg=[region_id, len(points) - 1])
    tab.actions += 2


def drag_range_end(tab: LabellingPage, length: int, frames: int) -> None:
    """Take the handle at the end of the range and move it by so many frames; ``length`` is the range's."""
    tab.page.wait_for_selector(".lsf-keypoints_timeline .lsf-keypoints__point_last")
    shown = tab.page.evaluate(RANGE_JS)
    (x, y), step = shown["last"], shown["width"] / length
    mouse = tab.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + step * frames / 2, y, steps=4)
    mouse.move(x + step * frames, y, steps=4)
    mouse.up()
    tab.page.wait_for_function(
        f"wanted => Math.abs(({RANGE_JS})().last[0] - wanted) < {step / 2}", arg=x + step * frames
    )
    tab.actions += 1


def on_ruler(page: Page, frame: int) -> tuple[float, float]:
    """Where a frame stands on the ruler."""
    place = page.evaluate(RULER_JS, frame)
    assert place is not None, f"the timeline does not show frame {frame}"
    return place[0], place[1]


def line(page: Page, region_id: str, keyframes: int = 1) -> dict[str, Any]:
    """Where a region's line is: ``y``, and ``points``, the middles (x, y) of its keyframes in order.

    Waits until it has so many ``keyframes``: Label Studio builds the lines anew after Submit.
    """
    found: dict[str, Any] = page.wait_for_function(LINE_JS, arg=[region_id, keyframes]).json_value()
    return found
