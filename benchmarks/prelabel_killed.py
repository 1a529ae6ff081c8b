"""Does a pre-labelling run that is killed again and again ground every sentence once?

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/prelabel_killed.py --clips 300 --kills 10 --out killed.json

Clips are rendered, ``stvg prelabel`` grounds two sentences on each. At moments that a seed spreads over the run, in
turn the whole run, one of its workers and the whole run again are killed with SIGKILL, and every fourth time the run is
asked to stop with SIGTERM; a run that is gone is started again. At the end every sentence must have one answer.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from backend.db import schema
from backend.db.engine import Database
from backend.db.tables import Job, Prediction, Task
from stvg_core.demo.clips import split_scene, write_clip

PROGRAM = [sys.executable, "-c", "from backend.cli.main import main; main()"]
TURNS = ("run", "worker", "run", "stop")


def render(folder: Path, count: int, seconds: float) -> Path:
    """``count`` clips and a table with two sentences on each."""
    rows = ["video,query"]
    for number in range(count):
        scene = split_scene("demo", number, difficulty="easy", max_seconds=seconds)
        write_clip(folder / f"clip-{number}.mp4", scene)
        rows += [f"clip-{number}.mp4,{scene.query}", f"clip-{number}.mp4,the thing that moves"]
    table = folder / "videos.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


class Run:
    """``stvg prelabel`` on a table, started again whenever it is gone."""

    def __init__(self, table: Path, env: dict[str, str], workers: int, log: Path) -> None:
        self._command = [*PROGRAM, "prelabel", str(table), "--json", "--workers", str(workers)]
        self._env, self._log = {**os.environ, **env}, log
        self.starts = 0
        self._start()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT, env=self._env)
        self.starts += 1

    def harm(self, what: str, draw: random.Random) -> None:
        """Kill it, one of its workers, or ask it to stop."""
        if what == "worker":
            children = _children(self.process.pid)
            if children:
                os.kill(draw.choice(children), signal.SIGKILL)
            return
        self.process.send_signal(signal.SIGTERM if what == "stop" else signal.SIGKILL)
        self.process.wait()
        self._start()

    def ended(self) -> bool:
        return self.process.poll() is not None


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def done(database: Database) -> int:
    """Sentences that are answered; none before there is a database."""
    if schema.is_missing_or_empty(database.engine) or schema.current_revision(database.engine) is None:
        return 0
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Job).where(Job.state == "done")) or 0


def check(database: Database, sentences: int) -> dict[str, Any]:
    """Raises AssertionError unless every sentence has one task, one job that is done, and one prediction."""
    with database.read() as session:
        tasks = session.scalars(select(Task)).all()
        jobs = session.scalars(select(Job)).all()
        pairs = Counter(
            (row.video_id, row.query) for row in session.execute(select(Prediction.video_id, Prediction.query))
        )
    assert len(tasks) == len(jobs) == sentences, (len(tasks), len(jobs))
    assert {job.state for job in jobs} == {"done"}, Counter(job.state for job in jobs)
    assert len({job.task_id for job in jobs}) == sentences
    assert set(pairs.values()) == {1} and {(task.video_id, task.query) for task in tasks} == set(pairs)
    return {"tries": sum(job.attempts for job in jobs), "predictions": len(pairs)}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=2.0, help="at most so long is a clip")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--lease", type=float, default=10.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    draw, sentences = random.Random(chosen.seed), 2 * chosen.clips
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = render(folder, chosen.clips, chosen.seconds)
        env = {
            "STVG_DATABASE_URL": f"sqlite:///{folder}/stvg.sqlite3", "STVG_DATA_DIR": str(folder / "data"),
            "STVG_LEASE_SECONDS": str(chosen.lease),
        }  # fmt: skip
        database = Database(env["STVG_DATABASE_URL"])
        moments = sorted(draw.sample(range(sentences - 1), min(chosen.kills, sentences - 1)))
        began, harmed = time.monotonic(), Counter[str]()
        run = Run(table, env, chosen.workers, folder / "log.txt")
        for number, moment in enumerate(moments):
            while done(database) < moment and not run.ended():
                time.sleep(0.2)
            what = TURNS[number % len(TURNS)]
            run.harm(what, draw)
            harmed[what] += 1
        run.process.wait()
        seconds = time.monotonic() - began
        assert run.process.returncode == 0, (folder / "log.txt").read_text()[-4000:]
        found = check(database, sentences)
        database.close()
    result = {
        "clips": chosen.clips, "sentences": sentences, "workers": chosen.workers, "killed": dict(harmed),
        "starts": run.starts, "seconds": round(seconds, 1), "sentences_per_s": round(sentences / seconds, 3), **found,
    }  # fmt: skip
    if chosen.out is not None:
        chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    sys.stdout.write(json.dumps(result) + "\n")
    return result


if __name__ == "__main__":
    main()
