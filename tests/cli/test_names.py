"""A file whose name is not UTF-8 gives a result or one sentence, whatever the terminal's encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.tasks import local_file_address
from stvg_core.text import printable
from tests.video.painted import write_painted

NAME = os.fsdecode(b"caf\xe9.mp4")

_RUN = """
import sys
from backend.cli import ground
from backend.cli.main import main
from tests.cli.test_ground import FakeGrounder
ground._load = lambda *chosen: FakeGrounder()
sys.argv[0] = "stvg"
main()
"""


def stvg(encoding: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    env = os.environ | {"PYTHONIOENCODING": encoding}
    return subprocess.run([sys.executable, "-c", _RUN, *words], capture_output=True, env=env, check=False)


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict", "latin-1:strict"])
def test_ground_answers_in_json(encoding: str, tmp_path: Path) -> None:
    write_painted(tmp_path / "clip.mp4", 8).rename(tmp_path / NAME)
    done = stvg(encoding, "ground", str(tmp_path / NAME), "--query", "the grün thing")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.decode(encoding.partition(":")[0]))
    assert (found["video"], found["query"]) == (r"caf\xe9.mp4", "the grün thing")


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
@pytest.mark.parametrize("content", [None, b"", b"nothing of use"])
def test_ground_says_what_is_wrong(encoding: str, content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    done = stvg(encoding, "ground", str(tmp_path / NAME), "--query", "x")
    assert done.returncode == 1 and done.stdout == b""
    assert done.stderr.count(b"\n") == 1 and rb"caf\xe9.mp4" in done.stderr


def test_label_studio_cannot_serve_it(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"x")
    with pytest.raises(PayloadError, match=r"caf\\xe9.mp4 is not UTF-8.*Rename"):
        local_file_address(tmp_path / NAME, tmp_path)


@pytest.mark.parametrize("name", ["a\0b.mp4", "a\ud83d.mp4"])
def test_what_no_file_can_be_called(name: str, tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match="no file name"):
        local_file_address(tmp_path / name, tmp_path)


@pytest.mark.parametrize(
    ("text", "written"), [("café 视频.mp4", "café 视频.mp4"), (NAME, r"caf\xe9.mp4"), ("a\ud83d", r"a\ud83d")]
)
def test_printable(text: str, written: str) -> None:
    assert printable(text) == written
    assert printable(text).encode()
