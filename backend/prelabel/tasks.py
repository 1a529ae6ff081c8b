"""Records of a list of tasks: CSV, TSV, JSON or JSON lines, as ``stvg connect`` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backend.labelstudio.config import LabelConfig
from backend.labelstudio.task_checks import Placed, brings_labels, names, place_of, read_task
from backend.labelstudio.task_files import read_task_file
from backend.labelstudio.task_tables import Entry
from backend.prelabel.item import Named, Note, Problem, Record


class TaskRecords:
    """The records of one file, each given out once.

    Raises:
        PayloadError, TextError: the file as a whole cannot be used.
    """

    def __init__(self, path: Path, shown: str, config: LabelConfig, *, encoding: str | None = None) -> None:
        self._shown, self._config = shown, config
        self._annotated = 0
        entries: list[Entry | Record | None] = [*read_task_file(path, names(config), encoding=encoding).entries]
        for at, entry in enumerate(entries):  # in place, so that the file is not held twice
            if isinstance(entry, Entry):
                entries[at] = self._record(entry)
        self._records = entries

    def videos(self) -> Iterator[str]:
        return (record.video for record in self._records if isinstance(record, Named))

    def __iter__(self) -> Iterator[Record]:
        for at, record in enumerate(self._records):
            self._records[at] = None
            if record is not None and not isinstance(record, Entry):
                yield record
        if self._annotated:
            yield Note(
                self._shown, f"{self._annotated} records bring labels, which are not read here: stvg import does"
            )

    def _record(self, entry: Entry) -> Record:
        where = f"{self._shown}, {place_of(entry)}"
        problems = list(entry.problems)
        found = None
        if entry.data is not None:
            found = read_task(entry.data, self._config, (), lambda video: Placed(video), {}, problems)
        if problems or found is None:
            return Problem(where, "; ".join(problems))
        self._annotated += brings_labels(entry)
        data, place, sentence = found
        name = f"record {entry.record}" if entry.line is None else f"line {entry.line}"
        return Named(place.address, sentence, name, where, data, line=entry.line)
