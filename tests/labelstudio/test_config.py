"""The labelling interface: ours, a team's own, and broken ones."""

from __future__ import annotations

import pytest
from defusedxml.ElementTree import fromstring

from backend.labelstudio.config import LabelConfigError, read_config
from tests.labelstudio.bodies import CONFIG, RENAMED_CONFIG

VIDEO = '<Video name="video" value="$video" frameRate="$fps"/>'
BOX = '<VideoRectangle name="box" toName="video"/>'


def test_our_interface_has_every_part_and_no_warning() -> None:
    config = read_config(CONFIG)
    assert (config.video_name, config.video_key, config.box_name) == ("video", "video", "box")
    assert config.labels[0] == "Target"
    assert config.timeline_labels == ("Match",)
    assert config.verdicts == ("correct", "wrong object", "wrong time", "absent")
    assert (config.ask_name, config.counts_name) == ("ask", "counts")
    assert config.query_key == "query" and config.frame_rate_key == "fps"
    assert config.warnings == ()
    # With a second object that has a data key Label Studio refuses uploaded videos. A Header has no name: it is none.
    named = [tag for tag in fromstring(CONFIG).iter() if tag.get("name")]
    assert [tag.tag for tag in named if "$" in tag.get("value", "")] == ["Video"]


def test_a_teams_own_names_are_found() -> None:
    config = read_config(RENAMED_CONFIG)
    assert (config.video_name, config.video_key, config.box_name) == ("clip", "movie", "who")
    assert (config.labels_name, config.labels) == ("kind", ("Person", "Thing"))
    assert (config.timeline_name, config.timeline_labels) == ("moment", ("Seen",))
    assert (config.verdict_name, config.ask_name, config.counts_name) == ("judged", "again", None)
    assert (config.query_key, config.frame_rate_key) == ("sentence", "rate")
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ('name="which" perRegion="true" displayMode="region-list" placeholder="Written by the backend"', "which"),
        ('name="counts" perRegion="true" displayMode="region-list"', None),
        ('name="discounts" perRegion="true" displayMode="region-list" placeholder="in percent"', None),
        ('name="counts" perRegion="true" placeholder="Written by the backend"', None),
        ('name="counts" displayMode="region-list" placeholder="Written by the backend"', None),
    ],
)
def test_a_teams_own_words_in_the_region_list_are_not_written_over(tag: str, found: str | None) -> None:
    config = read_config(f'<View>{VIDEO}{BOX}<TextArea toName="video" {tag}/></View>')
    assert config.counts_name == found


@pytest.mark.parametrize(
    ("inside", "missing"),
    [
        (BOX, "<Video "),
        (VIDEO, "<VideoRectangle "),
        ("", "<VideoRectangle "),
        (VIDEO + '<VideoRectangle name="box" toName="other"/>', "<VideoRectangle "),
        # A Video without a data key cannot show a task's video.
        ('<Video name="video" value="film.mp4"/>' + BOX, "<Video "),
    ],
)
def test_what_is_missing_is_named(inside: str, missing: str) -> None:
    with pytest.raises(LabelConfigError, match=missing):
        read_config(f"<View>{inside}</View>")


@pytest.mark.parametrize(
    "xml",
    ["", "<View>", "no xml", '<!DOCTYPE v [<!ENTITY a "aaaa">]><View><Header value="&a;"/></View>'],
)
def test_unreadable_xml_is_refused(xml: str) -> None:
    with pytest.raises(LabelConfigError, match="not readable XML"):
        read_config(xml)


@pytest.mark.parametrize(
    ("inside", "warning"),
    [
        ('<Video name="video" value="$video" frameRate="24"/>' + BOX, 'fixes frameRate="24"'),
        ('<Video name="video" value="$video"/>' + BOX, "no frameRate"),
        (VIDEO + BOX, "no Labels tag"),
        (VIDEO + BOX + '<Labels name="l" toName="video" value="$labels"/>', "lists no Label"),
        (VIDEO + BOX, "no TimelineLabels"),
        (VIDEO + BOX, 'add <Header value="$query"/>'),
    ],
)
def test_what_will_go_wrong_is_said(inside: str, warning: str) -> None:
    warnings = read_config(f"<View>{inside}</View>").warnings
    assert any(warning in sentence for sentence in warnings), warnings


def test_the_effective_frame_rate_is_what_the_page_will_count_with() -> None:
    config = read_config(CONFIG)
    assert config.effective_frame_rate({"fps": 25}) == 25
    assert config.effective_frame_rate({"fps": "29.97"}) == 29.97
    # Label Studio falls back to 24 without a word, whatever the video has.
    for data in ({}, {"fps": None}, {"fps": 0}, {"fps": "fast"}, {"fps": True}, {"fps": float("nan")}):
        assert config.effective_frame_rate(data) == 24
    fixed = read_config(f'<View><Video name="video" value="$video" frameRate="12.5"/>{BOX}</View>')
    assert fixed.effective_frame_rate({"fps": 25}) == 12.5


def test_a_frame_rate_that_stretches_tubes_is_a_problem() -> None:
    config = read_config(CONFIG)
    assert config.frame_rate_problem({"fps": 29.97}, 30000 / 1001) is None
    assert "write 25 into the task" in str(config.frame_rate_problem({}, 25.0))
    # Half an hour at 29.97 counted as 30 is 54 frames off.
    assert config.frame_rate_problem({"fps": 30}, 30000 / 1001) is not None
    fixed = read_config(f'<View><Video name="video" value="$video" frameRate="24"/>{BOX}</View>')
    assert 'frameRate="$fps"' in str(fixed.frame_rate_problem({"fps": 25}, 25.0))
