"""A project's labelling interface. Which of its tags carry the tube, the span, the verdict and the sentence?

Tags are found by what they are, never by what they are called, so that a team can keep its own names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from backend.labelstudio.originals import grounded_address
from backend.labelstudio.task_data import read_text_value, read_value, with_value
from stvg_core.errors import StvgError

DEFAULT_FRAME_RATE = 24.0
"""What Label Studio assumes where ``frameRate`` is absent, or names a key that the task lacks."""

WRITTEN_BY_US = "Written by the backend"
"""The placeholder of the TextArea that nobody types into."""

_VARIABLE = re.compile(r"\$([A-Za-z0-9_.\[\]]+)")
_NUMBER = re.compile(r"\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""What the page takes for a number as Python does: it knows no "1_000"."""
_WHOLE = re.compile(r"\$[A-Za-z0-9_.\[\]]+")
"""What Label Studio's page takes for a variable: it has no other letters, no dashes and no spaces."""
_QUERY_NAMES = ("query", "sentence", "caption", "text", "question")


class LabelConfigError(StvgError):
    """The labelling interface cannot hold a tube; the message names each missing tag and the line that adds it."""


@dataclass(frozen=True)
class LabelConfig:
    """The names that a result for this project must use.

    Attributes:
        video_name, video_key: the Video tag, and the name under which the task's data hold its address; like all
            such names it may lead into objects and lists (``media.url``, ``clips[0].url``).
        box_name: the VideoRectangle tag.
        labels_name, labels: the Labels tag of the boxes and its values, None and empty where there is none.
        timeline_name, timeline_labels: the TimelineLabels tag and its values.
        verdict_name, verdicts: the Choices tag in which an annotator judges the proposal.
        ask_name: the smart TextArea through which another sentence is asked.
        counts_name: the TextArea in the region list in which a box says whether it counts. Known by its placeholder
            (``WRITTEN_BY_US``): a team may have such a TextArea for words of its own.
        query_key: the key of the task's data that holds the sentence.
        frame_rate: frames per second where the Video tag fixes them.
        frame_rate_key: the key of the task's data that holds them, where it does not.
        warnings: sentences about what is missing or will show tubes at the wrong time.
    """

    video_name: str
    video_key: str
    box_name: str
    labels_name: str | None = None
    labels: tuple[str, ...] = ()
    timeline_name: str | None = None
    timeline_labels: tuple[str, ...] = ()
    verdict_name: str | None = None
    verdicts: tuple[str, ...] = ()
    ask_name: str | None = None
    counts_name: str | None = None
    query_key: str = "query"
    frame_rate: float | None = None
    frame_rate_key: str | None = None
    warnings: tuple[str, ...] = ()

    def judges_wrong(self, verdict: str | None) -> bool:
        """Any verdict but "correct", where the interface offers that one; other choices say nothing of the proposal."""
        offered = {value.lower() for value in self.verdicts}
        return verdict is not None and "correct" in offered and verdict.lower() != "correct"

    def effective_frame_rate(self, data: Mapping[str, Any]) -> float:
        """Frames per second by which Label Studio will count this task's frames."""
        if self.frame_rate is not None:
            return self.frame_rate
        return shown_rate(read_value(data, self.frame_rate_key)) or DEFAULT_FRAME_RATE

    def has_frame_rate(self, data: Mapping[str, Any]) -> bool:
        """False where the interface looks for a rate in the data and they have none."""
        return self.frame_rate_key is None or positive_number(read_value(data, self.frame_rate_key)) is not None

    def with_frame_rate(self, data: Mapping[str, Any], fps: float) -> dict[str, Any]:
        """The data with the video's rate where the interface looks for it. Raises TaskDataError."""
        return dict(data) if self.frame_rate_key is None else with_value(data, self.frame_rate_key, round(fps, 6))

    def played_of(self, data: Mapping[str, Any] | None) -> str:
        """The address in a task's data that the page plays, "" where there is none."""
        return read_text_value(data, self.video_key)

    def video_of(self, data: Mapping[str, Any] | None) -> str:
        """The address of the video that a task is about, "" where there is none: the original's, if a copy plays."""
        played = self.played_of(data)
        return grounded_address(data, played) if data else played

    def query_of(self, data: Mapping[str, Any] | None) -> str:
        """The sentence in a task's data, "" where there is none."""
        return read_text_value(data, self.query_key)

    def frame_rate_problem(self, data: Mapping[str, Any], fps: float) -> str | None:
        """A sentence where the page would count other frames than the decoder at ``fps``, else None."""
        shown = self.effective_frame_rate(data)
        if abs(shown - fps) <= 1e-5 * fps:
            return None
        mend = (
            f'write {fps:.6g} into the task as "{self.frame_rate_key}"'
            if self.frame_rate_key
            else 'use frameRate="$fps" in the Video tag'
        )
        return f"Label Studio counts {shown:.6g} frames per second, the video has {fps:.6g}: {mend}."


