"""The next file is opened and decoded before anybody works on it, and what is then read is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.bootstrap import LoadedGrounder
from backend.settings import Settings
from stvg_core.children.child import ChildLimits
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.errors import VideoError
from stvg_core.tube import Array, VideoInfo
from stvg_core.video import VideoReader, sample_indices
from stvg_core.video.child_ahead import OpensAhead
from stvg_core.video.child_processes import DecodingProcesses
from stvg_core.video.child_reader import ChildReader
from stvg_core.video.decoding import Decoder
from stvg_core.video.seeking import Seeking
from tests.video.painted import HEIGHT, WIDTH, read_number, write_painted

COUNT = 60
PICTURE = WIDTH * HEIGHT * 3 // 2
PATIENT = ChildLimits(600, 4 << 30)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_painted(tmp_path / "clip.mp4", COUNT, gop=30)


@pytest.fixture
def processes() -> Iterator[DecodingProcesses]:
    found = DecodingProcesses(PATIENT)
    yield found
    found.close()


def needs(info: VideoInfo) -> tuple[Array, Array]:
    return sample_indices(info.n_frames, 5), sample_indices(info.n_frames, 12)


def nobody_waits() -> None:
    pass


def test_what_is_prepared_is_not_decoded_again(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.array([50, 7, 20])
    with VideoReader(clip) as video:
        assert list(video.prepare(frames)) == [7, 20, 50]
        monkeypatch.setattr(Decoder, "_feed", None)  # no packet can be decoded from here on
        assert [read_number(p) for p in video.read(frames).pixels] == frames.tolist()
        video.expect([20])
        assert [read_number(p) for p in video.read(frames).pixels] == frames.tolist()


@pytest.mark.parametrize(("room", "kept"), [(2, 0), (8, 3)])
def test_it_is_prepared_where_there_is_room_for_all_of_it(
    room: int, kept: int, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, most = Seeking.picture, [0]

    def picture(self: Seeking, frame: int) -> object:
        found = real(self, frame)
        most[0] = max(most[0], self._kept.bytes)
        return found

    monkeypatch.setattr(Seeking, "picture", picture)
    with VideoReader(clip, kept_bytes=room * PICTURE) as video:
        assert len(list(video.prepare(np.array([50, 7, 20])))) == kept
        assert 0 < most[0] <= room * PICTURE
        assert [read_number(p) for p in video.read(np.array([7, 50])).pixels] == [7, 50]


def test_a_prepared_file_is_given_to_whoever_opens_it(clip: Path, processes: DecodingProcesses) -> None:
    opens, moved = OpensAhead(processes, needs), []
    opens.prepare(clip, lambda: moved.append(1))
    assert len(moved) > 12  # with each picture
    with opens.open(clip) as video, VideoReader(clip) as plain:
        assert isinstance(video, ChildReader) and video._child is not None and video._child.served == 0
        assert video.info == plain.info
        wanted = np.arange(COUNT)[::-7]
        assert (video.read(wanted).pixels == plain.read(wanted).pixels).all()
        count, said = len(moved), []
        processes.alive = lambda: said.append(1)
        video.read(np.array([3]))
        assert len(moved) == count and said  # it is the work of another now
        processes.alive = None
        with opens.open(clip) as second:
            assert second is not video


def test_another_file_or_another_content_is_opened_as_ever(
    clip: Path, tmp_path: Path, processes: DecodingProcesses
) -> None:
    opens = OpensAhead(processes, needs)
    other = write_painted(tmp_path / "other.mp4", 20)
    opens.prepare(clip, nobody_waits)
    with opens.open(other) as video:
        assert video.info.n_frames == 20
    write_painted(clip, 30)
    with opens.open(clip) as video:
        assert video.info.n_frames == 30 and read_number(video.read(np.array([29])).pixels[0]) == 29
    opens.close()


def test_a_process_that_ended_meanwhile_is_replaced(clip: Path, processes: DecodingProcesses) -> None:
    opens = OpensAhead(processes, needs)
    opens.prepare(clip, nobody_waits)
    assert opens._ready is not None and opens._ready[1]._child is not None
    opens._ready[1]._child.kill()
    with opens.open(clip) as video:
        assert read_number(video.read(np.array([9])).pixels[0]) == 9


def test_what_is_given_up_or_cannot_be_opened_leaves_nothing(
    clip: Path, tmp_path: Path, processes: DecodingProcesses
) -> None:
    class Enough(Exception):
        pass

    calls = []

    def alive() -> None:
        calls.append(1)
        if len(calls) > 5:
            raise Enough

    opens = OpensAhead(processes, needs)
    opens.prepare(clip, nobody_waits)
    with pytest.raises(Enough):
        opens.prepare(write_painted(tmp_path / "b.mp4", COUNT), alive)
    assert opens._ready is None
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    with pytest.raises(VideoError):
        opens.prepare(tmp_path / "bad.mp4", nobody_waits)
    assert opens._ready is None and len(processes._idle) <= 1
    with pytest.raises(VideoError), opens.open(tmp_path / "bad.mp4"):
        pass


@pytest.mark.parametrize("segment", [None, (6, 31)])
def test_the_model_finds_the_same_in_a_prepared_file(tmp_path: Path, segment: tuple[int, int] | None) -> None:
    path = write_clip(tmp_path / "clip.mp4", replace(split_scene("demo", 0, difficulty="easy"), n_frames=40))
    found = []
    for ahead in (False, True):
        engine = LoadedGrounder(Settings(data_dir=tmp_path / f"{ahead}", device="cpu"))
        assert engine._ahead is not None
        if ahead:
            engine.prepare(path, nobody_waits, segment)
            assert engine._ahead._ready is not None
        found.append(engine.ground(path, "the red box", lambda share, stage: None, segment))
        assert engine._ahead._ready is None
    assert found[0].tube is not None and found[1].tube is not None
    assert (found[0].tube.boxes == found[1].tube.boxes).all() and found[0].score == found[1].score
    assert (found[0].evidence.frame_scores == found[1].evidence.frame_scores).all()
    if segment is not None:
        [many] = engine.ground_many(path, ["the red box"], lambda share, stage: None, segment)
        assert not isinstance(many, Exception) and many.tube is not None
        assert (many.tube.boxes == found[0].tube.boxes).all()
        assert 6 <= many.tube.start_frame == found[0].tube.start_frame and many.tube.end_frame <= 31
