"""Which regions of an annotation are objects of their own, with a sentence that is not the task's?

A region that answers a question from the page carries the sentence as its note. On a region with the interface's first
label and without our mark, a note is only a note: such a region is about the task's own sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from backend.db import predictions
from backend.db.tables import Prediction, Task
from backend.labelstudio.asking import is_marked, note, suggested_as
from backend.labelstudio.config import LabelConfig
from stvg_core.errors import QueryError
from stvg_core.query import normalise_query


@dataclass(frozen=True)
class OwnSentence:
    """The sentence of a region, and the id under which it was suggested ("" where it was not)."""

    sentence: str
    suggested_as: str

    def entry(self) -> dict[str, str]:
        """What is added to the region's entry in ``annotation.tubes``."""
        return {"sentence": self.sentence} | ({"suggested_as": self.suggested_as} if self.suggested_as else {})


def own_sentences(
    session: Session, task: Task | None, result: Sequence[Mapping[str, Any]], config: LabelConfig
) -> dict[str, OwnSentence]:
    """By region id, for the regions that have one; not for the task's own object."""
    known: Mapping[str, Prediction] = {}
    if task is not None and task.video_id is not None:
        known = predictions.by_region(session, task.video_id, [suggested_as(region) for region in _boxes(result)])
    return own_of(task, result, config, known)


def own_of(
    task: Task | None, result: Sequence[Mapping[str, Any]], config: LabelConfig, known: Mapping[str, Prediction]
) -> dict[str, OwnSentence]:
    """The same where the suggestions in the task's video are known already, by the ids of their regions."""
    first, asked = next(iter(config.labels), None), normal(task.query if task is not None else "")
    found = {}
    for region in _boxes(result):
        labels = (region.get("value") or {}).get("labels") or []
        said = normal(note(region)) if is_marked(region) or first not in (*labels, None) else None
        suggested = known.get(suggested_as(region))
        sentence = said or (None if suggested is None else suggested.query)
        if sentence is not None and sentence != asked:
            found[str(region["id"])] = OwnSentence(sentence, "" if suggested is None else suggested.region_id)
    return found


def _boxes(result: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One region per id, the last."""
    return list({str(r["id"]): r for r in result if r.get("type") == "videorectangle" and r.get("id")}.values())


def normal(sentence: str | None) -> str | None:
    """The sentence as a question holds it, None where it cannot be one."""
    try:
        return None if sentence is None else normalise_query(sentence)
    except QueryError:
        return None
