"""The page of one task in a real browser: boxes, pictures and strips, over a real app with a real video."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from backend.db import predictions
from backend.db.tables import Prediction, Task
from backend.http.stills import Stills, StillsBusy
from backend.http.thumbnails import SIDE
from stvg_core.method.evidence import Rows
from stvg_core.times import pack_times
from stvg_core.tube import Array, VideoInfo
from tests.browser.review_page import ReviewPage
from tests.browser.review_site import CORRECTED_END, DOWN, END, FPS, PASSWORD, RIGHT, START, Site, close
from tests.browser.waiting import rest
from tests.e2e.painted_clip import N_FRAMES, paint_clip
from tests.review.labelled import a_suggestion, a_task, evidence
from tests.review.test_compare import another

pytestmark = pytest.mark.browser


def test_boxes_lie_where_they_belong_on_every_frame(reviewer: ReviewPage, site: Site) -> None:
    """The suggestion is the square's true place, so the pixels of the picture say whether the frame is right."""
    reviewer.item(site.painted)
    reviewer.shows(START)
    for frame in (START, 19, 27, 33, END, 25):
        reviewer.go_to(frame)
        drawn, red = reviewer.drawn(), reviewer.red()
        assert close(drawn["suggestion"], red), f"frame {frame}: drawn {drawn['suggestion']}, seen {red}"
        assert close(drawn["correction"], [red[0] + RIGHT, red[1] + DOWN, red[2] + RIGHT, red[3] + DOWN]), frame
    reviewer.go_to(CORRECTED_END)
    assert reviewer.drawn().keys() == {"correction"}
    reviewer.go_to(CORRECTED_END + 1)
    assert reviewer.drawn() == {}
    reviewer.go_to(N_FRAMES - 1)
    reviewer.go_to(0)


def test_the_correction_is_a_solid_line_in_its_colour(reviewer: ReviewPage, site: Site) -> None:
    reviewer.item(site.painted)
    reviewer.go_to(30)
    x1, y1, x2, y2 = reviewer.drawn()["correction"]
    blue, orange = reviewer.colour("--correction-drawn"), reviewer.colour("--suggestion-drawn")
    edge = [reviewer.pixel(x2, y1 + share * (y2 - y1)) for share in np.linspace(0.3, 0.95, 30)]
    assert all(close(pixel[:3], blue, 40) for pixel in edge), "solid"
    x1, y1, x2, y2 = reviewer.drawn()["suggestion"]
    edge = [reviewer.pixel(x1, y1 + share * (y2 - y1)) for share in np.linspace(0.05, 0.9, 60)]
    dashes = [close(pixel[:3], orange, 40) for pixel in edge]
    assert any(dashes) and not all(dashes), "dashed"
    reviewer.page.keyboard.press("s")
    assert reviewer.drawn().keys() == {"correction"}
    reviewer.page.keyboard.press("c")
    assert reviewer.drawn() == {} and reviewer.pixel(x2, (y1 + y2) / 2)[3] == 0
    reviewer.page.keyboard.press("s")
    assert reviewer.drawn().keys() == {"suggestion"}


def test_step_play_and_the_strips_follow(reviewer: ReviewPage, site: Site) -> None:
    reviewer.item(site.painted)
    reviewer.go_to(20)
    for key, frame in ((".", 21), (".", 22), (",", 21), ("ArrowRight", 31), ("ArrowLeft", 21)):
        reviewer.page.keyboard.press(key)
        reviewer.shows(frame)
        assert close(reviewer.drawn()["suggestion"], reviewer.red()), frame
    before = reviewer.page.locator(".cursor").bounding_box()
    # Slowly, so that the video is not at its end before anybody looks.
    reviewer.page.evaluate("document.querySelector('#video').playbackRate = 0.1")
    reviewer.page.keyboard.press(" ")
    reviewer.page.wait_for_function("() => Number(document.querySelector('#overlay').dataset.frame) > 27")
    reviewer.page.keyboard.press(" ")
    reviewer.page.wait_for_selector("#item[data-playing=no]")
    frame = reviewer.frame
    reviewer.shows(frame)
    if frame <= END:
        assert close(reviewer.drawn()["suggestion"], reviewer.red()), "still in step after playing"
    after, plot = reviewer.page.locator(".cursor").bounding_box(), reviewer.page.locator(".scrub").bounding_box()
    assert before is not None and after is not None and plot is not None and after["x"] > before["x"]
    where = (after["x"] + after["width"] / 2 - plot["x"]) / plot["width"] * N_FRAMES
    assert where == pytest.approx(frame + 0.5, abs=0.3)


