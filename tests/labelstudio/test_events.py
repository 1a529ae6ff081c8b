"""Webhook bodies in their several shapes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backend.labelstudio.events import parse_annotation, parse_event
from backend.labelstudio.payloads import PayloadError
from tests.labelstudio.bodies import CONFIG, annotation, event, task


@pytest.mark.parametrize("action", ["ANNOTATION_CREATED", "ANNOTATION_UPDATED"])
def test_a_saved_annotation_comes_with_its_task_and_interface(action: str) -> None:
    found = parse_event(event(action, annotation=annotation(), task=task(13)))
    assert (found.action, found.project_id, found.task_id) == (action, 7, 13)
    assert found.label_config == CONFIG
    assert found.task_data[13]["query"] == "the red square"
    [saved] = found.annotations
    assert (saved.id, saved.task_id, saved.completed_by, saved.parent_prediction) == (8, 13, 1, 61)
    assert saved.lead_time == pytest.approx(9.332)
    assert not saved.was_cancelled
    assert saved.result[0]["value"]["sequence"][0]["frame"] == 6
    assert saved.updated_at == datetime(2026, 11, 22, 11, 12, 33, 335779, UTC)


def test_a_skip_is_an_annotation_that_was_cancelled() -> None:
    skipped = annotation(result=[], was_cancelled=True, parent_prediction=None)
    [saved] = parse_event(event("ANNOTATION_CREATED", annotation=skipped, task=task(13))).annotations
    assert saved.was_cancelled and saved.result == []


def test_annotations_made_from_predictions_come_as_a_list_under_the_singular_name() -> None:
    body = event("ANNOTATIONS_CREATED", annotation=[annotation(3, 1), annotation(4, 2)], task=[task(1), task(2)])
    found = parse_event(body)
    assert [(a.id, a.task_id) for a in found.annotations] == [(3, 1), (4, 2)]
    assert found.task_id is None
    assert set(found.task_data) == {1, 2}


def test_a_deletion_tells_nothing_but_the_ids() -> None:
    found = parse_event(event("ANNOTATIONS_DELETED", annotations=[{"id": 1}, {"id": 3}]))
    assert found.deleted_ids == [1, 3]
    assert found.annotations == [] and found.task_id is None and found.project_id == 7


def test_new_tasks_are_read_from_the_plural() -> None:
    found = parse_event(event("TASKS_CREATED", tasks=[task(6)]))
    assert found.task_id == 6 and found.task_data[6]["fps"] == 25
    assert found.annotations == []


@pytest.mark.parametrize("action", ["START_TRAINING", "PROJECT_UPDATED", "SOMETHING_NEW"])
def test_other_events_carry_nothing_but_the_project(action: str) -> None:
    found = parse_event(event(action))
    assert (found.project_id, found.annotations, found.deleted_ids, found.task_data) == (7, [], [], {})


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"action": 3},
        event("ANNOTATION_CREATED", annotation="x"),
        event("ANNOTATION_CREATED", annotation=annotation(result="x")),
        event("ANNOTATION_CREATED", annotation=annotation(result=["x"])),
        event("ANNOTATION_CREATED", annotation={"result": []}),
    ],
)
def test_a_malformed_event_is_refused(body: object) -> None:
    with pytest.raises(PayloadError):
        parse_event(body)


def test_an_annotation_from_polling_reads_the_same() -> None:
    polled = annotation(completed_by={"id": 4, "email": "a@example.org"})
    del polled["task"]
    saved = parse_annotation(polled, task_id=13)
    assert (saved.id, saved.task_id, saved.completed_by) == (8, 13, 4)


def test_odd_fields_of_an_annotation_become_none() -> None:
    odd = annotation(completed_by=None, lead_time=None, created_at="yesterday", updated_at="2026-11-22T11:12:33")
    saved = parse_annotation(odd)
    assert (saved.completed_by, saved.lead_time, saved.created_at) == (None, None, None)
    assert saved.updated_at is not None and saved.updated_at.tzinfo is not None
