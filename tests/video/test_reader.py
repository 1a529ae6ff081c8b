"""An open video: each picture is decoded once, in bounded memory, and the file is let go of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stvg_core.errors import VideoError
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.proposals.sam2 import looking_order
from stvg_core.video import VideoReader, probe, read_frames, sample_indices
from stvg_core.video.decoding import Decoder
from stvg_core.video.kept import picture_bytes
from stvg_core.video.seeking import Seeking
from tests.video.generated import make
from tests.video.generated import read_number as number_of
from tests.video.painted import HEIGHT, WIDTH, read_number, write_painted
from tests.video.recipes import Recipe

COUNT = 120
PICTURE = WIDTH * HEIGHT * 3 // 2


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = write_painted(tmp_path / "clip.mp4", COUNT, gop=30)
    probe(path)
    return path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The packets that went to the decoder, by number."""
    real, packets = Decoder._feed, []

    def feed(self: Decoder) -> None:
        before = self.fed
        real(self)
        packets.extend(range(before, self.fed))

    monkeypatch.setattr(Decoder, "_feed", feed)
    return packets


def open_files(path: Path) -> int:
    """How many handles this process holds on a file."""
    names = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return sum(name.startswith(str(path)) for name in names)


def numbers(frames: Iterator[tuple[int, np.ndarray]]) -> list[tuple[int, int]]:
    return [(index, read_number(picture)) for index, picture in frames]


@pytest.mark.parametrize("step", [1, -1])
def test_both_ways_decode_each_picture_once(step: int, clip: Path, decoded: list[int]) -> None:
    with VideoReader(clip) as video:
        wanted = np.arange(COUNT)[::step]
        assert numbers(video.stream(wanted)) == [(i, i) for i in wanted]
    assert len(decoded) <= 1.15 * COUNT  # decoders look a few pictures ahead at the end of each group


def test_reading_on_costs_the_pictures_in_between(clip: Path, decoded: list[int]) -> None:
    with VideoReader(clip, kept_bytes=0) as video:
        for first in range(0, COUNT, 8):
            pixels = video.read(np.arange(first, first + 8)).pixels
            assert [read_number(picture) for picture in pixels] == list(range(first, first + 8))
    assert len(decoded) <= 1.05 * COUNT


def test_one_way_through_the_file_serves_the_embedded_path(clip: Path, decoded: list[int]) -> None:
    """Slots, small pictures, people, and a second look."""
    proposer = EmbeddedProposer()
    with VideoReader(clip) as video:
        small = proposer.looks_at(video.info)
        video.expect(small.tolist())
        slots = sample_indices(COUNT, 20)
        assert [read_number(p) for p in video.read(slots).pixels] == slots.tolist()
        proposer.propose(video)
        again = 40 + sample_indices(40, 20)
        assert [read_number(p) for p in video.read(again).pixels] == again.tolist()
    assert len(decoded) <= 1.05 * COUNT


def test_one_way_through_the_file_serves_a_dense_pass(clip: Path, decoded: list[int]) -> None:
    frames, seeds = np.arange(12, 110), [70, 5, 90]
    order = looking_order(len(frames), seeds)
    with VideoReader(clip) as video:
        video.expect(frames[order].tolist())
        for some in (order[:3], *(order[n : n + 8] for n in range(3, len(order), 8))):
            assert [read_number(p) for p in video.read(frames[some]).pixels] == frames[some].tolist()
    assert len(decoded) <= 1.05 * 110