def test_a_click_on_a_strip_seeks(reviewer: ReviewPage, site: Site) -> None:
    reviewer.item(site.painted)
    reviewer.page.locator(".scrub").scroll_into_view_if_needed()
    reviewer.shows(START)
    plot = reviewer.page.locator(".scrub").bounding_box()
    assert plot is not None
    mouse, middle = reviewer.page.mouse, plot["y"] + plot["height"] / 2
    mouse.move(plot["x"] + (24.5 / N_FRAMES) * plot["width"], middle)
    rest(reviewer.page)
    mouse.down()
    reviewer.shows(24)
    mouse.move(plot["x"] + (36.5 / N_FRAMES) * plot["width"], middle, steps=5)
    rest(reviewer.page)
    mouse.up()
    reviewer.shows(36)
    assert reviewer.page.locator(".strip-value").last.text_content() != "–", "the IoU of this frame"
    reviewer.page.locator(".map").nth(1).click()
    reviewer.shows(15)


def test_a_picture_that_the_browser_says_nothing_of_is_asked_for_again(reviewer: ReviewPage, site: Site) -> None:
    """Else the boxes of the frame before would lie over it."""
    reviewer.page.add_init_script("""
        const request = HTMLVideoElement.prototype.requestVideoFrameCallback;
        window.unsaid = 1;
        HTMLVideoElement.prototype.requestVideoFrameCallback = function (call) {
          return request.call(this, (now, facts) => {
            if (!window.unsaid) return call(now, facts);
            window.unsaid -= 1;
            return this.requestVideoFrameCallback(call);
          });
        };
    """)
    reviewer.item(site.painted)
    assert reviewer.page.evaluate("window.unsaid") == 0, "not even of the first one"
    reviewer.go_to(20)
    for frame, unsaid in ((30, 1), (22, 2), (40, 1)):
        reviewer.page.evaluate("number => { window.unsaid = number; }", unsaid)
        reviewer.go_to(frame)
        assert reviewer.page.evaluate("window.unsaid") == 0
        assert close(reviewer.drawn()["suggestion"], reviewer.red()), frame


def test_single_pictures_are_the_same_frames(reviewer: ReviewPage, site: Site) -> None:
    reviewer.item(site.painted)
    reviewer.go_to(26)
    reviewer.page.keyboard.press("f")
    reviewer.page.wait_for_function("() => document.querySelector('#picture').naturalWidth > 0")
    reviewer.page.keyboard.press(".")
    reviewer.shows(27)
    assert close(reviewer.drawn()["suggestion"], reviewer.red())
    reviewer.page.keyboard.press(" ")
    reviewer.page.wait_for_function("() => Number(document.querySelector('#overlay').dataset.frame) > 29")
    reviewer.page.keyboard.press(" ")
    reviewer.page.keyboard.press("f")
    reviewer.go_to(28)
    assert close(reviewer.drawn()["suggestion"], reviewer.red()), "back to the video"


