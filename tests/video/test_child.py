"""Decoding in a child: the same pictures, and a file that hangs or kills the decoder costs one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from stvg_core.children.child import ChildLimits
from stvg_core.errors import VideoError
from stvg_core.video import VideoReader, probe
from stvg_core.video.child_processes import DecodingProcesses
from stvg_core.video.child_wire import BATCH
from tests.video.generated import make
from tests.video.painted import HEIGHT, WIDTH, write_painted
from tests.video.recipes import Recipe

PATIENT = ChildLimits(600, 4 << 30)  # a busy machine starts processes slowly
SHORT = ChildLimits(0.5)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def processes() -> Iterator[DecodingProcesses]:
    found = DecodingProcesses(PATIENT)
    yield found
    found.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_painted(tmp_path / "a.mp4", 20)


def hostile(name: str, limits: ChildLimits = PATIENT) -> DecodingProcesses:
    return DecodingProcesses(limits, idle=0, reader=f"tests.video.hostile:{name}")


X264 = {"preset": "ultrafast", "threads": "1"}
RECIPES = [
    Recipe("libx264", ".mp4", 40, 12, 2, X264 | {"bf": "2"}, seed=1),
    Recipe("libx264", ".ts", 40, 12, 2, X264 | {"bf": "2"}, change="late", seed=2),
    Recipe("libx264", ".mp4", 40, 9, options=X264, uneven=3, seed=3),
    Recipe("libx264", ".mp4", 40, 9, options=X264, change="edit", seed=4),
    Recipe("libx265", ".mkv", 40, 12, options={"preset": "ultrafast", "x265-params": "log-level=none"}, seed=5),
    Recipe("libvpx-vp9", ".webm", 33, 12, options={"deadline": "realtime", "cpu-used": "8", "threads": "1"}, seed=6),
    Recipe("mpeg2video", ".mpg", 33, 12, 2, {"qscale": "3", "threads": "1"}, seed=7),
    Recipe("mjpeg", ".avi", 17, 1, options={"threads": "1"}, seed=8),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.codec}{recipe.ending}{recipe.change}")
def test_a_child_gives_the_same_as_the_reader_here(
    recipe: Recipe, processes: DecodingProcesses, tmp_path: Path
) -> None:
    path = make(recipe, tmp_path).path
    assert processes.probe(path) == probe(path)
    with VideoReader(path) as here, processes.open(path) as there:
        assert there.info == here.info and np.array_equal(there.seconds, here.seconds)
        assert (there.info.times is None) == (here.info.times is None)
        if here.info.times is not None:
            assert np.array_equal(there.info.times, here.info.times)
        last = here.info.n_frames - 1
        for indices in ([0], [last, 0, last // 2, 0, last], list(range(last + 1)), list(range(last, -1, -1))):
            there.expect([last, 0])
            a, b = here.read(np.array(indices)), there.read(np.array(indices))
            assert np.array_equal(a.pixels, b.pixels) and np.array_equal(a.seconds, b.seconds)
            assert np.array_equal(a.indices, b.indices)
        small = there.read(np.array([last, 0]), max_side=50).pixels
        assert np.array_equal(small, here.read(np.array([last, 0]), max_side=50).pixels)
        for ours, theirs in zip(here.stream(), there.stream(), strict=True):
            assert ours[0] == theirs[0] and np.array_equal(ours[1], theirs[1])


def test_what_is_wrong_with_a_file_or_a_question_is_said_as_here(
    processes: DecodingProcesses, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "page.mp4").write_text("<html>log in</html>")
    for path in (tmp_path / "page.mp4", tmp_path / "missing.mp4"):
        with pytest.raises(VideoError) as here:
            VideoReader(path)
        with pytest.raises(VideoError) as there:
            processes.open(path)
        assert str(there.value) == str(here.value)
    with processes.open(clip) as reader:
        with pytest.raises(IndexError, match="frames 0 to 19 exist"):
            reader.read(np.array([20]))
        with pytest.raises(ValueError, match="at least one index"):
            reader.read(np.array([], np.int64))
        assert len(reader.read(np.array([3]))) == 1


def test_one_process_serves_one_file_after_the_other(clip: Path) -> None:
    processes = DecodingProcesses(PATIENT)
    pids = []
    for _ in range(3):
        with processes.open(clip) as reader:
            assert reader._child is not None
            pids.append(reader._child.pid)
            reader.close()
            assert len(reader.read(np.array([5]))) == 1, "it opens again by itself"
    assert len(set(pids)) == 1
    processes.close()
    assert not alive(pids[0])


def test_memory_for_pictures_in_transit_does_not_grow_with_the_video(
    processes: DecodingProcesses, tmp_path: Path
) -> None:
    with processes.open(write_painted(tmp_path / "long.mp4", 300)) as reader:
        assert sum(1 for _ in reader.stream()) == 300 and len(reader.read(np.arange(300))) == 300
        assert reader._child is not None
        assert os.fstat(reader._child.memory.descriptor).st_size <= BATCH * WIDTH * HEIGHT * 3


def test_a_file_that_has_changed_is_not_read_on(processes: DecodingProcesses, clip: Path) -> None:
    with processes.open(clip) as reader:
        reader.close()
        write_painted(clip, 10)
        with pytest.raises(VideoError, match="has changed"):
            reader.read(np.array([0]))


@pytest.mark.parametrize(
    ("name", "said"),
    [("crashes", r"crashed \(SIGSEGV\) at the beginning of a.mp4"), ("is_killed", "ended by the system at the begin")],
)
def test_a_decoder_that_dies_is_a_failure_in_words(name: str, said: str, clip: Path) -> None:
    with pytest.raises(VideoError, match=said):
        hostile(name).open(clip)


def test_a_decoder_that_is_killed_while_it_waits_is_replaced(processes: DecodingProcesses, clip: Path) -> None:
    with processes.open(clip) as reader:
        assert reader._child is not None
        os.kill(reader._child.pid, signal.SIGKILL)
        reader._child._process.wait()
        assert len(reader.read(np.array([2]))) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_is_for_the_parent(
    processes: DecodingProcesses, clip: Path, number: signal.Signals
) -> None:
    """A decoder that died of it would fail a job that only has to go back to the queue."""
    with processes.open(clip) as reader:
        assert reader._child is not None
        pid = reader._child.pid
        os.kill(pid, number)
        assert len(reader.read(np.array([2]))) == 1 and reader._child.pid == pid


def test_a_decoder_beyond_its_memory_is_a_failure_in_words(clip: Path) -> None:
    processes = hostile("needs_memory", ChildLimits(600, 2 << 30))
    with pytest.raises(VideoError, match=r"needs more than 2048 MiB of memory.*STVG_DECODE_MEMORY_BYTES"):
        processes.open(clip)


def test_pictures_that_do_not_fit_are_not_taken_for_damaged_ones(tmp_path: Path) -> None:
    """FFmpeg leaves out a picture that it has no memory for, and goes on; what it gives then is not the video."""
    clip = large(tmp_path / "a.mp4", 60)
    with DecodingProcesses(ChildLimits(600), idle=0).open(clip) as reader:
        assert reader._child is not None
        status = Path(f"/proc/{reader._child.pid}/status").read_text()
    opened = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmPeak"))
    tight = DecodingProcesses(ChildLimits(600, opened + (64 << 20)), idle=0)
    with tight.open(clip) as reader, pytest.raises(VideoError, match=r"needs more than .* MiB of memory"):
        for first in range(0, 60, 10):
            reader.read(np.arange(first, first + 10))


def large(path: Path, count: int) -> Path:
    """1920 x 1080: three MB for each picture that is kept."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.options = {"preset": "ultrafast", "threads": "1"}
        for number in range(count):
            picture = np.full((1080, 1920, 3), number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_defect_is_no_fault_of_the_file(clip: Path) -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        hostile("fails").open(clip)


def test_the_child_loads_no_model_and_sees_no_secret(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STVG_LABEL_STUDIO_TOKEN", "hush")
    with pytest.raises(VideoError, match=r"loaded \[\], settings \[\]"):
        hostile("tells").open(clip)


def test_work_that_is_in_vain_ends_the_decoder_at_once(clip: Path) -> None:
    class InVain(Exception):
        pass

    looks = []

    def give_up() -> None:
        looks.append(1)
        if clip.with_suffix(".pid").exists():
            raise InVain

    processes = hostile("hangs")
    processes.alive = give_up
    with pytest.raises(InVain):
        processes.open(clip)
    assert looks and not alive(int(clip.with_suffix(".pid").read_text()))


PARENT = """
import sys
from stvg_core.children.child import ChildLimits
from stvg_core.video.child_processes import DecodingProcesses
DecodingProcesses(ChildLimits(600), reader="tests.video.hostile:hangs").open(sys.argv[1])
"""


def test_a_hanging_decoder_does_not_outlive_its_parent(clip: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(clip)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    told = clip.with_suffix(".pid")
    try:
        while not (told.exists() and told.read_text()):
            assert parent.poll() is None
            time.sleep(0.05)
    finally:
        parent.kill()
        parent.wait()
    while alive(int(told.read_text())):
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
