"""What does the store know about a round of tasks, and what has to be written before they are answered?

Everything is read first, in a session that only reads; bodies are built outside of any transaction; what has to be
written goes in short transactions. Nothing that was read is relied on where another caller may have been quicker:
rows are inserted unless they are there, and the right to hand a prediction out is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from backend.db import deliveries, jobs, predictions, tasks
from backend.db.deliveries import Pair
from backend.db.engine import Database
from backend.db.jobs import Question
from backend.db.predictions import Suggestion
from backend.db.segments import segment_of
from backend.db.tasks import Given, Remembered
from backend.jobs.identity import job_identity, prediction_identity
from backend.jobs.payload import prediction_body
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.payloads import TaskPayload
from stvg_core.errors import QueryError
from stvg_core.query import normalise_query

_OPEN = 0


@dataclass(frozen=True)
class Rules:
    """How one call is answered; see :class:`backend.jobs.answers.Answers`."""

    project_id: int
    config: LabelConfig
    model_version: str
    handout_s: float
    pushes: bool


@dataclass
class Round:
    """What was found out about some tasks of one call, by Label Studio's numbers.

    Attributes:
        asked: the tasks in the order of the call.
        stale: those that are not stored as they are now.
        rows: as they are now; of unknown tasks once they are remembered.
        suggestions: what is known for them.
        taken: those whose prediction nobody may hand out now.
        owed: those whose prediction has to reach them anyway.
        questions: of those without a prediction, and ``queued`` the jobs that these have.
    """

    asked: list[int]
    given: dict[int, Given]
    stale: list[Given] = field(default_factory=list)
    rows: dict[int, Remembered] = field(default_factory=dict)
    suggestions: dict[int, Suggestion] = field(default_factory=dict)
    taken: set[Pair] = field(default_factory=set)
    owed: set[Pair] = field(default_factory=set)
    questions: dict[int, Question] = field(default_factory=dict)
    queued: dict[str, jobs.Queued] = field(default_factory=dict)


def given_of(config: LabelConfig, payload: TaskPayload) -> Given:
    """What a task says of itself."""
    return Given(payload.id, config.video_of(payload.data), config.query_of(payload.data), payload.data)


def readable(query: str) -> tuple[str | None, str | None]:
    """The normalised sentence, or why there is none."""
    try:
        return normalise_query(query), None
    except QueryError as error:
        return None, str(error)


def _sentence(given: Given, problem: str | None) -> tuple[str | None, str | None]:
    """As :func:`readable`; where the task's data could not be kept and that touches its sentence or video, why not."""
    query, reason = readable(given.query)
    touched = query is None or "\ufffd" in given.query + given.video_ref
    return (None, problem) if problem is not None and touched else (query, reason)


def look(session: Session, rules: Rules, payloads: Sequence[TaskPayload]) -> Round:
    """Read what there is to know; writes nothing."""
    given = {payload.id: given_of(rules.config, payload) for payload in payloads}
    problems = {payload.id: payload.problem for payload in payloads if payload.problem is not None}
    found = Round([payload.id for payload in payloads], given)
    known = tasks.known_many(session, rules.project_id, given)
    for number, entry in given.items():
        row = known[number].become(entry, made=False) if number in known else None
        if row is not None:
            found.rows[number] = row
        if row is None or row.differs(known[number]):
            found.stale.append(entry)
    sentences = {number: _sentence(entry, problems.get(number)) for number, entry in given.items()}
    identities = {
        number: prediction_identity(row.video_sha256, query, rules.model_version, segment=segment_of(row.data))
        for number, row in found.rows.items()
        if row.video_sha256 and row.video_ref and (query := sentences[number][0]) is not None
    }
    by_identity = predictions.find_many(session, sorted(set(identities.values())))
    found.suggestions = {number: by_identity[one] for number, one in identities.items() if one in by_identity}
    for_push = {number for number in found.suggestions if _left_to_push(rules, given[number])}
    pairs = {number: (one.id, found.rows[number].id) for number, one in found.suggestions.items()}
    found.taken = deliveries.taken_many(
        session, [pair for number, pair in pairs.items() if number not in for_push], window_s=rules.handout_s
    )
    found.questions = {
        number: _question(rules, entry, *sentences[number]) for number, entry in given.items() if number not in pairs
    }
    found.queued = jobs.known_many(session, sorted(one.identity for one in found.questions.values()))
    owing = [pairs[number] for number in for_push] + [pair for row in found.queued.values() if (pair := _answer(row))]
    found.owed = deliveries.owed_many(session, owing)
    return found