@lru_cache(maxsize=64)
def find_config(xml: str) -> LabelConfig | None:
    """:func:`read_config`, or None where the interface cannot hold a tube (any more)."""
    try:
        return read_config(xml)
    except LabelConfigError:
        return None


def read_config(xml: str) -> LabelConfig:
    """Find the tags of a tube in a project's ``label_config``.

    Raises:
        LabelConfigError: not XML, or no Video with a data key, or no VideoRectangle for it.
    """
    root = _parse(xml)
    boxes = list(_tags(root, "videorectangle"))
    videos = {_attribute(tag, "name"): tag for tag in _tags(root, "video") if _attribute(tag, "value").startswith("$")}
    missing = []
    if not videos:
        missing.append('a video: <Video name="video" value="$video" frameRate="$fps"/>')
    box = next((tag for tag in boxes if not videos or any(_is_for(tag, name) for name in videos)), None)
    if box is None:
        missing.append('boxes on the video: <VideoRectangle name="box" toName="video"/>')
    if box is None or not videos:
        raise LabelConfigError("The labelling interface has no place for a tube. Add " + "; and ".join(missing) + ".")

    video_name, video = next((name, tag) for name, tag in videos.items() if _is_for(box, name))
    video_key = _video_key(_attribute(video, "value"))
    labels = _control(root, "labels", video_name)
    timeline = _control(root, "timelinelabels", video_name)
    verdict = _verdict_tag(root, video_name)
    ask = next((t for t in _tags(root, "textarea") if _is_for(t, video_name) and _is_true(t, "smart")), None)
    rate, rate_key = _frame_rate(video)
    query_key = _query_key(root, video_key)
    return LabelConfig(
        video_name=video_name,
        video_key=video_key,
        box_name=_attribute(box, "name"),
        labels_name=None if labels is None else _attribute(labels, "name"),
        labels=_values(labels, "label"),
        timeline_name=None if timeline is None else _attribute(timeline, "name"),
        timeline_labels=_values(timeline, "label"),
        verdict_name=None if verdict is None else _attribute(verdict, "name"),
        verdicts=_values(verdict, "choice"),
        ask_name=None if ask is None else _attribute(ask, "name"),
        counts_name=_counts_name(root, video_name),
        query_key=query_key or "query",
        frame_rate=rate,
        frame_rate_key=rate_key,
        warnings=tuple(_warnings(rate, rate_key, labels, timeline, query_key)),
    )


def positive_number(value: object) -> float | None:
    """``value`` as a finite number above 0 (numbers in strings too, as CSV imports leave them), else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < float("inf") else None


def shown_rate(value: object) -> float | None:
    """Frames per second as Label Studio's page reads a rate: below 1 it takes it for the seconds of a frame."""
    number = positive_number(value)
    return number if number is None or number >= 1 else 1 / number


