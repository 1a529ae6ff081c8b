"""Have every record answered: a pre-labelling in a local project of the benchmark's own database, which can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event

from backend.benchmarking.dataset import Dataset, Record
from backend.bootstrap import open_media
from backend.db import projects
from backend.db.engine import Database
from backend.prelabel.item import Found, Item, Problem, Repeated
from backend.runs.enqueue import Enqueued, LocalPlaces, enqueue
from backend.runs.watch import Standing, Watch, Workers
from backend.settings import Settings
from labeling_config import video_tube


@dataclass
class Asked:
    """What became of the records when their source was read.

    Attributes:
        project_id: of the local project.
        items: by the record's name, what is grounded for it.
        left_out: by where the record stands, why nothing can be grounded for it.
    """

    project_id: int
    items: dict[str, Item] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def ask(
    database: Database, settings: Settings, dataset: Dataset, records: Sequence[Record], version: str, *,
    retry_failed: bool,
) -> tuple[Asked, Enqueued]:  # fmt: skip
    """Queue what is not answered yet by this model version.

    Raises:
        StvgError: the source cannot be read.
    """
    with database.write() as session:
        project_id = projects.local(session, f"benchmark {dataset.name}", video_tube()).id
    asked = Asked(project_id)
    names = {one.name for one in records}
    with dataset.items() as read:
        queued = enqueue(
            database, _noted(read(), names, asked), LocalPlaces(project_id), version, retry_failed=retry_failed,
            files=open_media(settings, None, database),
        )  # fmt: skip
    return asked, queued


def _noted(found: Iterator[Found], names: set[str], asked: Asked) -> Iterator[Found]:
    """The items of these records. What repeats another's question has its answer."""
    for one in found:
        if isinstance(one, Problem):
            asked.left_out.setdefault(one.where, one.said)
        item = one.item if isinstance(one, Repeated) else one
        if isinstance(item, Item) and item.name in names:
            asked.items[item.name] = item
            yield item


def work(
    database: Database, asked: Asked, version: str, crew: Workers, *, stop: Event,
    show: Callable[[Standing], None], tell: Callable[[str], None],
) -> Standing:  # fmt: skip
    """Keep the workers up until nothing waits, or ``stop`` is set.

    Raises:
        RunError: the workers end again and again without getting anything done.
    """
    watch = Watch(database, asked.project_id, version, stop, show, tell)
    return watch.until_done(crew)