@pytest.mark.parametrize("pictures", [0, 1, 7])
def test_what_is_kept_stays_within_the_budget(pictures: int, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, most = Seeking.picture, [0]

    def picture(self: Seeking, frame: int) -> object:
        found = real(self, frame)
        kept = [*self._kept._passed.values(), *self._kept._awaited.values()]
        assert self._kept.bytes == sum(picture_bytes(one) for one in kept)
        most[0] = max(most[0], self._kept.bytes)
        return found

    monkeypatch.setattr(Seeking, "picture", picture)
    budget = pictures * 2 * PICTURE
    with VideoReader(clip, kept_bytes=budget) as video:
        video.expect(range(100, 20, -1))
        assert numbers(video.stream(np.arange(100, 20, -1))) == [(i, i) for i in range(100, 20, -1)]
        assert numbers(video.stream(np.arange(30, 60))) == [(i, i) for i in range(30, 60)]
    assert most[0] <= budget and (most[0] > 0) == (pictures > 0)


def test_one_picture_alone_is_as_among_others_and_belongs_to_the_caller(clip: Path) -> None:
    with VideoReader(clip) as video:
        for side in (None, 50):
            together = video.read(np.array([4, 9]), max_side=side).pixels
            for number, frame in enumerate((4, 9)):
                alone = video.read(np.array([frame]), max_side=side).pixels
                assert alone.flags.c_contiguous and alone.shape == (1, *together.shape[1:])
                np.testing.assert_array_equal(alone[0], together[number])
                alone[:] = 0
            np.testing.assert_array_equal(video.read(np.array([4, 9]), max_side=side).pixels, together)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_long_file_is_not_decoded_for_a_few_frames(name: str, tmp_path: Path, decoded: list[int]) -> None:
    path = write_painted(tmp_path / name, 400, gop=20)
    info = probe(path)
    decoded.clear()
    wanted = np.array([25, 205, 385])
    assert [read_number(p) for p in read_frames(info, wanted).pixels] == wanted.tolist()
    assert len(decoded) < 90


def test_two_streams_of_one_reader_do_not_disturb_each_other(clip: Path) -> None:
    with VideoReader(clip, kept_bytes=0) as video:
        rising, falling = video.stream(np.arange(40)), video.stream(np.arange(99, 59, -1))
        for index in range(40):
            assert (index, read_number(next(rising)[1])) == (index, index)
            assert read_number(next(falling)[1]) == 99 - index


def test_a_file_that_changes_while_it_is_open_is_noticed(clip: Path) -> None:
    with VideoReader(clip) as video:
        video.read(np.array([3]))
        write_painted(clip, COUNT, 30)
        with pytest.raises(VideoError, match="has changed"):
            video.read(np.array([4]))
        assert open_files(clip) == 0


def test_the_file_is_let_go_of(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with VideoReader(clip) as video:
        assert open_files(clip) == 0, "nothing was asked for yet"
        video.read(np.array([3, 50]))
        assert open_files(clip) == 1
        video.close()
        assert open_files(clip) == 0
        assert read_number(video.read(np.array([60])).pixels[0]) == 60, "a closed reader opens the file again"
    assert open_files(clip) == 0

    def broken(self: Decoder) -> None:
        raise MemoryError

    video = VideoReader(clip)
    video.read(np.array([3]))
    monkeypatch.setattr(Decoder, "_feed", broken)
    with pytest.raises(MemoryError):
        video.read(np.array([80]))
    assert open_files(clip) == 0
    with pytest.raises(IndexError):
        video.read(np.array([COUNT]))
    with pytest.raises(ValueError):
        video.read(np.zeros(0, dtype=int))


def damage(path: Path, frames: list[int], out: Path) -> Path:
    """The same mp4 with the bytes of some frames overwritten, so that they cannot be decoded at all."""
    import av

    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = sorted((p.pts, p.pos, p.size) for p in container.demux(video=0) if p.size)
    for frame in frames:
        _, at, size = packets[frame]
        data[at : at + size] = b"\xff" * size
    out.write_bytes(data)
    return out


def test_a_damaged_picture_shows_the_one_before_and_shifts_nothing(tmp_path: Path) -> None:
    whole = make(Recipe("mjpeg", ".mov", 60, 1), tmp_path).path
    path = damage(whole, [20, 30, 31, 32], tmp_path / "damaged.mov")
    info = probe(path)
    expected = [{20: 19, 30: 29, 31: 29, 32: 29}.get(index, index) for index in range(60)]
    assert info.n_frames == 60
    for kept in (0, 1 << 30):
        with VideoReader(info, kept_bytes=kept) as video:
            assert [number_of(p) for p in video.read(np.arange(60)).pixels] == expected
            assert [number_of(p) for _, p in video.stream(np.arange(60)[::-1])] == expected[::-1]
            assert video.info.warnings == (
                "4 frames from frame 20 on are damaged and cannot be decoded; the picture before is used.",
            )
    for frame in (20, 31, 32, 33):
        assert number_of(read_frames(info, np.array([frame])).pixels[0]) == expected[frame]


def test_a_damaged_key_picture_of_h264_shifts_nothing(tmp_path: Path) -> None:
    """What is predicted from it may look broken, but stands in its place; later groups are as they were."""
    whole = write_painted(tmp_path / "whole.mp4", 60, gop=12)
    path = damage(whole, [24, 27], tmp_path / "damaged.mp4")
    info = probe(path)
    assert info.n_frames == 60
    with VideoReader(info) as video:
        shown = [read_number(picture) for picture in video.read(np.arange(60)).pixels]
        alone = [read_number(read_frames(info, np.array([frame])).pixels[0]) for frame in range(36, 60, 5)]
    assert shown[:23] == list(range(23)) and shown[37:] == list(range(37, 60))
    assert alone == shown[36::5]
