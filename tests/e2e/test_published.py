"""A local project goes into a real Label Studio: whatever ends the command, each task and its tube are there once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend.db.engine import Database
from backend.db.local_keys import KEY
from backend.db.tables import Annotation, Chore, Delivery, Job, Prediction, Task
from backend.db.types import now
from backend.demo import annotator
from backend.demo.label_studio import LabelStudioServer
from backend.demo.stack import Stack
from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import read_config
from labeling_config import video_tube
from stvg_core.demo.clips import split_scene, write_clip
from tests.e2e.between import Between

pytestmark = pytest.mark.label_studio

PATIENCE_S = 240
TITLE = "片段 [a] (b), c"
PROGRAM = [
    sys.executable,
    "-c",
    "import backend.runs.publishing as p; p.CHUNK = 3; from backend.cli.main import main; main()",
]
"""``stvg`` with small chunks."""
OTHER = (
    '<View><Header value="$sentence"/><Video name="film" value="$clip" frameRate="$rate"/>'
    '<VideoRectangle name="where" toName="film"/><Labels name="what" toName="film"><Label value="it"/></Labels></View>'
)


def wait_for(what: str, condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.05)


class Team:
    """People with a stack and a folder of clips."""

    def __init__(self, client: LabelStudioClient, stack: Stack, folder: Path) -> None:
        self.client, self.stack, self.folder = client, stack, folder
        self.database = Database(stack.database_url)
        self.rows = ["video,query"]

    def add_clip(self, name: str, number: int) -> None:
        scene = split_scene("demo", number, difficulty="easy", max_seconds=1.6)
        write_clip(self.folder / name, scene)
        self.rows += [f'"{name}","{scene.query}"', f'"{name}","the thing on the left"']
        (self.folder / "videos.csv").write_text("\n".join(self.rows) + "\n", encoding="utf-8")

    def prelabel(self) -> None:
        """Without Label Studio: the stack's worker does it."""
        self.stack.run("prelabel", str(self.folder), "--project", "local 片段", "--enqueue-only", "--json")

    def connect(self, *more: str, url: str | None = None) -> subprocess.Popen[str]:
        words = ["connect", "--from", "local 片段", "--backend-url", self.stack.url, "--videos", str(self.folder)]
        words += [] if "--project" in more else ["--project", f" {TITLE} "]
        words += [] if url is None else ["--url", url]
        return subprocess.Popen(
            [*PROGRAM, *words, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **self.stack.env, "STVG_LEASE_SECONDS": "3600"},
        )  # fmt: skip

    def lease_runs_out(self) -> None:
        """Of a command that is gone: the test says when, however slow the machine is."""
        with self.database.write() as session:
            held = session.scalars(select(Chore).where(Chore.state == Chore.HELD, Chore.name.like("publish%"))).one()
            held.lease_until = now() - timedelta(seconds=1)

    def connected(self, *more: str, url: str | None = None) -> str:
        done = self.connect(*more, url=url)
        said = done.communicate()[0]
        assert done.returncode == 0, said
        return said

    def project(self) -> int:
        [found] = self.client.projects(title=TITLE)
        return int(found["id"])

    def there(self, project: int | None = None) -> list[Json]:
        return list(self.client.tasks(self.project() if project is None else project))

    def ours(self) -> list[Task]:
        with self.database.read() as session:
            return list(session.scalars(select(Task).where(Task.project_id == self.project())))

    def answered(self) -> bool:
        with self.database.read() as session:
            open_ = session.scalars(select(Job.id).where(Job.state.in_(("queued", "running"))).limit(1)).first()
            return open_ is None

    def delivered(self) -> bool:
        with self.database.read() as session:
            mine = select(Delivery).join(Task).where(Task.project_id == self.project())
            rows = session.scalars(mine).all()
        assert all(row.state != "failed" for row in rows), [row.reason for row in rows]
        return bool(rows) and all(row.state == "delivered" for row in rows)

    def check(self, count: int, project: int | None = None) -> None:
        """Each task once, with its prediction once, and that is the one that we have."""
        wait_for("the deliveries", self.delivered)
        there = self.there(project)
        config = read_config(str(self.client.project(self.project() if project is None else project)["label_config"]))
        pairs = Counter((config.video_of(task["data"]), config.query_of(task["data"])) for task in there)
        assert len(there) == len(pairs) == count, pairs
        assert len({task["data"][KEY] for task in there}) == count
        for task in there:
            with self.database.read() as session:
                row = session.scalars(select(Task).where(Task.project_id > 0, Task.ls_task_id == task["id"])).one()
                asked = session.scalars(select(Job).where(Job.task_id == row.id)).one()
                known = session.get_one(Prediction, asked.prediction_id)
                assert row.name is not None, "the local task itself, not a second one"
            [shown] = self.client.predictions(task["id"])
            box = next(region for region in shown["result"] if region["type"] == "videorectangle")
            assert box["id"] == known.region_id and box["from_name"] == config.box_name
            assert known.keyframes is not None and known.query in config.query_of(task["data"])
            assert [one["frame"] for one in box["value"]["sequence"]] == [one[0] + 1 for one in known.keyframes]
            for one, (_, x1, y1, x2, y2) in zip(box["value"]["sequence"], known.keyframes, strict=True):
                corner = [one[key] for key in ("x", "y", "width", "height")]
                assert corner == pytest.approx([100 * x1, 100 * y1, 100 * (x2 - x1), 100 * (y2 - y1)], abs=0.01)


