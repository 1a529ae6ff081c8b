"""What a person sees in a terminal: the bar with rate, time left and failures, what was left out, the end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from backend.cli.prelabel_output import JsonLines, Terminal, dry_run_sentences
from backend.prelabel.checking import DryRun
from backend.prelabel.errors import Reason
from backend.prelabel.item import Problem
from backend.runs.watch import Standing
from stvg_core.errors import StvgError
from tests.prelabel.conftest import TABLE, Command
from tests.prelabel.given import written
from tests.prelabel.test_stopped import PROGRAM, ROOT


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (Standing(3, 1, 0, 4, 2, 10.0, 0.5, 12.0), ["40%", "4/10", "0.50/s, 00:12 left, 1 failed"]),
        (Standing(0, 0, 0, 4, 0, 1.0), ["0%", "0/4", "the workers start, 0 failed"]),
        (Standing(0, 0, 0, 3, 1, 1.0), ["0/4", "the first ones, 0 failed"]),
        (Standing(3, 0, 1, 0, 0, 9.0, 0.4, 0.0), ["100%", "4/4", "0.40/s, 00:00 left, 0 failed"]),
    ],
)
def test_the_bar(standing: Standing, said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    output = Terminal()
    output.standing(standing)
    output.close()
    printed = capsys.readouterr()
    assert printed.out == "" and all(words in printed.err for words in said), printed.err


def test_a_run_in_a_terminal(command: Command) -> None:
    table = written(command.folder / "videos.csv", TABLE + "bad.mp4,x,\ngone.mp4,y,\n")
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (40, 150))
    words = [str(command.folder / "never"), "", str(table)]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL, stdout=its, stderr=its,
    ) as process:  # fmt: skip
        os.close(its)
        printed = b""
        while piece := _read(ours):
            printed += piece
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", printed.decode()).replace("\r\n", "\n")
    assert process.returncode == 3, text
    bars = [line for line in re.split(r"[\r\n]", text) if "grounding" in line]
    assert "0/4" in bars[0] and "100%" in bars[-1] and "1 failed" in bars[-1]
    assert "left out: " in text and "There is no video gone.mp4" in text
    lines = text.split("\n")
    assert any(
        re.fullmatch(r'.*3 of 4 sentences are grounded in the local project "videos", 3 of them now.*', line)
        for line in lines
    )
    assert any("failed, 1: ... is not a video. For example: job " in line for line in lines)
    assert any(line.startswith("written: ") and line.endswith("summary.json") for line in lines)
    assert '{"event"' not in text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # nobody writes any more
        return b""


def test_a_look_before_a_run_in_words() -> None:
    result = DryRun(
        items=6, videos=3, sentences_per_video={1: 1, 2: 1, 3: 1}, asked=2, answered=2, ended=1, beyond_limit=1,
        problems={"there is no such video": 2}, repeated=1, elsewhere=4, bytes_local=2_000_000, bytes_to_fetch=500_000,
        unknown_sizes=1, unseen=1, probed=2, frames=100, video_s=4.0, estimate_s=9.6,
    )  # fmt: skip
    assert dry_run_sentences(result) == [
        "6 sentences on 3 videos (1 with 1, 1 with 2, 1 with 3)",
        "2 of them would be grounded",
        "2 are answered already",
        "1 failed or were cancelled before (--retry-failed tries the failed ones again)",
        "1 new ones are left for another run (--limit)",
        "2 records cannot be used: there is no such video",
        "1 records repeat another one",
        "4 sentences belong to other shares",
        "2.0 MB of videos are here, 0.5 MB are fetched",
        "1 videos more are fetched, of unknown size",
        "1 videos could not be looked at before the run",
        "2 videos were looked into: 4 s, 100 frames",
        "that takes about 10 s, by what was grounded with this model before",
    ]


@pytest.mark.parametrize("kind", [Terminal, JsonLines])
def test_a_list_that_cannot_be_written_is_said(kind: type[Terminal | JsonLines], tmp_path: Path) -> None:
    output = kind()
    output.left_out_file(tmp_path / "sub" / "left-out.jsonl")
    (tmp_path / "sub").write_text("a file where a folder should be")
    with pytest.raises(StvgError, match=r"left-out\.jsonl cannot be written"):
        output.found(Problem("line 2", "has no video", Reason.RECORD))
    output.close()