def test_pictures_are_asked_for_again_while_the_server_is_busy(
    reviewer: ReviewPage, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, refused = Stills.picture, set[tuple[int, int]]()

    def busy_once(stills: Stills, info: VideoInfo, number: int, side: int) -> Array:
        if side != SIDE and (number, side) not in refused:  # those of the list have an answer of their own
            refused.add((number, side))
            raise StillsBusy
        return decoded(stills, info, number, side)

    monkeypatch.setattr(Stills, "picture", busy_once)
    reviewer.item(site.painted)
    maps = reviewer.page.locator(".map img")
    for number in range(maps.count()):
        maps.nth(number).scroll_into_view_if_needed()
    reviewer.page.wait_for_function("() => [...document.querySelectorAll('.map img')].every(one => one.naturalWidth)")
    reviewer.go_to(26)
    reviewer.page.keyboard.press("f")
    reviewer.page.wait_for_function("() => document.querySelector('#picture').naturalWidth > 0")
    assert close(reviewer.drawn()["suggestion"], reviewer.red())
    assert len(refused) > maps.count() > 0
    assert len(reviewer.complaints) >= len(refused) and all("503" in said for said in reviewer.complaints)
    reviewer.complaints.clear()


def test_the_highest_bar_is_the_chosen_track(reviewer: ReviewPage, site: Site) -> None:
    """The first track has more attention; the proposer's confidence decided. Bars and mark are in one scale."""
    found, still = evidence(), np.zeros((1, 6, 2, 3), np.float16)
    found = replace(
        found, track_scores=np.array([0.8, 0.5]), rows=Rows(still, still, still), seen=found.track_boxes,
        proposer_scores=np.array([0.1, 0.9]), ends=np.zeros((2, 2), np.int64),
        end_boxes=np.zeros((2, 2, 4), np.float32),
    )  # fmt: skip
    with site.database.write() as session:
        row = predictions.newest(session, site.painted)
        assert row is not None
        row.evidence, row.evidence_info = found.to_bytes(), {**found.info, "choice_weight": 1.0}
    reviewer.item(site.painted)
    tracks, bars = reviewer.page.locator(".track"), reviewer.page.locator(".track .bar-value")
    assert tracks.all_text_contents() == ["Track 20.450chosen", "Track 10.080"]
    widths = [float(bar.get_attribute("width") or 0) for bar in bars.all()]
    assert widths == pytest.approx([100 * 0.45 / 0.8, 10])
    marks = [float(mark.get_attribute("x") or 0) for mark in reviewer.page.locator(".bar-mark").all()]
    assert marks == pytest.approx([100 * 0.5 / 0.8 - 1, 99])
    expect(reviewer.page.locator("#tracks p")).to_contain_text("× the proposer’s confidence. The highest is chosen.")


def test_frames_are_counted_from_1_for_people(reviewer: ReviewPage, site: Site) -> None:
    """As on Label Studio's page; the addresses and the database count from 0."""
    reviewer.item(site.painted)
    reviewer.go_to(0)
    expect(reviewer.page.locator("#clock")).to_contain_text(f"frame 1 / {N_FRAMES} · 0.00 s")
    assert reviewer.page.evaluate("document.querySelector('#seek').ariaValueText") == "frame 1"
    reviewer.go_to(N_FRAMES - 1)
    expect(reviewer.page.locator("#clock")).to_contain_text(f"frame {N_FRAMES} / {N_FRAMES}")
    cell = reviewer.page.locator(".map").first
    assert (cell.get_attribute("data-frame"), cell.get_attribute("aria-label")) == ("5", "Go to frame 6")
    assert cell.text_content() == "6"
    facts = reviewer.page.locator("dt", has_text="Frames").locator("xpath=following-sibling::dd[1]")
    expect(facts).to_have_text(f"{START + 1} to {END + 1}")


def test_pointing_at_a_track_shows_it(reviewer: ReviewPage, site: Site) -> None:
    reviewer.item(site.painted)
    reviewer.go_to(15)
    assert reviewer.page.locator(".track.chosen").text_content() == "Track 20.800chosen"
    reviewer.page.locator(".track").nth(1).hover()
    assert close(reviewer.drawn()["track"], [0.1, 0.2, 0.3, 0.5], 1e-3)
    assert reviewer.page.locator(".plot-curve").get_attribute("data-track") == "0"
    reviewer.page.mouse.move(5, 5)
    assert "track" not in reviewer.drawn()
    reviewer.page.get_by_text("temporal", exact=True).click()
    assert reviewer.page.locator("#maps").get_attribute("data-kind") == "temporal"


def test_a_file_that_the_browser_cannot_play(chromium: Browser, site: Site, tmp_path: Path) -> None:
    """The page goes on with single pictures: MPEG-4 part 2 in AVI."""
    path = tmp_path / "videos" / "clips" / "old.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for frame in av.open(str(tmp_path / "videos" / "clips" / "clip.mp4")).decode(video=0):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"))))
        container.mux(stream.encode(None))
    with site.database.write() as session:
        task = a_task(session, 21, query="the old one", name="old.avi")
        boxes = paint_clip(tmp_path / "again.mp4", FPS).boxes
        a_suggestion(session, task, file=path, fps=FPS, keyframes=[[f, *boxes[f].tolist()] for f in range(START, END)])
        number = task.id
    context = chromium.new_context()
    tab = ReviewPage.open(context.new_page(), site.url)
    tab.log_in("rita", PASSWORD)
    tab.item(number)
    expect(tab.page.locator("#viewer-notice")).to_contain_text("cannot play")
    tab.go_to(30)
    tab.page.wait_for_function("() => document.querySelector('#picture').complete")
    assert close(tab.drawn()["suggestion"], tab.red(), 0.02)
    context.close()