@pytest.fixture(scope="module")
def team(
    client: LabelStudioClient, label_studio: LabelStudioServer, document_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Team]:  # fmt: skip
    """A stack of its own: what other tests ask about does not wait here."""
    folder = document_root / "片段 [x] (y)"
    folder.mkdir()
    env = {"STVG_LEASE_SECONDS": "6"}
    with Stack(tmp_path_factory.mktemp("team"), label_studio, document_root=document_root, env=env) as stack:
        found = Team(client, stack, folder)
        for number, name in enumerate(("a b.mp4", "红 [1].mp4", "c(2).mp4")):
            found.add_clip(name, number)
        found.prelabel()
        wait_for("the answers", found.answered)
        yield found
        found.database.close()


def annotation(team: Team, number: int) -> Annotation | None:
    with team.database.read() as session:
        return session.scalars(select(Annotation).where(Annotation.ls_annotation_id == number)).first()


def test_a_command_that_is_killed_puts_each_task_there_once(team: Team, label_studio: LabelStudioServer) -> None:
    with Between(label_studio.url) as between:
        # In the middle of an import, which Label Studio goes on with after its sender is gone.
        between.hold()
        run = team.connect(url=between.url)
        wait_for("an import", between.held.is_set)
        run.kill()
        run.communicate()
        between_again = Between(label_studio.url)
        with between_again:
            between_again.hold()
            run = team.connect(url=between_again.url)
            assert run.stdout is not None
            said = next(line for line in run.stdout if "waiting until it has ended" in line)
            assert "cut off a moment ago" in said and team.there() == []
            between.let_go()
            team.lease_runs_out()
            # An annotator is faster than the next command: by the webhook the first task is known.
            made = team.client.create_annotation(team.there()[0]["id"], [], was_cancelled=True, lead_time=1.0)
            wait_for("the webhook", lambda: annotation(team, made["id"]) is not None)
            # Between two imports.
            wait_for("the second import", between_again.held.is_set)
            assert len(team.there()) == 3
            run.kill()
            run.communicate()
            between_again.drop()
    team.lease_runs_out()
    assert "put 3 tasks there; 3 belong to the project now, 3 of them with a suggestion" in team.connected()
    team.check(6)
    kept = annotation(team, made["id"])
    assert kept is not None and kept.was_cancelled and kept.task_id in {row.id for row in team.ours()}
    assert len(team.client.projects()) == len({found["title"] for found in team.client.projects()})
    said = team.connected()
    assert "put 0 tasks there; 0 belong to the project now" in said and "warning: one sentence" not in said
    team.check(6)


def test_sync_adds_nothing_and_more_videos_arrive_alone(team: Team, label_studio: LabelStudioServer) -> None:
    before = {task["id"] for task in team.there()}
    config = read_config(video_tube())
    task = min(before)
    [shown] = team.client.predictions(task)
    made = annotator.correct(team.client, task, shown, config, cut=1, shift=1.0)
    wait_for("the webhook", lambda: annotation(team, made["id"]) is not None)
    with team.database.read() as session:
        rows, labels = len(session.scalars(select(Task)).all()), len(session.scalars(select(Annotation)).all())
    team.stack.run("sync")
    with team.database.read() as session:
        assert len(session.scalars(select(Task)).all()) == rows
        assert len(session.scalars(select(Annotation)).all()) == labels
    team.add_clip("später 新.mp4", 3)
    team.prelabel()
    wait_for("the answers", team.answered)
    with Between(label_studio.url) as between:
        # Label Studio is gone in the middle of it, and comes back.
        between.hold()
        run = team.connect(url=between.url)
        wait_for("an import", between.held.is_set)
        label_studio.child.kill()
        between.drop()
        said = run.communicate()[0]
        assert run.returncode == 1 and "broke" in said and "Traceback" not in said, said
        label_studio.start()
    team.lease_runs_out()
    assert "put 2 tasks there; 2 belong to the project now, 2 of them with a suggestion" in team.connected()
    team.check(8)
    assert before < {task["id"] for task in team.there()}
    kept = annotation(team, made["id"])
    assert kept is not None and kept.verdict == "wrong time" and kept.prediction_id is not None


def test_a_project_with_other_tag_names(team: Team) -> None:
    number = int(team.client.create_project("other names", OTHER)["id"])
    team.add_clip("d.mp4", 4)
    team.prelabel()
    wait_for("the answers", team.answered)
    team.connected("--project", str(number))
    wait_for("the predictions", lambda: all(team.client.predictions(task["id"]) for task in team.there(number)))
    there = team.there(number)
    assert len(there) == 2
    for task in there:
        assert set(task["data"]) == {"clip", "sentence", "rate", KEY}
        [shown] = team.client.predictions(task["id"])
        assert {region["from_name"] for region in shown["result"]} <= {"where", "what"}
        assert {region["to_name"] for region in shown["result"]} == {"film"}
