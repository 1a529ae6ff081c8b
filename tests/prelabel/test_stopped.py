"""Ctrl-C and SIGTERM at each stage of ``stvg prelabel``: the exit status, what is said, and what the next run finds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from backend.cli.prelabel_dry_run import prober
from backend.cli.stopping import Stopped, Stopping
from tests.prelabel.conftest import Command
from tests.video.painted import write_painted

ROOT = Path(__file__).parents[2]

PROGRAM = """
import importlib, sys, time
from pathlib import Path
import backend.cli.prelabel as module
from backend.cli.prelabel_engines import Engine
from backend.settings import load_settings
from backend.testing import FakeEngine
from tests.prelabel.conftest import Here

reached, place = Path(sys.argv.pop(1)), sys.argv.pop(1)
if place:
    owner, _, name = place.rpartition(".")
    try:
        holder = importlib.import_module(owner)
    except ModuleNotFoundError:
        holder = getattr(importlib.import_module(owner.rpartition(".")[0]), owner.rpartition(".")[2])
    real = getattr(holder, name)
    def stand(*given, **named):
        reached.touch()
        while not reached.with_suffix(".go").exists():
            time.sleep(0.01)
        return real(*given, **named)
    setattr(holder, name, stand)
settings = load_settings()
engine = FakeEngine(module.open_versions(settings).base)
Engine.workers = lambda self, database, number, *more: Here(settings, engine, number)
module.command()
"""


class Run:
    """The command in a process of its own, which stands still where ``place`` is called first."""

    def __init__(self, command: Command, place: str, *arguments: object) -> None:
        self.reached = command.folder.parent / "reached"
        self.reached.unlink(missing_ok=True)
        self.reached.with_suffix(".go").unlink(missing_ok=True)
        words = [str(self.reached), place, str(command.folder / "videos.csv"), *map(str, arguments)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def until_there(self) -> None:
        while not self.reached.exists():
            assert self.process.poll() is None, self.process.communicate()[0]
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def go_on(self) -> None:
        self.reached.with_suffix(".go").touch()

    def ended(self) -> tuple[int, list[dict[str, Any]]]:
        said = self.process.communicate()[0]
        return self.process.returncode, [json.loads(line) for line in said.splitlines()]


def notes(lines: list[dict[str, Any]]) -> list[str]:
    return [line["said"] for line in lines if line["event"] == "note" and "made a new database" not in line["said"]]


def summary_of(command: Command) -> Path:
    [folder] = (command.folder.parent / "data" / "prelabel").iterdir()
    return folder / "summary.json"


BEFORE, READING = "stopped before anything was queued", "stopped while reading: what was read is queued"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("backend.prelabel.sources.recognise", BEFORE),  # the source is opened
        ("backend.prelabel.tasks.read_task_file", BEFORE),
        ("backend.prelabel.places.VideoPlaces.place_all", BEFORE),
        ("backend.db.schema.upgrade", BEFORE),
        ("backend.db.projects.local", BEFORE),
        ("backend.db.jobs.enqueue_many", READING),
        ("backend.runs.enqueue.replaced_files", READING),
    ],
)
def test_a_signal_before_the_workers_begin_ends_it_at_once(
    command: Command, place: str, said: str, number: signal.Signals
) -> None:
    run = Run(command, place)
    run.until_there()
    run.send(number)
    status, lines = run.ended()
    assert status == 128 + number
    assert [line.startswith(said) for line in notes(lines)] == [True] and lines[-1]["event"] == "note"
    again = command.summary(command.folder / "videos.csv")
    assert (again["items"], again["done"], again["waiting"], again["interrupted"]) == (3, 3, 0, False)


def test_a_signal_while_files_are_read_again(command: Command) -> None:
    """They are newer than their answers, so their bytes are compared; the summary of the run before is gone."""
    command(command.folder / "videos.csv")
    assert summary_of(command).exists()
    for name in ("a.mp4", "b.mp4"):
        os.utime(command.folder / name, (time.time() + 10,) * 2)
    run = Run(command, "backend.media.library._sha256")
    run.until_there()
    run.send(signal.SIGINT)
    status, lines = run.ended()
    assert status == 130 and notes(lines)[0].startswith(READING)
    assert not summary_of(command).exists()
    assert command.summary(command.folder / "videos.csv")["replaced"] == 0 and summary_of(command).exists()


def test_a_signal_while_the_workers_work(command: Command) -> None:
    run = Run(command, "tests.prelabel.conftest.Here.ensure")
    run.until_there()
    run.send(signal.SIGTERM)
    run.go_on()
    status, lines = run.ended()
    assert status == 143 and lines[-1]["event"] == "summary" and lines[-1]["interrupted"]
    assert json.loads(summary_of(command).read_text())["interrupted"]


def test_a_second_signal_is_said_as_one(command: Command) -> None:
    run = Run(command, "tests.prelabel.conftest.Here.ensure")
    run.until_there()
    run.send(signal.SIGINT)
    run.send(signal.SIGTERM)
    status, lines = run.ended()
    assert status in (130, 143), "two signals that are on their way may come in any order"
    assert notes(lines) == ["stopped at once: what the workers had in hand is taken again; run it again to go on"]


def test_a_signal_while_it_is_summed_up_leaves_a_whole_summary(command: Command) -> None:
    run = Run(command, "backend.cli.prelabel.summarise")
    run.until_there()
    run.send(signal.SIGINT)
    run.go_on()
    status, lines = run.ended()
    last = json.loads(summary_of(command).read_text())
    assert lines[-1]["event"] == "summary" and (last["done"], last["waiting"]) == (3, 0)
    assert (status, last["interrupted"]) == (0, False), "all was done before the signal came"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_look_before_a_run_is_stopped(command: Command, number: signal.Signals) -> None:
    run = Run(command, "backend.prelabel.places.VideoPlaces.place_all", "--dry-run")
    run.until_there()
    run.send(number)
    status, lines = run.ended()
    assert status == 128 + number and notes(lines) == ["stopped; nothing was stored"]
    assert not (command.folder.parent / "new").exists()


def test_a_look_into_a_file_is_in_a_process_of_its_own_and_given_up_at_a_signal(command: Command) -> None:
    """A file may make a decoder hang."""
    clip = command.folder / "painted.mp4"
    write_painted(clip, 5)
    with Stopping() as stopping, ExitStack() as stack:
        probe = prober(command.settings, stopping, stack)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("stvg_core.video.probe", None)  # this process has none
            assert probe(clip).n_frames == 5
        stopping.wait_for_loops("")
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Stopped):
            probe(clip)


def test_threads_hear_of_a_signal() -> None:
    with Stopping() as stopping:
        stopping.check()
        stopping.wait_for_loops("")
        os.kill(os.getpid(), signal.SIGINT)
        found: list[BaseException] = []

        def work() -> None:
            try:
                stopping.check()
            except Stopped as error:
                found.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(found) == 1 and stopping.asked


@pytest.mark.timeout(60)
def test_a_signal_inside_of_the_events_own_lock_is_heard() -> None:
    """The main thread may hold it at that moment: it waits for the event again and again."""
    with Stopping() as stopping:
        stopping.wait_for_loops("")
        with stopping.event._cond:  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopping.asked and stopping.status == 143
        assert stopping.event.wait(600)
