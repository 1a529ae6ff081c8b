"""Proposals kept on disk."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stvg_core.errors import VideoError
from stvg_core.proposals import CachedProposer
from stvg_core.proposals.base import Searching
from stvg_core.proposals.cache import content_hash
from stvg_core.proposals.sightings import SightedTrack
from stvg_core.tube import Track, VideoInfo


class Counting(Searching):
    """Returns two tracks (none for the words "nothing") and remembers what it was asked."""

    weight = 0.25

    def __init__(self, *, name: str = "counting-1", uses_phrase: bool = True) -> None:
        self.name, self.uses_phrase = name, uses_phrase
        self.asked: list[str] = []
        self.dense: list[tuple[int, int]] = []

    def looks_at(self, info: VideoInfo) -> np.ndarray:
        return np.arange(3)

    def words(self, phrase: str | None) -> list[str]:
        return [phrase or ""] if self.uses_phrase else [""]

    def search(self, video: Any, words: str) -> list[Track]:
        self.asked.append(words)
        if words == "nothing":
            return []
        plain = Track(np.array([3, 9]), np.array([[0, 0, 0.5, 1], [0.1, 0, 0.6, 1]]), 1 / 3, "s", "ein Mädchen, 男")
        seen = SightedTrack(
            np.array([1, 2, 5]), np.full((3, 4), 1 / 3), 0.5, "s", sighted=np.array([2]), confidence=np.array([0.7])
        )
        return [plain, seen]

    def densify(self, video: Any, track: Track, start: int, end: int) -> Track:
        self.dense.append((start, end))
        return track


def video(path: Path, content: bytes = b"one video") -> Any:
    """Stands in for an open video: only what the probe said of it is asked for."""
    path.write_bytes(content)
    return SimpleNamespace(info=VideoInfo(str(path), 64, 48, 10, 1, 10, 1.0))


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    clip, folder = video(tmp_path / "a.mp4"), tmp_path / "kept" / "proposals"
    first = CachedProposer(inner := Counting(), folder)
    made = first.propose(clip, "the man")
    again = CachedProposer(other := Counting(), folder).propose(clip, "the man")  # another process
    assert (inner.asked, other.asked) == (["the man"], [])
    assert [type(track) for track in again] == [Track, SightedTrack]
    for one, two in zip(made, again, strict=True):
        assert (one.score, one.source, one.label) == (two.score, two.source, two.label)
        np.testing.assert_array_equal(one.frames, two.frames)
        np.testing.assert_array_equal(one.boxes, two.boxes)
    assert isinstance(made[1], SightedTrack) and isinstance(again[1], SightedTrack)
    np.testing.assert_array_equal(made[1].sighted, again[1].sighted)
    np.testing.assert_array_equal(made[1].confidence, again[1].confidence)


def test_nothing_found_is_kept_too(tmp_path: Path) -> None:
    clip, cached = video(tmp_path / "a.mp4"), CachedProposer(inner := Counting(), tmp_path / "kept")
    assert cached.propose(clip, "nothing") == cached.propose(clip, "nothing") == []
    assert inner.asked == ["nothing"]


def test_content_name_and_phrase_tell_entries_apart(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    cached = CachedProposer(inner := Counting(), folder)
    clip = video(tmp_path / "a.mp4")
    cached.propose(clip, "man")
    cached.propose(video(tmp_path / "same content.mp4"), "man")
    assert inner.asked == ["man"]
    cached.propose(clip, "woman")
    cached.propose(video(tmp_path / "b.mp4", b"another video"), "man")
    assert inner.asked == ["man", "woman", "man"]
    CachedProposer(renamed := Counting(name="counting-1 box>0.5"), folder).propose(clip, "man")
    assert renamed.asked == ["man"]
    assert len(entries(folder)) == 4


def test_the_phrase_does_not_matter_where_it_is_not_used(tmp_path: Path) -> None:
    clip, cached = video(tmp_path / "a.mp4"), CachedProposer(inner := Counting(uses_phrase=False), tmp_path / "kept")
    for phrase in ("man", "woman", None):
        assert len(cached.propose(clip, phrase)) == 2
    assert inner.asked == [""]


def test_a_replaced_file_is_searched_again(tmp_path: Path) -> None:
    cached = CachedProposer(inner := Counting(), tmp_path / "kept")
    cached.propose(video(tmp_path / "a.mp4"), "man")
    clip = video(tmp_path / "a.mp4", b"new video")
    os.utime(clip.info.path, ns=(1, 1))
    cached.propose(clip, "man")
    assert inner.asked == ["man", "man"]


def test_a_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    clip, read, real = video(tmp_path / "a.mp4", b"hashed once"), [], hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: read.append(name) or real(file, name))
    assert content_hash(clip.info.path) == content_hash(clip.info.path) == hashlib.sha256(b"hashed once").hexdigest()
    assert read == ["sha256"]


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "flipped", "another", "pickle"])
def test_damaged_entries_are_made_anew(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip, folder = video(tmp_path / "a.mp4"), tmp_path / "kept"
    CachedProposer(Counting(), folder).propose(clip, "man")
    (file,) = entries(folder)
    data = file.read_bytes()
    if damage == "another":  # whole, but stored under another key
        CachedProposer(Counting(), tmp_path / "other").propose(clip, "woman")
        data = entries(tmp_path / "other")[0].read_bytes()
    elif damage == "pickle":
        np.savez(folder / "p.npz", key=np.array([{}], dtype=object))
        data = (folder / "p.npz").read_bytes()
        (folder / "p.npz").unlink()
    flipped = data[:300] + bytes([data[300] ^ 0xFF]) + data[301:]
    damaged = {"empty": b"", "cut": data[: len(data) // 2], "noise": os.urandom(500), "flipped": flipped}
    file.write_bytes(damaged.get(damage, data))
    with caplog.at_level(logging.WARNING):
        assert len(CachedProposer(inner := Counting(), folder).propose(clip, "man")) == 2
    assert inner.asked == ["man"] and "made anew" in caplog.text
    CachedProposer(healed := Counting(), folder).propose(clip, "man")
    assert healed.asked == []
    assert entries(folder) == [file]


def test_those_unused_for_longest_go_first(tmp_path: Path) -> None:
    clip, folder = video(tmp_path / "a.mp4"), tmp_path / "kept"
    CachedProposer(Counting(), folder).propose(clip, "0")
    (first,) = entries(folder)
    size = first.stat().st_size
    small = CachedProposer(inner := Counting(), folder, max_bytes=3 * size + size // 2)
    for age, phrase in ((50, "1"), (40, "2")):
        known = set(entries(folder))
        small.propose(clip, phrase)
        (new,) = set(entries(folder)) - known
        os.utime(new, (time.time() - age, time.time() - age))
    os.utime(first, (time.time() - 60, time.time() - 60))
    small.propose(clip, "0")  # used just now, though it is the oldest
    small.propose(clip, "3")
    assert len(entries(folder)) == 3
    inner.asked.clear()
    for phrase in ("0", "2", "3"):
        small.propose(clip, phrase)
    assert inner.asked == []
    small.propose(clip, "1")
    assert inner.asked == ["1"]


def test_the_newest_stays_even_if_it_is_too_large(tmp_path: Path) -> None:
    clip, cached = video(tmp_path / "a.mp4"), CachedProposer(inner := Counting(), tmp_path / "kept", max_bytes=1)
    for phrase in ("1", "2", "2"):
        cached.propose(clip, phrase)
    assert inner.asked == ["1", "2"] and len(entries(tmp_path / "kept")) == 1


def test_no_half_written_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, folder = video(tmp_path / "a.mp4"), tmp_path / "kept"

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        assert len(CachedProposer(Counting(), folder).propose(clip, "man")) == 2  # an answer all the same
    assert entries(folder) == []
    abandoned, fresh = folder / "x.unfinished", folder / "y.unfinished"
    for file, age in ((abandoned, 7200), (fresh, 5)):
        file.write_bytes(b"half")
        os.utime(file, (time.time() - age, time.time() - age))
    CachedProposer(Counting(), folder).propose(clip, "man")
    assert not abandoned.exists() and fresh.exists()


def test_a_folder_that_cannot_be_made_costs_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    cached = CachedProposer(inner := Counting(), tmp_path / "file" / "kept")
    with caplog.at_level(logging.WARNING):
        assert len(cached.propose(video(tmp_path / "a.mp4"), "man")) == 2
    assert inner.asked == ["man"] and "cannot be kept" in caplog.text


def test_a_missing_video_is_said_in_a_sentence(tmp_path: Path) -> None:
    clip = video(tmp_path / "a.mp4")
    Path(clip.info.path).unlink()
    with pytest.raises(VideoError, match=r"a\.mp4 cannot be read"):
        CachedProposer(Counting(), tmp_path / "kept").propose(clip, "man")


def test_it_stands_for_the_inner_proposer(tmp_path: Path) -> None:
    clip, cached = video(tmp_path / "a.mp4"), CachedProposer(inner := Counting(), tmp_path / "kept")
    assert (cached.name, cached.weight, cached.uses_phrase) == ("counting-1", 0.25, True)
    track = cached.propose(clip, "man")[0]
    assert cached.densify(clip, track, 2, 4) is track and inner.dense == [(2, 4)]


@pytest.mark.parametrize("uses_phrase", [True, False])
def test_no_frames_are_decoded_for_an_answer_that_is_known(uses_phrase: bool, tmp_path: Path) -> None:
    cached, clip = CachedProposer(Counting(uses_phrase=uses_phrase), tmp_path / "kept"), video(tmp_path / "a.mp4")
    assert cached.looks_at(clip.info).tolist() == [0, 1, 2]
    cached.propose(clip, "man")
    assert cached.looks_at(clip.info).tolist() == ([0, 1, 2] if uses_phrase else [])
