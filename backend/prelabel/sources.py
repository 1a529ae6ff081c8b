"""From what a person names (a table, a folder, a dataset, a project, an address) to the items that must be grounded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.task_data import TaskDataError, with_value
from backend.media.cloud import CloudFiles
from backend.media.file_address import file_path, is_file_address
from backend.prelabel.datasets import HcStvgRecords, VidStgRecords
from backend.prelabel.errors import PlaceError, Reason, SourceError
from backend.prelabel.item import Found, Item, Named, Note, Problem, Record, Repeated
from backend.prelabel.opening import Download, Opened, open_file
from backend.prelabel.places import Place, VideoPlaces
from backend.prelabel.project import PREFIX, ProjectTasks
from backend.prelabel.recognise import Kind, recognise
from backend.prelabel.tasks import TaskRecords
from labeling_config import video_tube
from stvg_core.errors import QueryError
from stvg_core.query import normalise_query
from stvg_core.text import printable


class Records(Protocol):
    """A file that was read: its videos' names, and its records, each given out once."""

    def videos(self) -> Iterable[str]: ...
    def __iter__(self) -> Iterator[Record]: ...


@dataclass
class Source:
    """What has to be grounded. Use it as a context manager, or close it.

    Attributes:
        kind: what it was recognised as.
        shown: what it is called in messages.
        project: Label Studio's number of the project that it is; None where it is none.
    """

    kind: Kind
    shown: str
    _found: Callable[[], Iterator[Found]]
    _stack: ExitStack = field(default_factory=ExitStack)
    project: int | None = None

    def read(self) -> Iterator[Found]:
        """Every item, every record that is left out, every repetition and every note, in the source's order.

        May be called again; the source is read anew then. One item is one video, or a part of it, and one sentence.

        Raises:
            StvgError: the source as a whole cannot be read.
        """
        first: dict[bytes, tuple[str, bytes]] = {}
        for found in self._found():
            if not isinstance(found, Item):
                yield found
                continue
            key, truth = (
                _digest(f"{found.video_ref}\0{found.sentence}\0{found.segment}".encode("utf-8", "surrogateescape")),
                _truth(found),
            )
            known = first.setdefault(key, (found.where, truth))
            if known[0] == found.where:
                yield found
                continue
            yield Repeated(found, known[0], other_truth=found.truth is not None and known[1] != truth)
            if known[1] != truth:
                yield Note(
                    found.where,
                    f"has the video and the sentence of {known[0]}, but another true tube; the truth there is kept",
                )

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_source(
    text: str, *, kind: Kind | None = None, videos: str | None = None, vidor: Path | None = None,
    encoding: str | None = None, document_root: Path | None = None, config: LabelConfig | None = None,
    cloud: CloudFiles | None = None, download: Download | None = None, client: LabelStudioClient | None = None,
) -> Source:  # fmt: skip
    """Recognise a source and check what can be checked without reading all of it.

    Args:
        text: ``project:NAME_OR_ID``; a path, or an address (http, s3, gs, az), of a file or of a folder with a table.
        kind: of a file, where it is not to be told by its content.
        videos: folder or address that the videos' names count from, and that is searched for them. Default: the folder
            of the file, which is not searched.
        vidor: folder of VidOR's annotations, which have VidSTG's boxes; without it VidSTG has no truth.
        encoding: of the files, where they are not UTF-8.
        document_root: Label Studio's; files below it get an address that Label Studio serves.
        config: the interface whose names for video and sentence a task's data have; default: the one that comes along.
        cloud: reads storages.
        download: writes what is at a web address into a file (:meth:`backend.media.download.Downloader.fetch`).
        client: of Label Studio, for ``project:``.

    Raises:
        SourceError: there is no such source, or something that it needs is missing.
        StvgError: it cannot be read, with the reason.
    """
    cloud = cloud or CloudFiles()
    if text.startswith(PREFIX):
        return _project(text, kind, videos, client)
    if kind is Kind.PROJECT:
        raise SourceError(f"A Label Studio project is named {PREFIX}NAME_OR_ID.")
    with ExitStack() as stack:
        opened = open_file(text, cloud, download, stack)
        with opened.named():
            kind = kind or recognise(opened.path, encoding=encoding)
        if kind is Kind.VIDSTG and videos is None:
            raise SourceError(f"{opened.shown} is VidSTG, which names videos by number: say where they lie, --videos.")
        config = config or read_config(video_tube())
        places = VideoPlaces(
            _folder(videos) or opened.folder, search=videos is not None, trusted=opened.trusted,
            document_root=document_root, cloud=cloud,
        )  # fmt: skip
        places.check()
        read = _reader(kind, opened, config, vidor, encoding)
        return Source(kind, opened.shown, partial(_anew, opened, read, places, config), stack.pop_all())


