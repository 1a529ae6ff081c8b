"""What an annotator does in Label Studio is in our database, in every version, and in the export."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.db.annotations import versions
from backend.db.tables import Annotation
from backend.demo import annotator
from backend.demo.check import span, stored_tube
from stvg_core.datasets.hcstvg import read
from tests.e2e.loop import Loop

pytestmark = pytest.mark.label_studio

PATIENCE_S = 240


def await_versions(loop: Loop, annotation: int, wanted: Callable[[list[Annotation]], bool]) -> list[Annotation]:
    """Wait for Label Studio's webhook to arrive and to be read."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with loop.database.read() as session:
            rows = list(versions(session, annotation))
        if wanted(rows):
            return rows
        assert time.monotonic() < deadline, f"annotation {annotation}: still {len(rows)} versions"
        time.sleep(0.2)


def export(loop: Loop, out: Path) -> dict[str, tuple[int, int]]:
    """The exported spans by file name, 0-based."""
    loop.stack.run("export", "--format", "hcstvg2", "--out", str(out), "--project", str(loop.project.id))
    return {record.video: span(record.tube()) for record in read(out)}


def test_a_correction_its_second_version_and_its_deletion(loop: Loop, tmp_path: Path) -> None:
    task, clip = sorted(loop.project.tasks.items())[0]
    (prediction,) = loop.client.predictions(task)
    start, end = annotator.span(prediction["result"])
    made = annotator.correct(loop.client, task, prediction, loop.project.config, cut=2, shift=1.5)
    (row,) = await_versions(loop, made["id"], lambda rows: len(rows) == 1)
    tube = stored_tube(row)
    assert tube is not None
    new_end = max(start, end - 2)
    assert span(tube) == (start - 1, new_end - 1)
    proposed_x = prediction["result"][0]["value"]["sequence"][0]["x"]
    assert 100 * tube.boxes[0, 0] == pytest.approx(proposed_x + 1.5, abs=0.01)
    assert (row.was_cancelled, row.verdict, row.author_id) == (False, "wrong time", made["completed_by"])
    assert row.prediction_id is not None
    assert row.ls_parent_prediction == prediction["id"]
    assert export(loop, tmp_path / "first.json")[clip.path.name] == span(tube)

    # The annotator changes their mind: only the start frame's box stays.
    again = annotator.corrected(made["result"], cut=1000, shift=0)
    loop.client.update_annotation(made["id"], again)
    rows = await_versions(loop, made["id"], lambda rows: len(rows) == 2)
    second = stored_tube(rows[1])
    assert second is not None
    assert span(second) == (start - 1, start - 1)
    assert stored_tube(rows[0]) is not None, "the first version stays"
    assert export(loop, tmp_path / "second.json")[clip.path.name] == (start - 1, start - 1)

    loop.client.delete_annotation(made["id"])
    await_versions(loop, made["id"], lambda rows: rows[-1].deleted)
    assert clip.path.name not in export(loop, tmp_path / "third.json")


def test_a_skipped_task_is_noted_and_not_exported(loop: Loop, tmp_path: Path) -> None:
    task, clip = sorted(loop.project.tasks.items())[1]
    made = annotator.skip(loop.client, task)
    (row,) = await_versions(loop, made["id"], lambda rows: len(rows) == 1)
    assert row.was_cancelled
    assert clip.path.name not in export(loop, tmp_path / "labels.json")


def test_an_accepted_tube_is_exported_as_it_was_proposed(loop: Loop, tmp_path: Path) -> None:
    task, clip = sorted(loop.project.tasks.items())[2]
    (prediction,) = loop.client.predictions(task)
    start, end = annotator.span(prediction["result"])
    made = annotator.accept(loop.client, task, prediction, loop.project.config)
    await_versions(loop, made["id"], lambda rows: len(rows) == 1)
    assert export(loop, tmp_path / "labels.json")[clip.path.name] == (start - 1, end - 1)