def answer(database: Database, rules: Rules, found: Round) -> list[list[dict[str, Any]]]:
    """Write what has to be written; one list per task: the prediction, or empty."""
    database.write_in_turns(found.stale, lambda session, some: _remember(session, rules, found, some))
    _ask(database, found)
    _owe(database, rules, found)
    bodies = _hand_out(database, rules, found)
    return [[bodies.pop(number)] if number in bodies else [] for number in found.asked]


def _remember(session: Session, rules: Rules, found: Round, some: Sequence[Given]) -> None:
    found.rows |= tasks.remember_many(session, rules.project_id, some)


def _ask(database: Database, found: Round) -> None:
    """One job for each task without a prediction; an answer that was an annotator's question is owed to it now."""
    short = [
        replace(one, task_id=found.rows[number].id)
        for number, one in found.questions.items()
        if (row := found.queued.get(one.identity)) is None or row.lacks(one)
    ]

    def write(session: Session, some: Sequence[Question]) -> None:
        stored = jobs.enqueue_many(session, some)
        deliveries.owe_many(session, [pair for row in stored.values() if (pair := _answer(row))])

    database.write_in_turns(short, write)


def _owe(database: Database, rules: Rules, found: Round) -> None:
    wanted = [pair for row in found.queued.values() if (pair := _answer(row))]
    for number, suggestion in found.suggestions.items():
        if _left_to_push(rules, found.given[number]):  # the push writes the frame rate first
            wanted.append((suggestion.id, found.rows[number].id))
    missing = [pair for pair in wanted if pair not in found.owed]
    database.write_in_turns(missing, deliveries.owe_many)


def _hand_out(database: Database, rules: Rules, found: Round) -> dict[int, dict[str, Any]]:
    wanted: dict[Pair, tuple[int, dict[str, Any]]] = {}
    for number, suggestion in found.suggestions.items():
        pair = suggestion.id, found.rows[number].id
        if pair not in found.taken and not _left_to_push(rules, found.given[number]):
            # Before it is claimed: what cannot be written down must not count as handed out.
            wanted[pair] = number, prediction_body(suggestion, rules.config)
    claimed: set[Pair] = set()

    def claim(session: Session, some: Sequence[Pair]) -> None:
        claimed.update(deliveries.hand_out_many(session, some, window_s=rules.handout_s))

    database.write_in_turns(list(wanted), claim)
    return dict(wanted[pair] for pair in claimed)


def _left_to_push(rules: Rules, given: Given) -> bool:
    return rules.pushes and not rules.config.has_frame_rate(given.data)


def _question(rules: Rules, given: Given, query: str | None, reason: str | None) -> Question:
    """With the row of its task left open: it may not have one yet."""
    if reason is None and not given.video_ref:
        reason = f'The task has no video: its data needs "{rules.config.video_key}".'
    project, video, sentence = rules.project_id, given.video_ref, query or given.query.strip()
    part = segment_of(given.data)
    identity = job_identity(project, given.ls_task_id, video, sentence, rules.model_version, segment=part)
    return Question(identity, _OPEN, project, video, sentence, rules.model_version, segment=part, refused=reason)


def _answer(row: jobs.Queued) -> Pair | None:
    """What an answered job owes to its task."""
    return (row.prediction_id, row.task_id) if row.state == jobs.DONE and row.prediction_id is not None else None
