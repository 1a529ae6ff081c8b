"""How does a reading of an annotation get into the database, when computing it takes longer than a transaction may?

Three steps: a look at what is stored, the computing, and a short transaction that writes only where all is still as it
was seen. Else it is computed again, at last inside of the transaction. Versions, diffs, jobs of wishes and where the
task stands are written together; a saved state that is here already is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from backend.annotations import context as facts
from backend.annotations import wishes
from backend.annotations.context import Basis, Known, Wanted
from backend.annotations.wish import Wish
from backend.annotations.wish import wishes as wishes_of
from backend.db import annotations as versions
from backend.db import deliveries, task_state
from backend.db.engine import Database
from backend.db.tables import Annotation, Diff
from backend.jobs.pace import Pace

TRIES = 3
"""So often a reading that no longer holds is computed again outside of the transaction."""

_PART = 50
"""Annotations per transaction."""

Closing = Callable[[Session], None]
Reading = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True)
class Outcome:
    """What is to be written for one annotation.

    Attributes:
        version: columns of a new version; None where there is none.
        diffs: of that version.
        jobs: what a worker should look for in the video, as ``wishes.ask`` takes it.
        row, columns: a stored version, and what changes in it.
        entries: the tubes as they were read: what their wishes may have found is looked for.
        after: called with the new version's row, in the same transaction.
    """

    version: dict[str, Any] | None = None
    diffs: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    row: int | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    entries: Sequence[Any] = ()
    after: Callable[[Session, int], None] | None = None


class Plan(Protocol):
    """One annotation to be read.

    Attributes:
        digest: of the saved state, where it may be here already.
    """

    @property
    def wanted(self) -> Wanted: ...
    @property
    def digest(self) -> str | None: ...
    def compute(self, known: Known) -> Outcome: ...


@dataclass(frozen=True)
class Prepared:
    """Plans with what they were computed from.

    Attributes:
        missing: wishes for which no worker had found anything, with the video's hash.
    """

    plans: Sequence[Plan]
    bases: list[Basis]
    outcomes: list[Outcome]
    missing: list[tuple[str, Wish]]


class Changed(Exception):
    """What a reading was computed from is another by now."""


def store(database: Database, plans: Sequence[Plan], closing: Closing | None = None, pace: Pace | None = None) -> int:
    """Compute and write; how many versions are new.

    Args:
        closing: called in the last transaction; what it raises takes back what that one wrote.
        pace: is told how long the transactions took.
    """
    parts = apart(plans) or [[]]
    return sum(_store(database, part, closing if part is parts[-1] else None, pace) for part in parts)


def apart(plans: Sequence[Plan]) -> list[list[Plan]]:
    """Parts with each annotation once, in their order: a version is read against those before it."""
    parts: list[list[Plan]] = []
    last: dict[int, int] = {}
    for plan in plans:
        at = last.get(plan.wanted.annotation, -1) + 1
        while at < len(parts) and len(parts[at]) >= _PART:
            at += 1
        if at == len(parts):
            parts.append([])
        parts[at].append(plan)
        last[plan.wanted.annotation] = at
    return parts


def _store(database: Database, plans: Sequence[Plan], closing: Closing | None, pace: Pace | None) -> int:
    for _ in range(TRIES):
        prepared = prepare(database.read, plans)
        if not prepared.plans and closing is None:
            return 0
        try:
            with database.write() as session:
                session.connection()  # SQLite's lock is waited for here, and held from here on
                began = time.monotonic()
                added = _write(session, prepared, closing)
        except Changed:
            continue
        if pace is not None:
            pace.took(len(plans), time.monotonic() - began)
        return added
    with database.write() as session:
        _hold(session, plans, facts.bases(session, [plan.wanted for plan in plans]))
        prepared = prepare(lambda: nullcontext(session), plans)
        return _write(session, prepared, closing, held=True)


def prepare(reading: Reading, plans: Sequence[Plan]) -> Prepared:
    """Look, and compute outside of any session. States that are known are left out before anything is read."""
    with reading() as session:
        said = versions.short(session, [plan.wanted.annotation for plan in plans])
        plans = [
            plan
            for plan in plans
            if plan.digest is None or not versions.is_known(said[plan.wanted.annotation], plan.digest)
        ]
        wanted = [plan.wanted for plan in plans]
        bases = facts.bases(session, wanted, said)
        known = facts.load(session, wanted, bases)
    outcomes = [plan.compute(one) for plan, one in zip(plans, known, strict=True)]
    looked = [_looked(one, outcome) for one, outcome in zip(known, outcomes, strict=True)]
    if not any(looked):
        return Prepared(plans, bases, outcomes, [])
    with reading() as session:
        found = facts.found_for(session, [wish for mine in looked for wish in mine])
    for at, mine in enumerate(looked):
        own = {wish.key: found[sha256, wish.key] for sha256, wish in mine if (sha256, wish.key) in found}
        if own:
            outcomes[at] = plans[at].compute(replace(known[at], found=own))
    missing = [(sha256, wish) for mine in looked for sha256, wish in mine if (sha256, wish.key) not in found]
    return Prepared(plans, bases, outcomes, missing)


def _looked(known: Known, outcome: Outcome) -> list[tuple[str, Wish]]:
    """What a worker may have found in the video that the tubes would be longer by."""
    video = None if known.task is None else known.task.video
    if video is None:
        return []
    return [(video.sha256, wish) for _, wish in wishes_of(outcome.entries) if not wish.offer]


def _write(session: Session, prepared: Prepared, closing: Closing | None, *, held: bool = False) -> int:
    """The short transaction. Raises :class:`Changed` where something is another by now."""
    added = 0
    if prepared.plans:
        wishes.ask(session, [job for outcome in prepared.outcomes for job in outcome.jobs])
        if not held:
            _hold(session, prepared.plans, prepared.bases)
            _check(session, prepared)
        added = _insert(session, prepared)
    if closing is not None:
        closing(session)
    return added


def _hold(session: Session, plans: Sequence[Plan], bases: Sequence[Basis]) -> None:
    """Nobody else adds to these annotations, or decides about their tasks, until the transaction ends."""
    versions.hold(session, [plan.wanted.annotation for plan in plans])
    task_state.hold(session, {number for basis in bases for number in basis.task_ids})


def _check(session: Session, prepared: Prepared) -> None:
    if facts.bases(session, [plan.wanted for plan in prepared.plans]) != prepared.bases:
        raise Changed
    if prepared.missing and facts.found_for(session, prepared.missing):
        raise Changed


def _insert(session: Session, prepared: Prepared) -> int:
    """Write it; what the annotations were read against still holds, and is held."""
    outcomes = prepared.outcomes
    for outcome in outcomes:
        if outcome.row is not None and outcome.columns:
            session.execute(update(Annotation).where(Annotation.id == outcome.row).values(**outcome.columns))
    new = [outcome for outcome in outcomes if outcome.version is not None]
    said = {plan.wanted.annotation: one.versions for plan, one in zip(prepared.plans, prepared.bases, strict=True)}
    rows = versions.add_versions(session, [one.version for one in new if one.version is not None], said=said)
    made = [(rows[one.version["digest"]], one) for one in new if one.version and one.version["digest"] in rows]
    diffs = [{"annotation_id": number, **columns} for number, outcome in made for columns in outcome.diffs]
    if diffs:
        session.execute(insert(Diff), diffs)
    deliveries.tell_again(session, *(one.version.get("task_id") for _, one in made if one.version))
    for number, outcome in made:
        if outcome.after is not None:
            outcome.after(session, number)
    return len(made)
