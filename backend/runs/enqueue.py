"""How do the items of a source become tasks and jobs? In short transactions, and only what is new.

Reading a source again changes nothing but for what was added to it: an item is known by its video, the part of it that
is meant, and its sentence, a job by its task and the model version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from sqlalchemy.orm import Session

from backend.db import deliveries, jobs, tasks
from backend.db.engine import Database
from backend.db.local_tasks import LocalTasks, Wanted
from backend.db.segments import Segment, segment_of
from backend.jobs.identity import job_identity
from backend.labelstudio.config import LabelConfig
from backend.prelabel.item import Found, Item, Note, Problem, Repeated
from backend.prelabel.shard import Shard
from backend.runs.replacements import Files, replaced_files
from stvg_core.tube import Tube

CHUNK = 500
"""Items in one transaction: other processes write in between."""
_DIGITS = 6

Telling = Problem | Note | Repeated


@dataclass(frozen=True)
class Placed:
    """An item with its task: our row, the number in the project, the address that its job names, and the part of the
    video that it is about.
    """

    task_id: int
    number: int
    video_ref: str
    query: str
    segment: Segment | None = None


class Places(Protocol):
    """Where the items' tasks are: in a local project, or in one of Label Studio's."""

    @property
    def project_id(self) -> int: ...

    def place(self, session: Session, items: list[Item]) -> tuple[list[Placed], int, int]:
        """The items' tasks, how many of them were made, and how many more went to Label Studio before."""
        ...

    def note_other_truths(self, session: Session, items: list[Item]) -> None:
        """These have another true tube than the task of their video and sentence, which was placed before."""
        ...


@dataclass
class Enqueued:
    """What came of reading a source.

    Attributes:
        items: sentences that can be asked, of this share.
        new_tasks: made now.
        queued: jobs made; ``again``: failed ones that are tried again.
        replaced: answered ones that are asked again, because their video is another file by now.
        published: items whose tasks went to a Label Studio project before, where they are asked.
        beyond_limit: new ones that are left for another run.
        elsewhere: items of other shares.
        repeated: records with the video and the sentence of another.
        left_out: records that cannot be used, by the kind of reason; ``examples``: one of each.
        tasks: our rows of the items' tasks.
    """

    items: int = 0
    new_tasks: int = 0
    queued: int = 0
    again: int = 0
    replaced: int = 0
    published: int = 0
    beyond_limit: int = 0
    elsewhere: int = 0
    repeated: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    tasks: set[int] = field(default_factory=set)


@dataclass
class LocalPlaces:
    """Tasks of a local project.

    Attributes:
        published_as: the address that a video has in Label Studio, None where it can have none.
    """

    project_id: int
    published_as: Callable[[str], str | None] = lambda address: None
    _tasks: LocalTasks | None = None

    def place(self, session: Session, items: list[Item]) -> tuple[list[Placed], int, int]:
        if self._tasks is None:
            self._tasks = LocalTasks(self.project_id)
        wanted = [self.wanted(one, truth_of(one.truth)) for one in items]
        found, new = self._tasks.add(session, wanted)
        placed = [
            Placed(known.id, known.number, one.video_ref, one.sentence, segment_of(one.data))
            for one, known in zip(items, found, strict=True)
            if not known.published
        ]
        return placed, new, len(items) - len(placed)

    def note_other_truths(self, session: Session, items: list[Item]) -> None:
        if self._tasks is not None:
            self._tasks.note_other_truths(session, [self.wanted(one) for one in items])

    def wanted(self, one: Item, truth: dict[str, Any] | None = None) -> Wanted:
        """The task of an item."""
        return Wanted(one.video_ref, one.sentence, one.data, one.name, truth, self.published_as(one.video_ref))


@dataclass(frozen=True)
class LabelStudioPlaces:
    """Tasks of a Label Studio project, as ``/predict`` would have brought them."""

    project_id: int
    config: LabelConfig

    def place(self, session: Session, items: list[Item]) -> tuple[list[Placed], int, int]:
        asked = {one.task: one for one in items if one.task is not None}
        given = [
            tasks.Given(number, self.config.video_of(one.data), self.config.query_of(one.data), one.data)
            for number, one in asked.items()
        ]
        rows = tasks.remember_many(session, self.project_id, given)
        placed = [
            Placed(row.id, number, row.video_ref, asked[number].sentence, segment_of(row.data))
            for number, row in rows.items()
        ]
        return placed, sum(row.made for row in rows.values()), 0

    def note_other_truths(self, session: Session, items: list[Item]) -> None:
        """Its tasks bring no truth."""


