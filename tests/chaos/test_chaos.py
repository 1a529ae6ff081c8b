"""Twenty kills: each prediction arrives once, each correction is kept, no job fails. ``make chaos`` has 200."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.run import Run


def test_processes_that_are_killed_lose_nothing_and_double_nothing(database_url: str, tmp_path: Path) -> None:
    run = Run(tmp_path, database_url, jobs=40, kills=20, seed=20)
    try:
        outcome = run.run()
    finally:
        run.close()
    assert outcome.wrong == [] and sum(outcome.kills.values()) == 20 and outcome.corrections > 0, outcome.summary()
