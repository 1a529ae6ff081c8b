"""Pictures for the pages: decoders stay open, are few, and one that hangs costs one request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.http.stills import Stills, StillsBusy
from stvg_core.children.child import ChildLimits
from stvg_core.errors import VideoError
from stvg_core.video import VideoReader, probe
from stvg_core.video.child_processes import DecodingProcesses
from tests.video.painted import write_painted

PATIENT = ChildLimits(600, 4 << 30)


@pytest.fixture
def stills() -> Iterator[Stills]:
    found = Stills(lambda: DecodingProcesses(PATIENT, idle=0), at_most=2)
    yield found
    found.close()


def pids(stills: Stills) -> set[int]:
    return {reader._child.pid for reader in stills._resting.values() if reader._child is not None}


def test_pictures_are_those_of_the_reader_and_come_from_decoders_that_stay(stills: Stills, tmp_path: Path) -> None:
    infos = [probe(write_painted(tmp_path / f"{name}.mp4", 20)) for name in "abc"]
    seen: set[int] = set()
    for number in (3, 19, 0):
        for info in infos[:2]:
            with VideoReader(info) as reader:
                expected = reader.read(np.array([number]), max_side=80).pixels[0]
            assert np.array_equal(stills.picture(info, number, 80), expected)
        seen |= pids(stills)
    assert len(seen) == 2
    stills.picture(infos[2], 0, 80)
    assert len(pids(stills)) == 2 and pids(stills) - seen, "the longest unused one made room"


def test_a_file_that_was_replaced_is_opened_anew(stills: Stills, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    assert stills.picture(probe(write_painted(path, 20)), 5, 80).shape == (48, 80, 3)
    info = probe(write_painted(path, 10))
    assert stills.picture(info, 5, 80).shape == (48, 80, 3)
    path.unlink()
    with pytest.raises(VideoError, match="not there any more"):
        stills.picture(info, 5, 80)


def test_in_this_process_where_that_is_wished(tmp_path: Path) -> None:
    info = probe(write_painted(tmp_path / "a.mp4", 20))
    assert Stills(lambda: None).picture(info, 5, 80).shape == (48, 80, 3)


def test_more_requests_than_decoders_are_told_so(tmp_path: Path) -> None:
    info = probe(write_painted(tmp_path / "a.mp4", 20))
    processes = DecodingProcesses(PATIENT, idle=0, reader="tests.video.hostile:hangs")
    at_work, give_up = threading.Event(), threading.Event()

    class InVain(Exception):
        pass

    def alive() -> None:
        at_work.set()
        if give_up.is_set():
            raise InVain

    processes.alive = alive
    stills = Stills(lambda: processes, at_most=1, patience_s=0.01)

    def ask() -> None:
        with pytest.raises(InVain):
            stills.picture(info, 1, 80)

    first = threading.Thread(target=ask)
    first.start()
    at_work.wait()
    with pytest.raises(StillsBusy):
        stills.picture(info, 2, 80)
    give_up.set()
    first.join()
