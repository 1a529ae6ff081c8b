"""What is read from an mp4's boxes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from stvg_core.video import Limits, timeline
from stvg_core.video.boxes import mp4_is_cut, mp4_is_spliced
from tests.video.boxes import set_edit_list
from tests.video.painted import write_painted

EMPTY = -1


def box(kind: bytes, *inside: bytes, wide: bool = False) -> bytes:
    content = b"".join(inside)
    if wide:
        return struct.pack(">I4sQ", 1, kind, len(content) + 16) + content
    return struct.pack(">I4s", len(content) + 8, kind) + content


def edit_list(*starts: int, version: int = 0) -> bytes:
    entry = ">QqI" if version else ">IiI"
    return box(
        b"elst", struct.pack(">B3xI", version, len(starts)), *(struct.pack(entry, 5, start, 1) for start in starts)
    )


def track(handler: bytes, *starts: int, version: int = 0) -> bytes:
    kind = box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(12)))
    return box(b"trak", box(b"edts", edit_list(*starts, version=version)), kind)


FILES = {
    "one edit": (False, box(b"moov", track(b"vide", 0))),
    "an empty edit and one": (False, box(b"moov", track(b"vide", EMPTY, 40))),
    "two edits": (True, box(b"moov", track(b"vide", 0, 40))),
    "two edits around an empty one": (True, box(b"moov", track(b"vide", 0, EMPTY, 40))),
    "two edits in 64 bits": (True, box(b"moov", track(b"vide", 1 << 40, 1 << 41, version=1))),
    "the sound has two edits": (False, box(b"moov", track(b"soun", 0, 40), track(b"vide", 0))),
    "the second video has two edits": (True, box(b"moov", track(b"vide", 0), track(b"vide", 0, 40))),
    "a wide box before": (True, box(b"mdat", bytes(50), wide=True) + box(b"moov", track(b"vide", 0, 40))),
    "no edit list": (False, box(b"moov", box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), b"vide", bytes(12)))))),
    "a compressed index": (True, box(b"moov", box(b"cmov", bytes(20)))),
    "no index": (False, box(b"ftyp", b"isom") + box(b"mdat", bytes(50))),
    "an empty file": (False, b""),
}


@pytest.mark.parametrize("kind", FILES)
def test_several_edits_of_a_video_are_seen(kind: str, tmp_path: Path) -> None:
    spliced, content = FILES[kind]
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert mp4_is_spliced(path) is spliced
    assert not mp4_is_cut(path)


@pytest.mark.parametrize("kind", FILES)
def test_no_length_and_no_end_of_a_file_is_believed(kind: str, tmp_path: Path) -> None:
    content = FILES[kind][1]
    path = tmp_path / "a.mp4"
    for at in range(len(content)):
        path.write_bytes(content[:at])
        mp4_is_spliced(path)
        path.write_bytes(content[:at] + b"\xff" * 8 + content[at + 8 :])
        mp4_is_spliced(path)


def test_the_times_of_a_file_of_several_edits_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would do here, but they prove nothing: see the random files of several edits."""
    path = write_painted(tmp_path / "a.mp4", 24, gop=12)
    assert set_edit_list(path, [(0, 12 * 512), (12 * 512, 12 * 512)])
    monkeypatch.setattr(timeline, "in_order_of_time", lambda packets: pytest.fail("the order of time"))
    assert len(timeline.read_timeline(path, Limits()).pts) == 24
