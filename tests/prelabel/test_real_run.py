"""``stvg prelabel`` as a person runs it: rendered clips, the embedded model, two workers, killed and stopped midway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from backend.db import schema
from backend.db.engine import Database
from backend.db.errors import DatabaseError
from backend.db.tables import Delivery, Job, Prediction, Task
from backend.db.types import now
from stvg_core.demo.clips import split_scene, write_clip

CLIPS = 5
PROGRAM = [sys.executable, "-c", "from backend.cli.main import main; main()"]


def done(database: Database) -> int:
    try:
        schema.check_ready(database.engine)
    except DatabaseError:
        return 0
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Job).where(Job.state == "done")) or 0


def start(folder: Path, env: Mapping[str, str], *more: str) -> subprocess.Popen[str]:
    command = [*PROGRAM, "prelabel", str(folder), "--json", "--project", "Clips", *(more or ("--workers", "2"))]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **env}
    )


def until_done(run: subprocess.Popen[str], database: Database, count: int) -> None:
    while done(database) < count:
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.1)


def hold_back(database: Database, *, all_but: int) -> int:
    """So many jobs can be done now, the others when the test says so: no run is over before it could be stopped.

    Returns how many are done when these are.
    """
    with database.write() as session:
        late = session.scalars(select(Job.id).where(Job.state != "done").order_by(Job.id).offset(all_but)).all()
        held = {"run_after": now() + timedelta(days=1), "state": "queued", "leased_by": None, "lease_until": None}
        session.execute(update(Job).where(Job.id.in_(late)).values(held))
        session.execute(update(Job).where(Job.state == "queued", Job.id.not_in(late)).values(run_after=None))
        return (session.scalar(select(func.count()).select_from(Job)) or 0) - len(late)


def lines(run: subprocess.Popen[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.communicate()[0].splitlines() if line.startswith("{")]


def test_a_run_that_is_killed_and_stopped_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    rows = ["video,query"]
    for number in range(CLIPS):
        scene = split_scene("demo", number, difficulty="easy", max_seconds=2.0)
        write_clip(folder / f"clip-{number}.mp4", scene)
        rows += [f"clip-{number}.mp4,{scene.query}", f"clip-{number}.mp4,the thing on the left"]
    (folder / "videos.csv").write_text("\n".join(rows) + "\n")
    env = {
        "STVG_DATABASE_URL": f"sqlite:///{tmp_path}/stvg.sqlite3", "STVG_DATA_DIR": str(tmp_path / "data"),
        "STVG_LEASE_SECONDS": "5", "OMP_NUM_THREADS": "1", "STVG_LABEL_STUDIO_URL": "", "STVG_LABEL_STUDIO_TOKEN": "",
    }  # fmt: skip
    database = Database(env["STVG_DATABASE_URL"])

    enqueued = start(folder, env, "--enqueue-only")
    assert lines(enqueued) and enqueued.returncode == 0
    hold_back(database, all_but=4)
    run = start(folder, env)
    until_done(run, database, 1)
    run.kill()  # the whole run, as when the power goes; its workers notice by themselves
    run.communicate()

    first = hold_back(database, all_but=2)
    run = start(folder, env)
    until_done(run, database, first)
    hold_back(database, all_but=3)
    run.send_signal(signal.SIGTERM)
    said = lines(run)
    assert run.returncode == 128 + signal.SIGTERM
    assert said[-1]["event"] == "summary" and said[-1]["interrupted"] and said[-1]["waiting"] > 0
    with database.read() as session:
        assert session.scalars(select(Job).where(Job.state == "running")).all() == [], "what was in hand was put back"

    hold_back(database, all_but=2 * CLIPS)
    run = start(folder, env)
    last = lines(run)[-1]
    assert run.returncode == 0, last["failures"]
    assert (last["items"], last["new"], last["done"], last["failed"]) == (2 * CLIPS, 0, 2 * CLIPS, 0)
    with database.read() as session:
        tasks = session.scalars(select(Task)).all()
        assert len(tasks) == 2 * CLIPS and all(task.video_id is not None for task in tasks)
        predictions = session.scalars(select(Prediction)).all()
        assert len({(row.video_id, row.query) for row in predictions}) == len(predictions) == 2 * CLIPS
        assert session.scalars(select(Delivery)).all() == []
    database.close()
    exported = [
        *PROGRAM,
        "export",
        "--suggestions",
        "--project",
        "Clips",
        "--format",
        "csv",
        "--out",
        str(tmp_path / "o.csv"),
    ]
    subprocess.run(exported, check=True, env={**os.environ, **env})
    assert (tmp_path / "o.csv").read_text().count("clip-") >= CLIPS
