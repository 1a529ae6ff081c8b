"""What does a run say of itself, before it (``--dry-run``), after it, and where it was given up?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from backend.cli import prelabel as module
from backend.cli.main import main
from backend.cli.prelabel_engines import Engine
from backend.db import jobs, work_lists
from backend.prelabel.shard import Shard
from backend.runs.child import RunError
from stvg_core.errors import StvgError
from stvg_core.tube import VideoInfo
from tests.prelabel.conftest import TABLE, Command, Here
from tests.prelabel.given import written


def test_a_summary_that_cannot_be_written_is_printed_all_the_same(command: Command) -> None:
    blocked = written(command.folder / "file", "x") / "summary.json"
    result = command.result(command.folder / "videos.csv", "--summary", blocked)
    assert result.exit_code == 1 and "cannot be written" in str(result.exception)
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["event"] == "summary" and last["done"] == 3


def test_a_dry_run_stores_nothing(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    table = written(command.folder / "some.csv", TABLE + "bad.mp4,x,\ngone.mp4,x,\n")
    lines = command(table, "--dry-run", status=3)
    assert lines[-1]["event"] == "dry run" and lines[-1]["bad"] >= 1 and lines[-1]["estimate_s"] is None
    assert not (command.folder.parent / "new").exists() and not (command.folder.parent / "data").exists()


class GivenUp(Here):
    def ensure(self, *, progressed: bool) -> list[str]:
        super().ensure(progressed=progressed)
        raise RunError("the workers end again and again")


def test_a_run_that_is_given_up_is_summed_up(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Engine, "workers", lambda self, database, number, *more: GivenUp(self.settings, command.engine, number)
    )
    result = command.result(command.folder / "videos.csv")
    assert isinstance(result.exception, RunError)
    last = json.loads(result.stdout.splitlines()[-1])
    assert (last["event"], last["done"], last["waiting"]) == ("summary", 3, 0)


def test_each_share_has_a_summary_of_its_own(command: Command) -> None:
    found = [command.summary(command.folder / "videos.csv", "--shard", f"{number}/2") for number in (1, 2)]
    whole = command.summary(command.folder / "videos.csv")
    files = {Path(one["file"]) for one in (*found, whole)}
    assert len(files) == 3 and {file.parent.name for file in files} >= {"1-of-2", "2-of-2"}
    for one in (*found, whole):
        assert json.loads(Path(one["file"]).read_text())["items"] == one["items"]


def test_what_a_run_says_it_did_is_about_its_own_sentences(command: Command) -> None:
    """Its workers do what waits in the whole project."""
    command(command.folder / "videos.csv", "--enqueue-only")
    share = next(number for number in (1, 2) if Shard(number, 2).has((command.folder / "a.mp4").as_uri()))
    first = command.summary(command.folder / "videos.csv", "--shard", f"{share}/2")
    assert (first["items"], first["done"], first["done_now"]) in ((2, 2, 2), (3, 3, 3))
    written(command.folder / "videos.csv", TABLE + "b.mp4,the bird,test\n")
    again = command.summary(command.folder / "videos.csv", "--limit", 9)
    assert (again["done"], again["done_now"]) == (4, 1)


def test_what_was_cancelled_is_not_done(command: Command) -> None:
    table = command.folder / "videos.csv"
    command(table, "--enqueue-only")
    database = command.database()
    work_lists.cancel_jobs(database, work_lists.Chosen(ids=(1,)))
    last = command.summary(table, "--retry-failed", status=3)
    assert (last["done"], last["cancelled"], last["failed"], last["tried_again"]) == (2, 1, 0, 0)
    with database.write() as session:
        assert jobs.retry(session, 1)
    assert command.summary(table)["done"] == 3
    database.close()


def test_a_dry_run_says_what_a_run_would_do(command: Command) -> None:
    """With what the database knows, and the options of a run."""
    table = written(command.folder / "some.csv", TABLE + "bad.mp4,x,\nb.mp4,crash now,\nb.mp4,the cat,\n")
    (command.folder / "bad.mp4").write_bytes((command.folder / "a.mp4").read_bytes())

    def look(*options: object) -> tuple[int, ...]:
        last = command(table, "--dry-run", *options, status=None)[-1]
        return tuple(last[name] for name in ("items", "asked", "answered", "ended", "beyond_limit"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "prober", lambda *given: lambda path: VideoInfo(str(path), 320, 240, 25, 1, 50, 2.0))
        assert look() == (6, 6, 0, 0, 0) and look("--limit", 4) == (6, 4, 0, 0, 2)
        command(table, "--limit", 5, status=3)
        assert look() == (6, 1, 4, 1, 0)
        assert look("--retry-failed") == (6, 2, 4, 0, 0) and look("--limit", 1, "--retry-failed") == (6, 2, 4, 0, 0)
        shares = [look("--shard", f"{number}/2") for number in (1, 2)]
        assert tuple(map(sum, zip(*shares, strict=True))) == look()
        written(table, table.read_text() + "b.mp4,the bird,\n")
        assert look("--limit", 1) == (7, 1, 4, 1, 1)
        [_, last] = command(table, "--dry-run", status=None)[-2:]
        assert last["estimate_s"] is not None and last["sentences_per_video"] == {"1": 1, "2": 1, "4": 1}
        command(table, "--enqueue-only", "--limit", 1, status=3)
        assert look() == (7, 2, 4, 1, 0), "what waits is grounded too"
        assert look("--project", "Another") == (7, 7, 0, 0, 0)


def test_a_folder_for_lists_that_cannot_be_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STVG_DATA_DIR", str(written(command.folder / "file", "x")))
    error = command.result(command.folder / "videos.csv").exception
    assert isinstance(error, StvgError) and "left-out.jsonl cannot be written: Not a directory" in str(error)


@pytest.mark.parametrize("place", ["backend.runs.enqueue.jobs.enqueue_many", "backend.cli.prelabel.summarise"])
def test_a_database_that_goes_away_is_one_sentence(
    command: Command, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*given: object) -> None:
        raise OperationalError("SELECT", {}, Exception("server closed the connection\nmore"))

    monkeypatch.setattr(place, gone)
    monkeypatch.setattr("sys.argv", ["stvg", "prelabel", str(command.folder / "videos.csv")])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said == "stvg: The database did not do it, and may do it later: server closed the connection\n"
