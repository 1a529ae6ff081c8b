"""VidSTG's sentences are grounded within their ``used_segment``, from the file to the stored answer and its score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from backend.cli import evaluate
from backend.db.identity import job_identity, prediction_identity
from backend.db.segments import segment_of
from backend.db.tables import Job, Prediction, Task
from backend.prelabel.item import Repeated
from backend.prelabel.sources import open_source
from tests.datasets.small import moving, vidor, vidstg_entry
from tests.prelabel.conftest import Command
from tests.prelabel.given import written

PICTURE = (320, 240)
"""As the fake engine has it."""


def part(first: int, last: int) -> dict[str, Any]:
    width, height = PICTURE
    return {"used_segment": {"begin_fid": first, "end_fid": last}, "width": width, "height": height}


@pytest.fixture
def arguments(command: Command) -> list[object]:
    """One sentence about two parts of a video, and another one about the first part."""
    (command.folder / "123.mp4").write_bytes((command.folder / "a.mp4").read_bytes())
    vidor(command.folder / "vidor", "123", {0: moving(range(40)), 1: moving(range(12, 40), corner=50)}, size=PICTURE)
    entries = [
        vidstg_entry("123", 12, 18, **part(5, 20)),
        vidstg_entry("123", 24, 30, questions=[], **part(21, 40)),  # 40: the frame behind the last one
    ]
    path = written(command.folder / "all.json", entries)
    return [path, "--videos", command.folder, "--vidor", command.folder / "vidor", "--project", "V"]


def test_each_part_is_a_question_of_its_own(command: Command, arguments: list[object]) -> None:
    with open_source(str(arguments[0]), videos=str(command.folder)) as source:
        found = list(source.read())
    assert not [one for one in found if isinstance(one, Repeated)]
    assert command.summary(*arguments)["done"] == 3
    assert sorted(command.engine.parts) == [(5, 20), (5, 20), (21, 39)]
    database = command.database()
    with database.read() as session:
        jobs = session.scalars(select(Job).order_by(Job.task_id)).all()
        assert [(job.query, job.segment) for job in jobs] == [
            ("the dog runs", [5, 20]), ("who sits down?", [5, 20]), ("the dog runs", [21, 39]),
        ]  # fmt: skip
        for job in jobs:
            prediction, [first, last] = session.get_one(Prediction, job.prediction_id), job.segment or ()
            assert first == prediction.start_frame and (prediction.end_frame or 0) <= last
            task = session.get_one(Task, job.task_id)
            said = task.project_id, task.ls_task_id, job.video_ref, job.query, job.model_version
            assert job.identity == job_identity(*said, segment=(first, last)) != job_identity(*said)
            assert task.truth is not None and "others" not in task.truth
    database.close()
    again = command.summary(*arguments)
    assert (again["new"], again["done"], again["not_in_source"]) == (0, 3, 0)


def test_they_are_scored_each_with_its_own(command: Command, arguments: list[object]) -> None:
    command.summary(*arguments)
    scores = command.folder / "scores.json"
    of_file = ["--truth", str(arguments[0]), "--vidor", str(arguments[4])]
    for more in ([], of_file):
        result = CliRunner().invoke(evaluate.command, ["--project", "V", "--json", str(scores), *more])
        assert result.exit_code == 0, result.output
        found = json.loads(scores.read_text())
        assert (found["sentences"], found["scored"], found["missing"]) == (3, 3, 0)
        assert (found["unused_predictions"], found["truth_first_of_several"]) == (0, 0)
        assert all(0 < one["tIoU"] <= 1 for one in found["samples"])


def test_tasks_from_before_are_asked_again_and_not_made_again(command: Command, arguments: list[object]) -> None:
    """Before there were segments, the same tasks were asked about the whole video."""
    command.summary(*arguments)
    database = command.database()
    with database.write() as session:
        for job in session.scalars(select(Job)):
            task = session.get_one(Task, job.task_id)
            job.segment = None
            job.identity = job_identity(task.project_id, task.ls_task_id, job.video_ref, job.query, job.model_version)
    command.engine.parts.clear()
    found = command.summary(*arguments)
    assert (found["items"], found["new"], found["done"]) == (3, 3, 3)
    with database.read() as session:
        assert len(session.scalars(select(Task)).all()) == 3
    database.close()


def test_a_segment_that_the_video_does_not_have_fails_in_words(
    command: Command, arguments: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stvg_core.errors import QueryError

    ground = command.engine.ground

    def refusing(path: Path, query: str, progress: Any, segment: Any = None) -> Any:
        if segment == (21, 39):
            raise QueryError("The segment is frames 21 to 39; the video has frames 0 to 30 (counted from 0).")
        return ground(path, query, progress, segment)

    monkeypatch.setattr(command.engine, "ground", refusing)
    found = command.summary(*arguments, status=3)
    assert (found["done"], found["failed"]) == (2, 1)
    assert any("The segment is frames" in kind for kind in found["failures"])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"kind": "declarative", "segment": [3, 9]}, (3, 9)),
        ({"kind": "interrogative", "segment": [9, 3]}, (9, 3)),
        ({"kind": "other", "segment": [3, 9]}, None),
        ({"segment": [3, 9]}, None),
        ({"kind": "declarative", "segment": "3 9"}, None),
        ({"kind": "declarative", "segment": [3, 9, 1]}, None),
        ({"kind": "declarative", "segment": [True, 9]}, None),
        ({"kind": "declarative"}, None),
    ],
)
def test_which_data_name_a_part(data: dict[str, Any], found: tuple[int, int] | None) -> None:
    assert segment_of(data) == found


def test_identities_without_a_part_are_those_of_before() -> None:
    assert prediction_identity("a" * 64, "q", "m").startswith("9b167ae059f23ceb")
    assert job_identity(1, 2, "v", "q", "m").startswith("b50227186355e31d")
    identities = {prediction_identity("a", "q", "m", None, part) for part in (None, (0, 5), (0, 6), (1, 5))}
    assert len(identities) == 4
