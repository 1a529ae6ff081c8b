"""Records of HC-STVG and VidSTG: their sentences are what is asked, their boxes stay truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.prelabel.item import Named, Note, Problem, Record
from backend.prelabel.recognise import is_sentences
from stvg_core.datasets import hcstvg, vidstg
from stvg_core.datasets.base import UNUSABLE, DatasetError, load_json
from stvg_core.text import clean

_KINDS = (("captions", "declarative"), ("questions", "interrogative"))


class HcStvgRecords:
    """The records of an HC-STVG file, versions 1 and 2, or of one that has sentences alone.

    Raises:
        DatasetError: the file as a whole cannot be used.
    """

    def __init__(self, path: Path, shown: str, *, encoding: str | None = None) -> None:
        self._shown = shown
        self._content = load_json(path, encoding=encoding)
        if not isinstance(self._content, dict):
            raise DatasetError(f"{path} is not an HC-STVG file: one object of video names is expected.")

    def videos(self) -> Iterator[str]:
        return (self._video(name, fields) for name, fields in self._content.items())

    def __iter__(self) -> Iterator[Record]:
        if is_sentences(self._content):
            for name, sentence in self._content.items():
                yield Named(self._video(name, sentence), sentence, name, f"{self._shown}, record {name}")
            return
        bad: list[str] = []
        for record in hcstvg.records(self._shown, self._content, bad=bad):
            yield from _drained(bad, self._shown)
            name, where = hcstvg_place(record, self._shown)
            yield Named(record.clip or record.video, record.caption, name, where, truth=record.tube())
        yield from _drained(bad, self._shown)

    def _video(self, name: str, fields: Any) -> str:
        return hcstvg.clip_of(name, fields, self._content) or name


class VidStgRecords:
    """The sentences of a VidSTG file, declarative and interrogative.

    Args:
        vidor: the folder of VidOR's annotations, which have the boxes; None where there is no truth.

    Raises:
        DatasetError: the file as a whole cannot be used.
    """

    def __init__(self, path: Path, shown: str, vidor: Path | None, *, encoding: str | None = None) -> None:
        self._shown, self._vidor, self._encoding = shown, vidor, encoding
        self._content = load_json(path, encoding=encoding)
        if not isinstance(self._content, list):
            raise DatasetError(
                f"{path} is not a VidSTG file: a list of videos with captions and questions is expected."
            )

    def videos(self) -> Iterator[str]:
        return (str(entry["vid"]) for entry in self._content if isinstance(entry, dict) and "vid" in entry)

    def __iter__(self) -> Iterator[Record]:
        return self._sentences() if self._vidor is None else self._with_truth(self._vidor)

    def _with_truth(self, vidor: Path) -> Iterator[Record]:
        bad: list[str] = []
        for record in vidstg.records(self._shown, self._content, vidor, encoding=self._encoding, bad=bad):
            yield from _drained(bad, self._shown)
            (name, where), truth = vidstg_place(record, self._shown), None
            try:
                truth = record.label().tube((record.width, record.height))
            except DatasetError as error:
                yield Note(where, f"is asked without its truth: {error}")
            facts = _facts(record.kind, _within(record.segment, record.n_frames), record.category)
            yield Named(record.video, record.sentence, name, where, facts, truth)
        yield from _drained(bad, self._shown)

    def _sentences(self) -> Iterator[Record]:
        for number, entry in enumerate(self._content, start=1):
            try:
                video = str(entry["vid"])
                segment = entry["used_segment"]
                ends = _within((int(segment["begin_fid"]), int(segment["end_fid"])), int(entry["frame_count"]))
                classes = {int(thing["tid"]): str(thing["category"]) for thing in entry["subject/objects"]}
                texts = [(kind, list(entry[key])) for key, kind in _KINDS]
            except UNUSABLE as error:
                yield Problem(f"{self._shown}, record {number}", f"lacks a usable value ({error})")
                continue
            for kind, found in texts:
                for which, text in enumerate(found, start=1):
                    where = _where(self._shown, number, kind, which)
                    try:
                        sentence, category = text["description"], classes.get(int(text["target_id"]), "")
                        if not isinstance(sentence, str):
                            raise ValueError("description is no text")
                    except UNUSABLE as error:
                        yield Problem(where, f"lacks a usable value ({error})")
                        continue
                    yield Named(
                        video, sentence, _name(video, kind, (number, which)), where, _facts(kind, ends, category)
                    )


def hcstvg_place(record: hcstvg.HcStvgRecord, shown: str) -> tuple[str, str]:
    """What a record is called in its file, and where it stands; ``shown`` is what the file is called in messages."""
    return record.video, f"{shown}, record {record.video}"


def vidstg_place(record: vidstg.VidStgRecord, shown: str) -> tuple[str, str]:
    """The same of a sentence."""
    number, which = record.place
    return _name(record.video, record.kind, record.place), _where(shown, number, record.kind, which)


def _where(shown: str, number: int, kind: str, which: int) -> str:
    return f"{shown}, record {number}, {kind} sentence {which}"


def _name(video: str, kind: str, place: tuple[int, int]) -> str:
    return f"{video}/{place[0]}/{kind}/{place[1]}"


def _facts(kind: str, segment: tuple[int, int], category: str) -> dict[str, Any]:
    return {"kind": kind, "segment": list(segment)} | ({"category": clean(category)} if clean(category) else {})


def _within(segment: tuple[int, int], n_frames: int) -> tuple[int, int]:
    """VidSTG's files mostly give a segment's last frame, and some the one behind it: the video has none there."""
    return segment[0], segment[1] - (segment[1] == n_frames)


def _drained(bad: list[str], shown: str) -> Iterator[Problem]:
    """What was said of records that are left out, so far."""
    while bad:
        yield Problem(shown, bad.pop(0))