def truth_of(tube: Tube | None) -> dict[str, Any] | None:
    """A true tube as a task keeps it: a box for each of its frames, as the dataset has them."""
    if tube is None:
        return None
    boxes = tube.boxes.astype(float).round(_DIGITS).tolist()
    return {"keyframes": [[frame, *box] for frame, box in enumerate(boxes, start=tube.start_frame)]}


def enqueue(
    database: Database, found: Iterable[Found], places: Places, version: str, *, limit: int | None = None,
    retry_failed: bool = False, shard: Shard | None = None, every_repetition: bool = False,
    tell: Callable[[Telling], None] = lambda said: None, progress: Callable[[int], None] = lambda items: None,
    files: Files | None = None,
) -> Enqueued:  # fmt: skip
    """Make a task for every item of a source, and a job of this model version for every task that has none.

    Args:
        limit: at most so many new jobs.
        retry_failed: queue failed jobs of these items again.
        shard: only the items of this share.
        every_repetition: a record with another's video and sentence has a task of its own, which wants its own answer.
        tell: gets every problem, note and repetition.
        progress: gets how many items were read.
        files: knows the files of this machine; a sentence of a local project that was answered about a file that is
            another one by now is asked again.
    """
    result = Enqueued()
    others: list[Item] = []
    items = _items(found, result, shard, every_repetition, tell, others)
    while (chunk := list(islice(items, CHUNK))) or others:
        room = None if limit is None else max(0, limit - result.queued)
        with database.write() as session:
            answered = _enqueue(session, chunk, places, version, result, room, retry_failed) if chunk else []
            places.note_other_truths(session, others)
        others.clear()
        if files is not None and places.project_id < 0:
            _ask_again(database, files, places.project_id, answered, chunk, result, tell)
        progress(result.items)
    return result


def _items(
    found: Iterable[Found], result: Enqueued, shard: Shard | None, every_repetition: bool,
    tell: Callable[[Telling], None], others: list[Item],
) -> Iterator[Item]:  # fmt: skip
    """Those that are asked; the others are counted and told, and kept in ``others`` where their truth is another."""
    for one in found:
        item = one.item if isinstance(one, Repeated) and every_repetition else one
        if isinstance(item, Item):
            if shard is not None and not shard.has(item.video_ref):
                result.elsewhere += 1
                continue
            result.items += 1
            yield item
        elif isinstance(one, Repeated):
            if shard is None or shard.has(one.item.video_ref):
                result.repeated += 1
                tell(one)
                if one.other_truth:
                    others.append(one.item)
        elif isinstance(one, Problem):
            result.left_out[one.reason.value] += 1
            result.examples.setdefault(one.reason.value, f"{one.where}: {one.said}")
            tell(one)
        elif isinstance(one, Note):
            tell(one)


def _enqueue(
    session: Session, items: list[Item], places: Places, version: str, result: Enqueued, room: int | None,
    retry_failed: bool,
) -> list[int]:  # fmt: skip
    """Returns the jobs (our rows) that are answered already."""
    placed, new, published = places.place(session, items)
    result.new_tasks += new
    result.published += published
    result.tasks.update(one.task_id for one in placed)
    named = {
        job_identity(places.project_id, one.number, one.video_ref, one.query, version, segment=one.segment): one
        for one in placed
    }
    there = jobs.known_many(session, named)
    missing = [identity for identity in named if identity not in there]
    if room is not None and len(missing) > room:
        result.beyond_limit += len(missing) - room
        for identity in missing[room:]:
            del named[identity]
    found = jobs.enqueue_many(
        session,
        [
            jobs.Question(
                identity, one.task_id, places.project_id, one.video_ref, one.query, version, segment=one.segment
            )
            for identity, one in named.items()
        ],
    )
    result.queued += sum(job.made for job in found.values())
    # Answered before, as an annotator's question: now the task itself is owed the answer.
    deliveries.owe_many(
        session,
        [
            (job.prediction_id, job.task_id)
            for identity, job in found.items()
            if job.prediction_id is not None and not there[identity].deliver
        ],
    )
    if retry_failed:
        failed = [job.id for job in found.values() if job.state == jobs.FAILED]
        result.again += jobs.retry_many(session, failed)
    return [job.id for job in found.values() if job.state == jobs.DONE]


def _ask_again(
    database: Database, files: Files, project_id: int, answered: list[int], items: list[Item], result: Enqueued,
    tell: Callable[[Telling], None],
) -> None:  # fmt: skip
    found = replaced_files(database, files, project_id, answered)
    if not found:
        return
    with database.write() as session:
        result.replaced += jobs.ask_again_many(session, list(found))
    for video in dict.fromkeys(found.values()):
        where = next((one.where for one in items if one.video_ref == video), video)
        tell(Note(where, "the video is another file than the one that was answered about; it is asked again"))
