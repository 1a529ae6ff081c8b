"""Messages between a process and its child, and the open files that go with them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from stvg_core.children.wire import Closed, Wire

OPEN = Path("/proc/self/fd")


def ends(*, takes_files: bool) -> tuple[Wire, Wire, socket.socket]:
    ours, its = socket.socketpair()
    return Wire(ours), Wire(its, takes_files=takes_files), its


def test_an_open_file_comes_with_its_own_message(tmp_path: Path) -> None:
    parent, child, _ = ends(takes_files=True)
    parent.send({"do": "first"})
    with (tmp_path / "a").open("wb") as file:
        parent.send({"do": "second", "long": "x" * 100_000}, file.fileno())
        parent.send({"do": "third"})
        assert child.receive() == {"do": "first"}
        second = child.receive()
        assert second is not None and second["do"] == "second"
        os.write(second["descriptor"], b"video")
        assert file.seek(0, os.SEEK_CUR) == 5, "one place in the file for both"
    os.close(second["descriptor"])
    assert child.receive() == {"do": "third"} and (tmp_path / "a").read_bytes() == b"video"


def test_the_parent_takes_no_files(tmp_path: Path) -> None:
    parent, child, _ = ends(takes_files=False)
    before = sum(1 for _ in OPEN.iterdir())
    with (tmp_path / "a").open("wb") as file:
        parent.send({"size": 1}, file.fileno())
    assert child.receive() == {"size": 1} and sum(1 for _ in OPEN.iterdir()) == before


def test_a_message_that_comes_in_pieces_is_one() -> None:
    parent, child, _ = ends(takes_files=True)
    parent.send({"text": "é\ud800"})
    whole = child._end.recv(1000)
    other, end = socket.socketpair()
    slow = Wire(end)
    for at in range(len(whole)):
        assert slow.receive(0.001) is None
        other.send(whole[at : at + 1])
    assert slow.receive() == {"text": "é\ud800"}


def test_a_message_that_would_fill_the_memory_ends_it() -> None:
    ours, its = socket.socketpair()
    its.send(b"\xff\xff\xff\xff{")
    with pytest.raises(Closed):
        Wire(ours).receive()


def test_an_end_that_is_gone_is_said() -> None:
    parent, child, its = ends(takes_files=True)
    parent.close()
    with pytest.raises(Closed):
        child.receive()
    with pytest.raises(Closed):
        child.send({"text": "x"})
    its.close()
