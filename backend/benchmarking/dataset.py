"""What is asked, and what is right? The records of a dataset, each with its truth and the item that is grounded for it.

Truths come from the file itself, as ``stvg evaluate --truth FILE`` reads them, and items as ``stvg prelabel`` does. A
record's name ties them together, so that nothing is matched by how a video is spelt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.media.cloud import CloudFiles
from backend.prelabel.datasets import hcstvg_place, vidstg_place
from backend.prelabel.item import Found
from backend.prelabel.recognise import Kind, is_sentences
from backend.prelabel.sources import open_source
from stvg_core.datasets import hcstvg, vidstg
from stvg_core.datasets.base import DatasetError, load_json
from stvg_core.evaluation.protocols import Protocol
from stvg_core.evaluation.samples import Truth
from stvg_core.text import printable

HCSTVG1, HCSTVG2, VIDSTG, RENDERED = "hcstvg1", "hcstvg2", "vidstg", "rendered"
DATASETS = (HCSTVG1, HCSTVG2, VIDSTG, RENDERED)

Opened = AbstractContextManager[Callable[[], Iterator[Found]]]


@dataclass(frozen=True)
class Record:
    """One sentence of a dataset: what it is called and where it stands, as its item has them, and its truth."""

    name: str
    where: str
    truth: Truth


@dataclass(frozen=True)
class Dataset:
    """A dataset that is ready to be asked.

    Attributes:
        name: one of :data:`DATASETS`.
        records: in the file's order.
        unusable: why further records of the file have no truth that can be used; they are in no mean.
        identity: what tells this dataset from another one of the same name.
        items: opens the source and gives what is read of it, as ``stvg prelabel`` reads it.
        protocol: the usual one.
    """

    name: str
    records: list[Record]
    identity: dict[str, Any]
    items: Callable[[], Opened]
    protocol: Protocol
    unusable: list[str] = field(default_factory=list)

    def first(self, limit: int | None, kind: str | None) -> list[Record]:
        """At most ``limit`` records, of VidSTG of one ``kind`` of sentences alone."""
        return [one for one in self.records if kind is None or one.truth.kind == kind][:limit]


def of_files(
    name: str, annotations: Path, videos: str, vidor: Path | None, *, encoding: str | None = None,
    cloud: CloudFiles | None = None,
) -> Dataset:  # fmt: skip
    """HC-STVG, either version, or VidSTG.

    Args:
        videos: folder or address that is searched for the videos.
        vidor: folder of VidOR's annotations, for VidSTG.

    Raises:
        DatasetError: a file cannot be read, holds nothing, or is another dataset than its name says.
    """
    content = load_json(annotations, encoding=encoding)
    if name == VIDSTG and vidor is None:
        raise DatasetError("VidSTG's boxes are in VidOR: name the folder with its annotations, --vidor.")
    _check_kind(name, annotations, content)
    shown, bad = str(annotations), list[str]()
    if name == VIDSTG:
        assert vidor is not None
        records = [
            Record(*_printable(*vidstg_place(one, shown)), Truth.of_vidstg(one))
            for one in vidstg.records(shown, content, vidor, encoding=encoding, bad=bad)
        ]
    else:
        records = [
            Record(*_printable(*hcstvg_place(one, shown)), Truth.of_hcstvg(one))
            for one in hcstvg.records(shown, content, bad=bad)
        ]
    if not records:
        raise DatasetError(f"{shown} holds no sentence with a truth that can be used. {' '.join(bad[:1])}")

    @contextmanager
    def items() -> Iterator[Callable[[], Iterator[Found]]]:
        kind = Kind.VIDSTG if name == VIDSTG else Kind.HCSTVG
        with open_source(
            str(annotations), kind=kind, videos=videos, vidor=vidor, encoding=encoding, cloud=cloud
        ) as source:  # fmt: skip
            yield source.read

    identity = {"dataset": name, "annotations_sha256": hashlib.sha256(annotations.read_bytes()).hexdigest()}
    usual = Protocol.TUBEDETR if name == VIDSTG else Protocol.HCSTVG
    return Dataset(name, records, identity, items, usual, bad)


def _check_kind(name: str, path: Path, content: Any) -> None:
    """The paper's figures are of one dataset: another file under its name would be compared with the wrong ones."""
    if name == VIDSTG:
        if not isinstance(content, list):
            raise DatasetError(
                f"{path} is not a VidSTG file: a list of videos with captions and questions is expected."
            )
        return
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is not an HC-STVG file: one object of video names is expected.")
    if is_sentences(content):
        raise DatasetError(f"{path} has sentences and no boxes: there is nothing to measure with.")
    records = [one for one in content.values() if isinstance(one, dict)]
    second = any("English" in one for one in records)
    first = any("caption" in one and "English" not in one for one in records)
    if second if name == HCSTVG1 else first:
        has, other = (2, HCSTVG2) if name == HCSTVG1 else (1, HCSTVG1)
        raise DatasetError(f"{path} is HC-STVG version {has}, by the names of its fields: ask for {other}.")


def _printable(name: str, where: str) -> tuple[str, str]:
    return printable(name), printable(where)
