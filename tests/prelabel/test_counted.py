"""What a run leaves behind is counted alike wherever it is counted: failures by kind, truths that stand for several."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from backend.cli import evaluate
from backend.cli.main import stvg
from backend.db import work_lists
from backend.db.tables import Job, Project, Task
from backend.review import work
from tests.datasets.small import moving, vidor, vidstg_entry
from tests.prelabel.conftest import Command
from tests.prelabel.given import written


def test_a_failure_is_of_one_kind_wherever_it_is_counted(command: Command) -> None:
    """In the summary, in ``stvg jobs reasons`` and on the page of the work."""
    names = ("bad.mp4", "a bad one.mp4", "no ending", "the video")
    for name in names:
        (command.folder / name).write_bytes(b"not a video")
    rows = "".join(f"{name},thing\n" for name in (*names, "bad.mp4")) + "a.mp4,crash now\nb.mp4,crash now\n"
    summary = command.summary(written(command.folder / "some.csv", "video,query\n" + rows), status=3)
    kinds = {kind: one["number"] for kind, one in summary["failures"].items()}
    crash = "Internal error. The worker's log has the details under job N."
    assert kinds == {"... is not a video.": 4, crash: 2}
    database = command.database()
    with database.write() as session:  # what servers answered is another reason for each answer
        for job, code in zip(
            session.scalars(select(Job).where(Job.reason.contains("Internal"))), (404, 503), strict=True
        ):
            job.reason = f"http://files/{job.id}.mp4 answered {code}: no."
    with database.read() as session:
        [project] = session.scalars(select(Project.id))
        page = {one.kind: one.count for one in work.look(session, work.WorkFilter()).failed}
        newest = work_lists.failures(session, work_lists.Chosen())[0].newest
        assert len(work.alike(session, work.WorkFilter(project), newest, most=9)[0]) == 4
    database.close()
    kinds = {
        kind: one["number"] for kind, one in command.summary(command.folder / "some.csv", status=3)["failures"].items()
    }
    assert kinds == {"... is not a video.": 4, "... answered 404: no.": 1, "... answered 503: no.": 1} == page
    listed = CliRunner().invoke(stvg, ["jobs", "reasons", "--json"]).stdout.splitlines()
    assert {row["kind"]: row["jobs"] for row in map(json.loads, listed)} == kinds


@pytest.mark.parametrize("chunk", [1, 500])
def test_a_truth_that_is_the_first_of_several_is_said_to_be(
    command: Command, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """VidSTG gives one sentence to two parts of a video, then to three; the same record twice is no other truth."""
    monkeypatch.setattr("backend.runs.enqueue.CHUNK", chunk)
    (command.folder / "123.mp4").write_bytes((command.folder / "a.mp4").read_bytes())
    vidor(command.folder / "vidor", "123", {0: moving(range(40)), 1: moving(range(12, 40), corner=50)})
    entries = [vidstg_entry("123", 12, 20), vidstg_entry("123", 12, 20), vidstg_entry("123", 20, 30, captions=[])]
    arguments = ("--videos", command.folder, "--vidor", command.folder / "vidor", "--project", "V")
    scores = command.folder / "scores.json"

    def evaluated(*names: str) -> tuple[dict[str, Any], str]:
        with command.database().read() as session:
            truths = {task.query: task.truth or {} for task in session.scalars(select(Task))}
        assert {query: truth.get("others") for query, truth in truths.items()} == {
            "the dog runs": None, "who sits down?": list(names) or None,
        }  # fmt: skip
        result = CliRunner().invoke(evaluate.command, ["--project", "V", "--json", str(scores)])
        assert result.exit_code == 0, result.output
        return json.loads(scores.read_text()), result.stdout

    command.summary(written(command.folder / "one.json", entries[:2]), *arguments)
    found, printed = evaluated()
    assert (found["sentences"], found["truth_first_of_several"]) == (2, 0)
    assert "first of several" not in printed + "".join(found["warnings"])
    path = written(command.folder / "all.json", entries)
    for _ in range(2):  # the second time nothing is new
        command.summary(path, *arguments)
        found, printed = evaluated("123/3/interrogative/1")
        assert (found["sentences"], found["truth_first_of_several"]) == (2, 1)
        assert "1 of 2 truths are the first of several" in found["warnings"][0] and found["warnings"][0] in printed
    command.summary(written(command.folder / "one.json", entries[:2]), *arguments)
    evaluated("123/3/interrogative/1")  # it was another truth of this task, whichever file is read
    path = written(path, [*entries, vidstg_entry("123", 25, 35, captions=[])])
    command.summary(path, *arguments)
    assert evaluated("123/3/interrogative/1", "123/4/interrogative/1")[0]["truth_first_of_several"] == 1