def _folder(videos: str | None) -> str | None:
    return str(file_path(videos)) if videos is not None and is_file_address(videos) else videos


def _project(text: str, kind: Kind | None, videos: str | None, client: LabelStudioClient | None) -> Source:
    if kind not in (None, Kind.PROJECT):
        raise SourceError(f"{text} is a Label Studio project, not a file of the kind {kind}.")
    if videos is not None:
        raise SourceError("The tasks of a Label Studio project say where their videos are: leave --videos out.")
    if client is None:
        raise SourceError(f"For {text}, Label Studio's address and token are needed.")
    tasks = ProjectTasks(client, text.removeprefix(PREFIX))
    return Source(Kind.PROJECT, text, lambda: iter(tasks), project=tasks.number)


def _reader(
    kind: Kind, opened: Opened, config: LabelConfig, vidor: Path | None, encoding: str | None
) -> Callable[[], Records]:
    match kind:
        case Kind.HCSTVG:
            return lambda: HcStvgRecords(opened.path, opened.shown, encoding=encoding)
        case Kind.VIDSTG:
            return lambda: VidStgRecords(opened.path, opened.shown, vidor, encoding=encoding)
        case _:
            return lambda: TaskRecords(opened.path, opened.shown, config, encoding=encoding)


def _anew(opened: Opened, read: Callable[[], Records], places: VideoPlaces, config: LabelConfig) -> Iterator[Found]:
    """Read the file and list the folders again: both may have grown."""
    return _items(opened, read, replace(places), config)


def _items(opened: Opened, read: Callable[[], Records], places: VideoPlaces, config: LabelConfig) -> Iterator[Found]:
    with opened.named():
        records = read()
        placed = places.place_all(records.videos())
        noted: set[str] = set()
        for record in records:
            if not isinstance(record, Named):
                yield replace(record, where=printable(record.where), said=printable(record.said))
                continue
            place = placed[record.video]
            record = replace(record, name=printable(record.name), where=printable(record.where))
            if isinstance(place, PlaceError):
                yield Problem(record.where, str(place), place.reason)
                continue
            if place.note and record.video not in noted:
                noted.add(record.video)
                yield Note(record.where, place.note)
            yield _item(record, place, config)


def _item(record: Named, place: Place, config: LabelConfig) -> Item | Problem:
    try:
        sentence = normalise_query(record.sentence)
        data = dict(record.data)
        for key, value in ((config.video_key, place.address), (config.query_key, sentence)):
            data = data | {key: value} if key in data else with_value(data, key, value)
    except QueryError as error:
        return Problem(record.where, str(error), Reason.SENTENCE)
    except TaskDataError as error:
        return Problem(record.where, str(error))
    return Item(place.address, sentence, record.name, record.where, data, record.truth, record.line, place.size_bytes)


def _truth(item: Item) -> bytes:
    if item.truth is None:
        return b""
    return _digest(item.truth.start_frame.to_bytes(8, "big") + item.truth.boxes.tobytes())


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]
