"""Several sentences about one video are looked at as a group; which sentence gets what?

A group shares what each sentence alone would do anew: prefills at V = 0 where the memory does not suffice to keep them,
and batches of prefills where tokens are few (:mod:`stvg_core.mllm.together`). Nothing about an answer depends on the
group: what fails in it is done one by one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from stvg_core.decomposition import Decomposer
from stvg_core.method.evidence import Rows
from stvg_core.method.look import Sentence
from stvg_core.mllm.session import Session
from stvg_core.out_of_memory import is_short_of_memory
from stvg_core.query import SubQueries, as_statement, normalise_query
from stvg_core.stopwatch import Stopwatch

Progress = Callable[[float, str], None]
_log = logging.getLogger(__name__)


@dataclass
class Room:
    """What was found out about the memory while sentences were answered.

    Attributes:
        keep: it suffices for prefills that are kept from sentence to sentence.
        together: it suffices for groups.
    """

    keep: bool = True
    together: bool = True


@dataclass(frozen=True)
class Looked:
    """What a sentence saw in a group.

    Attributes:
        session: in which it was seen; the rows mean nothing for another one.
        seconds: of each stage, the sentence's share of what all did at once.
    """

    parts: SubQueries
    rows: Rows
    session: Session
    seconds: dict[str, float]


def look_together(
    session: Session,
    queries: Sequence[str],
    decomposer: Decomposer,
    look: Callable[[Sequence[Sentence], Callable[[float], None]], list[Rows]],
    report: Progress,
    failed: Callable[[], None],
) -> list[Looked | Exception | None]:
    """For each sentence what it saw, or None where it is to be done alone.

    Args:
        look: sees several sentences, and tells the share that is done.
        report: progress of the first sentence. What it raises is the first one's answer.
        failed: called where the look failed.
    """
    watch = Stopwatch()
    sentences: list[Sentence] = []
    places: list[int] = []
    stopped: list[Exception] = []

    def tick(share: float, stage: str = "look") -> None:
        try:
            report(0.4 + 0.4 * share if stage == "look" else 0.0, stage)
        except Exception as error:
            stopped.append(error)
            raise

    found: list[Looked | Exception | None] = [None] * len(queries)
    try:
        tick(0.0, "decode")
        with watch("decompose"):
            for n, query in enumerate(queries):
                with suppress(Exception):  # it is told when the sentence's turn comes
                    sentence = normalise_query(query)
                    sentences.append((as_statement(sentence), decomposer.decompose(sentence)))
                    places.append(n)
        if len(sentences) < 2:
            return found
        with watch("attention"):
            rows = look(sentences, tick)
    except Exception as error:
        if stopped:
            return [stopped[0], *found[1:]]
        if not (isinstance(error, (RuntimeError, MemoryError)) and is_short_of_memory(error)):
            _log.warning("Sentences are looked at one by one, as a group failed: %s", error)
        failed()
        return found
    seconds = {stage: spent / len(sentences) for stage, spent in watch.seconds.items()}
    for n, (_, parts), one in zip(places, sentences, rows, strict=True):
        found[n] = Looked(parts, one, session, seconds)
    return found


def rising(report: Progress) -> Progress:
    """``report`` without what was said already: a sentence that was looked at begins again, its progress does not."""
    last = -1.0, ""

    def only(share: float, stage: str) -> None:
        nonlocal last
        if share >= last[0] and (share, stage) != last:
            last = share, stage
            report(share, stage)

    return only
