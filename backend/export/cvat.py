"""CVAT for video, XML 1.1: one file per video, because CVAT imports annotations task by task.

Frames count from 0, boxes are corners in pixels. As in CVAT's own exports every frame has its box, those between
keyframes with ``keyframe="0"``, and a box with ``outside="1"`` says from which frame on the object is switched off. The
sentence is the text attribute ``sentence``; the project in CVAT needs the labels and the attribute of ``<meta>``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from backend.export.record import Record, VideoLabels

ATTRIBUTE = "sentence"

_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


@contextmanager
def write(folder: Path) -> Iterator[Callable[[VideoLabels], None]]:
    """A function that adds a video's labels to the folder."""

    def add(labels: VideoLabels) -> None:
        with (folder / f"{labels.stem}.xml").open("x", encoding="utf-8") as file:
            _Xml(XMLGenerator(file, encoding="utf-8", short_empty_elements=True)).document(labels)

    yield add


class _Xml:
    """The elements of one file."""

    def __init__(self, generator: XMLGenerator) -> None:
        self._out = generator

    def document(self, labels: VideoLabels) -> None:
        self._out.startDocument()
        with self._element("annotations"):
            self._text("version", "1.1")
            with self._element("meta"), self._element("task"):
                self._task(labels)
            for number, record in enumerate(labels.records):
                source = "auto" if record.unreviewed else "manual"
                with self._element("track", id=str(number), label=_clean(record.category), source=source):
                    self._boxes(record)
        self._out.endDocument()

    def _task(self, labels: VideoLabels) -> None:
        video = labels.video
        self._text("name", labels.name)
        self._text("size", str(video.n_frames))
        self._text("mode", "interpolation")
        self._text("start_frame", "0")
        self._text("stop_frame", str(video.n_frames - 1))
        with self._element("labels"):
            for name in dict.fromkeys(_clean(record.category) for record in labels.records):
                with self._element("label"):
                    self._text("name", name)
                    with self._element("attributes"), self._element("attribute"):
                        self._text("name", ATTRIBUTE)
                        self._text("mutable", "False")
                        self._text("input_type", "text")
                        self._text("default_value", "")
                        self._text("values", "")
        with self._element("original_size"):
            self._text("width", str(video.width))
            self._text("height", str(video.height))
        self._text("source", labels.name)

    def _boxes(self, record: Record) -> None:
        keyframes = {key.frame for key in record.keyframes}
        keyframes |= {frame for interval in record.intervals for frame in interval}
        corners = record.corners()
        shown = None
        for frame, box, drawn in zip(record.tube.frames.tolist(), corners, record.drawn(), strict=True):
            if drawn:
                self._box(frame, box, record.query, keyframe=frame in keyframes)
                shown = box
            elif shown is not None:
                self._box(frame, shown, record.query, keyframe=True, outside=True)
                shown = None
        after = record.tube.end_frame + 1
        if after < record.video.n_frames:
            self._box(after, corners[-1], record.query, keyframe=True, outside=True)

    def _box(self, frame: int, box: list[float], sentence: str, *, keyframe: bool, outside: bool = False) -> None:
        sides = {side: f"{value:.2f}" for side, value in zip(("xtl", "ytl", "xbr", "ybr"), box, strict=True)}
        flags = {"frame": str(frame), "keyframe": str(int(keyframe)), "outside": str(int(outside)), "occluded": "0"}
        with self._element("box", **flags, **sides, z_order="0"):
            if keyframe:
                self._text("attribute", sentence, name=ATTRIBUTE)

    @contextmanager
    def _element(self, tag: str, **attributes: str) -> Iterator[None]:
        self._out.startElement(tag, AttributesImpl(attributes))
        yield
        self._out.endElement(tag)
        self._out.ignorableWhitespace("\n")

    def _text(self, tag: str, text: str, **attributes: str) -> None:
        with self._element(tag, **attributes):
            self._out.characters(_clean(text))


def _clean(text: str) -> str:
    return _UNWRITABLE.sub(lambda found: " " if found.group().isspace() else "", text)
