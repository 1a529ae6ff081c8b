"""Several objects in one annotation: each keeps its label and sentence, and is compared with its own suggestion."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from backend.annotations.objects import own_sentences
from backend.db import annotations as versions
from backend.db.tables import Annotation, Diff
from backend.jobs.corrections import read_events
from backend.labelstudio.asking import meta_for
from backend.labelstudio.config import read_config
from backend.review.effort import stored_cases
from tests.db.helpers import CONFIG
from tests.jobs.conftest import Loop
from tests.jobs.test_asked import ask, drawn
from tests.jobs.test_corrections import _box, _saved, _send

CONFIG_READ = read_config(CONFIG)


def labelled(region: dict[str, Any], label: str, **more: Any) -> dict[str, Any]:
    return {**region, "value": {**region["value"], "labels": [label]}, **more}


def test_each_object_has_its_sentence_and_its_diff(each_loop: Loop) -> None:
    loop = each_loop
    loop.ask(loop.task(1))
    loop.worker.drain()
    [[body]] = loop.ask(loop.task(1))
    followed = ask(loop, drawn("J84v", sentence="the blue star"))["result"][0]
    _send(loop, _saved(result=[*body["result"], followed, labelled(_box("hand"), "Other")]))
    read_events(loop.database)
    with loop.database.read() as session:
        [row] = versions.current(session)
        assert [entry.get("sentence") for entry in row.tubes] == [None, "the blue star", None]
        assert row.tubes[1]["label"] == "Other" and row.tubes[1]["suggested_as"].startswith("tube-")
        compared = session.scalars(select(Diff).order_by(Diff.object)).all()
        assert [(d.object, d.sentence, d.change) for d in compared] == [
            (0, None, "accepted as is"), (1, "the blue star", "accepted as is"),
        ]  # fmt: skip
        assert compared[0].prediction_id != compared[1].prediction_id and compared[1].region_id == "J84v"
        left_out: Counter[str] = Counter()
        cases = stored_cases(session, left_out)
    assert len(cases) == 2 and all(case.suggested for case in cases) and not left_out
    assert sorted(case.lead_time_s is None for case in cases) == [False, True], "the time is counted once"


def sentences(loop: Loop, *regions: dict[str, Any]) -> dict[str, str]:
    _send(loop, _saved(result=list(regions)))
    read_events(loop.database)
    with loop.database.read() as session:
        row = session.scalars(select(Annotation).order_by(Annotation.id.desc())).first()
        assert row is not None
        found = own_sentences(session, row.task, row.result, CONFIG_READ)
    return {name: own.sentence for name, own in found.items()}


@pytest.mark.parametrize(
    ("label", "meta", "sentence"),
    [
        ("Other", {"text": ["the  star "]}, "the star"),
        ("Other", {"text": ["the red box"]}, None),  # the task's own
        ("Other", None, None),
        ("Other", {"text": ["x" * 6000]}, None),  # no sentence at all
        ("Target", {"text": ["not sure here"]}, None),  # a note
        ("Target", meta_for("the star", "tube-1"), "the star"),
        ("Target", meta_for("the red box", "tube-1"), None),
    ],
)
def test_which_note_is_a_sentence(loop: Loop, label: str, meta: Any, sentence: str | None) -> None:
    found = sentences(loop, labelled(_box("r"), label, **({} if meta is None else {"meta": meta})))
    assert found == ({} if sentence is None else {"r": sentence})


def test_without_a_note_the_suggestion_knows_its_sentence(loop: Loop) -> None:
    """As a typed question's tube comes back from an interface that drops notes."""
    region = ask(loop, sentence="the blue star")["result"][0]
    region.pop("meta")
    assert sentences(loop, region) == {region["id"]: "the blue star"}


def test_an_annotation_is_not_said_to_come_from_a_further_objects_suggestion(loop: Loop) -> None:
    region = ask(loop, sentence="the blue star")["result"][0]
    _send(loop, _saved(result=[_box("by hand"), region]))
    read_events(loop.database)
    with loop.database.read() as session:
        [row] = versions.current(session)
        compared = session.scalars(select(Diff).order_by(Diff.object)).all()
    assert row.prediction_id is None
    assert [d.change for d in compared] == ["drawn from nothing", "accepted as is"]


def test_a_skip_has_no_objects(loop: Loop) -> None:
    region = ask(loop, sentence="the blue star")["result"][0]
    _send(loop, _saved(result=[region], was_cancelled=True))
    read_events(loop.database)
    with loop.database.read() as session:
        assert [d.change for d in session.scalars(select(Diff))] == ["skipped"]
