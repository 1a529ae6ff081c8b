"""Several worker processes at once, let go together when all of them have loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from backend.db.engine import Database
from backend.db.tables import Job

ROOT = Path(__file__).parents[2]


def work(
    url: str, project: int, data: Path, number: int, *, jobs: int, slept: float | None = None, **settings: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Let so many workers do all jobs of a project; what each said when it was ready, and at its end.

    Raises AssertionError unless every job is done, each at its first try.
    """
    given = {"database_url": url, "data_dir": str(data), "device": "cpu", **settings}
    argument = json.dumps({"settings": given, "project": project, "slept": slept})
    command = [sys.executable, "-m", "benchmarks.prelabel.inside", argument]
    crew = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(number)
    ]
    try:
        ready = [_said(one) for one in crew]
        for one in crew:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        ended = [_said(one) for one in crew]
    finally:
        for one in crew:
            one.kill()
            one.communicate()
    all_done(url, jobs)
    return ready, ended


def all_done(url: str, jobs: int) -> None:
    """Raises AssertionError unless there are so many jobs, one done, each at its first try."""
    database = Database(url)
    with database.read() as session:
        states = session.execute(select(Job.state, Job.attempts, func.count()).group_by(Job.state, Job.attempts)).all()
    database.close()
    assert [tuple(row) for row in states] == ([("done", 1, jobs)] if jobs else []), states


def _said(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a worker has ended; its own words are above")
    said: dict[str, Any] = json.loads(line)
    return said
