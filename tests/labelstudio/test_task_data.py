"""Names with dots and positions: read and written as Label Studio's page reads them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from backend.export.labelstudio import _with as exported
from backend.labelstudio.config import LabelConfigError, read_config
from backend.labelstudio.task_data import TaskDataError, read_value, with_value, without_value
from backend.labelstudio.tasks import FrameRates, write_frame_rates
from stvg_core.tube import VideoInfo
from tests.labelstudio.fake_label_studio import FakeLabelStudio

NESTED = """<View><Header value="$text.question"/><Labels name="label" toName="v"><Label value="Target"/></Labels>
<Video name="v" value="$media.url" frameRate="$media.fps"/><VideoRectangle name="box" toName="v"/></View>"""


@pytest.mark.parametrize(
    ("data", "name", "found"),
    [
        ({"a": 1}, "a", 1),
        ({"a": {"b": 2}}, "a.b", 2),
        ({"a.b": 3, "a": {"b": 2}}, "a.b", 3),  # a key that is there literally counts
        ({"a.b": None, "a": {"b": 2}}, "a.b", None),
        ({"a": [{"b": 4}]}, "a[0].b", 4),
        ({"a": [{"b": 4}]}, "a.0.b", 4),
        ({"a": {"0": {"b": 5}}}, "a[0].b", 5),
        ({"a": [[6]]}, "a[0][0]", 6),
        ({"a": "text"}, "a.b", None),
        ({"a": "text"}, "a[0]", None),
        ({"a": None}, "a.b", None),
        ({"a": [1]}, "a[1]", None),
        ({"a": {"b": 0}}, "a.b", 0),
        ({"a": {"b": 2}}, "a..b", None),
        ({}, "a", None),
        (None, "a", None),
        ({"a": 1}, None, None),
    ],
)
def test_values_are_found_where_the_page_finds_them(data: Any, name: str | None, found: object) -> None:
    assert read_value(data, name) == found


@pytest.mark.parametrize(
    ("before", "name", "after"),
    [
        ({"a": 1}, "b", {"a": 1, "b": 9}),
        ({"m": {"url": "u", "n": {"x": 1}}}, "m.fps", {"m": {"url": "u", "n": {"x": 1}, "fps": 9}}),
        ({}, "m.deep.fps", {"m": {"deep": {"fps": 9}}}),
        ({"m": None}, "m.fps", {"m": {"fps": 9}}),
        ({"m.fps": 1, "m": {"fps": 2}}, "m.fps", {"m.fps": 9, "m": {"fps": 2}}),
        ({"c": [{"u": 1}, {"u": 2}]}, "c[1].fps", {"c": [{"u": 1}, {"u": 2, "fps": 9}]}),
        ({}, "c[0].fps", {"c": [{"fps": 9}]}),
    ],
)
def test_a_value_is_written_there_and_what_lies_beside_it_stays(before: Any, name: str, after: Any) -> None:
    given = copy.deepcopy(before)
    written = with_value(given, name, 9)
    assert written == after and given == before and read_value(written, name) == 9
    assert read_value(without_value(written, name), name) is None or name in before


@pytest.mark.parametrize(("data", "name"), [({"m": "text"}, "m.fps"), ({"c": []}, "c[3].fps"), ({"c": [1]}, "c.x")])
def test_what_cannot_be_written_is_said_and_nothing_is_overwritten(data: Any, name: str) -> None:
    with pytest.raises(TaskDataError, match="cannot be written"):
        with_value(data, name, 9)


def test_an_interface_with_nested_names_is_read() -> None:
    config = read_config(NESTED)
    data = {"media": {"url": "/data/upload/1/a.mp4", "fps": "12.5"}, "text": {"question": "the red box"}}
    assert (config.video_key, config.query_key, config.frame_rate_key) == ("media.url", "text.question", "media.fps")
    assert config.video_of(data) == "/data/upload/1/a.mp4" and config.query_of(data) == "the red box"
    assert config.effective_frame_rate(data) == 12.5 and config.has_frame_rate(data)
    assert config.effective_frame_rate({"media": {"url": "x"}}) == 24 and not config.has_frame_rate({"media": "x"})


@pytest.mark.parametrize(
    ("value", "said"),
    [("$my-video", "letters"), ("$v ideo", "letters"), ("$视频", "letters"), ("$clips[{{idx}}].url", "Repeater")],
)
def test_names_that_label_studio_does_not_read_are_refused(value: str, said: str) -> None:
    with pytest.raises(LabelConfigError, match=said):
        read_config(NESTED.replace("$media.url", value))


def test_a_rate_below_one_is_the_seconds_of_a_frame() -> None:
    """Label Studio's page reads frameRate="0.04" as 25 frames per second."""
    assert read_config(NESTED).effective_frame_rate({"media": {"fps": 0.04}}) == 25
    assert read_config(NESTED.replace("$media.fps", "0.04")).frame_rate == 25
    assert "counts 2 frames" in str(read_config(NESTED).frame_rate_problem({"media": {"fps": 0.5}}, 0.5))


def _write(studio: FakeLabelStudio, data: dict[str, Any], rate: tuple[int, int] = (25, 2)) -> FrameRates:
    task = studio.add("tasks", project=1, data=data)
    info = VideoInfo("a.mp4", 64, 48, *rate, 50, 4.0, False, ())
    with studio.client() as client:
        return write_frame_rates(client, read_config(NESTED), [task], lambda task: info)


def test_the_frame_rate_is_written_beside_the_address() -> None:
    studio = FakeLabelStudio()
    assert _write(studio, {"media": {"url": "u", "id": 5}, "note": "n"}).written == 1
    [task] = studio.all("tasks")
    assert task["data"] == {"media": {"url": "u", "id": 5, "fps": 12.5}, "note": "n"}
    assert _write(studio, task["data"]).right == 1


def test_a_video_of_less_than_one_frame_per_second_cannot_be_shown_rightly() -> None:
    studio = FakeLabelStudio()
    report = _write(studio, {"media": {"url": "u"}}, (1, 2))
    assert report.written == 0 and "re-encode" in report.warnings[0] and studio.changes == []


def test_a_frame_rate_that_finds_no_place_is_said_and_changes_nothing() -> None:
    studio = FakeLabelStudio()
    report = _write(studio, {"media": "u"})
    assert report.written == 0 and "cannot be written" in report.warnings[0] and studio.changes == []


def test_an_export_loses_nothing_where_the_names_do_not_fit_the_data() -> None:
    assert exported({"media": {"id": 5}}, "media.url", "u") == {"media": {"id": 5, "url": "u"}}
    assert exported({"media": "old"}, "media.url", "u") == {"media": "old", "media.url": "u"}