def _warnings(
    rate: float | None, rate_key: str | None, labels: Element | None, timeline: Element | None, query_key: str | None
) -> Iterator[str]:
    if rate is not None:
        yield (
            f'The Video tag fixes frameRate="{rate:g}": tubes on videos of another rate are drawn at the wrong time. '
            'Use frameRate="$fps".'
        )
    elif rate_key is None:
        yield (
            f"The Video tag has no frameRate: Label Studio counts {DEFAULT_FRAME_RATE:g} frames per second whatever "
            'the video has. Use frameRate="$fps".'
        )
    if labels is None:
        yield 'There is no Labels tag for the video: boxes come without a label. Add <Labels name=... toName="video">.'
    elif not _values(labels, "label"):
        yield "The Labels tag lists no Label: boxes come without a label."
    if timeline is None:
        yield "There is no TimelineLabels tag for the video: the span shows only as the boxes' own bar."
    if query_key is None:
        yield 'The sentence is not shown: add <Header value="$query"/>. Tasks are read by their "query".'


def _parse(xml: str) -> Element:
    try:
        root: Element = fromstring(xml)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise LabelConfigError(f"The labelling interface is not readable XML ({error}).") from None
    return root


def _tags(root: Element, name: str) -> Iterator[Element]:
    """Tags by name in any case; comments carry no string as tag."""
    return (tag for tag in root.iter() if isinstance(tag.tag, str) and tag.tag.lower() == name)


def _attribute(tag: Element, name: str) -> str:
    """An attribute's text, whatever the case of its name (Label Studio reads them so), "" where absent."""
    return next((value.strip() for key, value in tag.attrib.items() if key.lower() == name.lower()), "")


def _is_true(tag: Element, name: str) -> bool:
    return _attribute(tag, name).lower() == "true"


def _is_for(tag: Element, video_name: str) -> bool:
    return bool(_attribute(tag, "name")) and video_name in [n.strip() for n in _attribute(tag, "toName").split(",")]


def _control(root: Element, name: str, video_name: str) -> Element | None:
    return next((tag for tag in _tags(root, name) if _is_for(tag, video_name)), None)


def _verdict_tag(root: Element, video_name: str) -> Element | None:
    """The Choices called verdict, else the first that offers "correct", else the first."""
    choices = [tag for tag in _tags(root, "choices") if _is_for(tag, video_name)]
    named = [tag for tag in choices if "verdict" in _attribute(tag, "name").lower()]
    offering = [tag for tag in choices if "correct" in (value.lower() for value in _values(tag, "choice"))]
    return next(iter([*named, *offering, *choices]), None)


def _counts_name(root: Element, video_name: str) -> str | None:
    """The TextArea that each box has in the region list."""
    for tag in _tags(root, "textarea"):
        listed = _is_true(tag, "perRegion") and _attribute(tag, "displayMode") == "region-list"
        if listed and _is_for(tag, video_name) and _attribute(tag, "placeholder") == WRITTEN_BY_US:
            return _attribute(tag, "name")
    return None


def _values(tag: Element | None, child: str) -> tuple[str, ...]:
    return () if tag is None else tuple(v for v in (_attribute(label, "value") for label in _tags(tag, child)) if v)


def _frame_rate(video: Element) -> tuple[float | None, str | None]:
    text = _attribute(video, "frameRate")
    if text.startswith("$"):
        return None, text[1:]
    return shown_rate(text), None


def _video_key(value: str) -> str:
    if "{{" in value:
        raise LabelConfigError(
            f'The Video tag reads "{value}" inside a Repeater. A tube needs one video per task: value="$video".'
        )
    if not _WHOLE.fullmatch(value):
        raise LabelConfigError(
            f'The Video tag reads "{value}", which Label Studio does not take for one variable: a key has letters '
            "without accents, digits, _ and dots. Call it video, in the tasks as well."
        )
    return value[1:]


def _query_key(root: Element, video_key: str) -> str | None:
    """The variable that a Header or Text shows, one with a usual name first."""
    shown = [
        key
        for name in ("header", "text")
        for tag in _tags(root, name)
        for key in (found.rstrip(".[") for found in _VARIABLE.findall(_attribute(tag, "value")))
        if key != video_key
    ]
    usual = [key for key in shown if key.lower() in _QUERY_NAMES]
    return next(iter([*usual, *shown]), None)