@pytest.mark.parametrize("known", [True, False])
def test_a_variable_rate(chromium: Browser, site: Site, tmp_path: Path, known: bool) -> None:
    """With its frames' times stored the playing video is exact, and the clock shows them; else neither is claimed."""
    path = tmp_path / "videos" / "clips" / "uneven.mp4"
    times = [frame * 0.05 + (3.0 if frame >= 20 else 0.0) + 0.02 * (frame % 3) for frame in range(N_FRAMES)]
    boxes = write_uneven(tmp_path / "videos" / "clips" / "clip.mp4", path, times)
    with site.database.write() as session:
        task = a_task(session, 22, query="the uneven one", name="uneven.mp4")
        a_suggestion(
            session, task, file=path, fps=Fraction(59 * 1000, round(times[-1] * 1000)), variable=True,
            keyframes=[[f, *boxes[f].tolist()] for f in range(START, END)],
            times=pack_times(np.array(times)) if known else None,
        )  # fmt: skip
        number = task.id
    context = chromium.new_context()
    tab = ReviewPage.open(context.new_page(), site.url)
    tab.log_in("rita", PASSWORD)
    tab.item(number)
    clock, notice = tab.page.locator("#clock"), tab.page.locator("#viewer-notice")
    if known:
        for frame in (START, 19, 20, 21, 33, END - 1):
            tab.go_to(frame)
            assert close(tab.drawn()["suggestion"], tab.red(), 0.02), frame
            expect(clock).to_have_text(f"frame {frame + 1} / {N_FRAMES} · {times[frame]:.2f} s")
        expect(notice).to_be_hidden()
    else:
        expect(notice).to_contain_text("stvg sync")
        expect(clock).to_have_text(re.compile(rf"^frame \d+ / {N_FRAMES}$"))
    context.close()


def write_uneven(source: Path, path: Path, times: list[float]) -> np.ndarray:
    """The clip again with these times; returns the square's true boxes."""
    with av.open(str(source)) as inner, av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"crf": "12", "g": "10", "threads": "1"}
        for second, frame in zip(times, inner.decode(video=0), strict=True):
            again = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")
            again.pts, again.time_base = round(second * 1000), Fraction(1, 1000)
            container.mux(stream.encode(again))
        container.mux(stream.encode(None))
    return np.asarray(paint_clip(path.with_name("truth.mp4"), FPS).boxes)


def test_the_frame_to_check_is_shown_by_key_by_link_and_by_address(reviewer: ReviewPage, site: Site) -> None:
    reviewer.item(site.other, "#frame=31")
    reviewer.shows(30)
    reviewer.page.keyboard.press("w")
    reviewer.shows(START)
    reviewer.go_to(5)
    reviewer.page.get_by_role("link", name=f"Frame {START + 1} w").click()
    reviewer.shows(START)
    assert reviewer.page.url.endswith(f"#frame={START + 1}")


def test_two_versions_and_what_differs_stand_on_the_time_strip(reviewer: ReviewPage, site: Site) -> None:
    with site.database.write() as session:
        task = session.get_one(Task, site.painted)
        (first,) = session.query(Prediction).where(Prediction.model_version == "m@1/0", Prediction.query == task.query)
        another(session, task, first, "m@2/0", keyframes=first.keyframes[4:], start_frame=START + 4)
    reviewer.item(site.painted)
    page = reviewer.page
    kinds = page.locator(".plot-intervals rect").evaluate_all("all => all.map(one => one.dataset.name)")
    assert kinds == ["suggestion", "correction", "version-a", "version-b"]
    expect(page.locator('[data-whose="versions"] rect')).to_have_attribute("x", str(START))
    expect(page.locator('[data-whose="versions"] rect')).to_have_attribute("width", "4")
    page.locator("#apart summary").click()
    page.locator("#apart-list a").last.click()
    reviewer.shows(START)
    page.get_by_role("checkbox", name="B: m@1/0").check()
    assert set(reviewer.drawn()) == {"suggestion", "correction", "version-b"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window(chromium: Browser, site: Site, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    tab = ReviewPage.open(context.new_page(), site.url)
    tab.log_in("rita", PASSWORD)
    for path in ("", "work", "bulk?below=1"):
        tab.queue(path)
        assert tab.overflows() <= 0
    for task in (site.painted, site.other):
        tab.item(task)
        assert tab.overflows() <= 0
        bar = tab.page.locator(".deciding").bounding_box()
        assert bar is not None and bar["y"] + bar["height"] == pytest.approx(844, abs=1), "sticks to the bottom"
        expect(tab.page.get_by_role("button", name="Accept")).to_be_in_viewport()
        form, maps = (tab.page.locator(name).bounding_box() for name in ("#why", "#maps"))
        assert form is not None and maps is not None and form["y"] < maps["y"], "the decision before the heat maps"
    tab.page.goto(f"{site.url}/review/tasks/{site.failed}")
    assert tab.overflows() <= 0
    context.close()
    assert tab.complaints == []
