"""Where decoding may begin, kind by kind: rules read from the packets, and files whose pictures say their number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stvg_core.video import Limits, iter_frames, probe, read_frames
from stvg_core.video.codecs import others
from stvg_core.video.codecs.facts import Entry, Facts
from stvg_core.video.codecs.h264 import H264
from stvg_core.video.codecs.hevc import Hevc
from stvg_core.video.decoding import Decoder
from stvg_core.video.timeline import Timeline, read_timeline
from tests.video.generated import decoded_in_order, make, read_number
from tests.video.recipes import Recipe

X264 = {"preset": "ultrafast", "crf": "18", "threads": "1"}
X265 = {"preset": "ultrafast", "crf": "18"}
SLOW = "log-level=none:pools=none:frame-threads=1:wpp=0"
FRAGMENTS = {"movflags": "+frag_keyframe+empty_moov"}

KINDS = {
    "H.264 open GOP": Recipe("libx264", ".mp4", 60, 12, 3, X264 | {"x264-params": "open-gop=1:keyint=12"}),
    "H.264 open GOP in MPEG-TS": Recipe("libx264", ".ts", 60, 12, 3, X264 | {"x264-params": "open-gop=1:keyint=12"}),
    "H.264 intra refresh": Recipe("libx264", ".mp4", 90, 12, 0, X264 | {"x264-params": "intra-refresh=1:keyint=12"}),
    "HEVC open GOP (CRA)": Recipe("libx265", ".mp4", 60, 12, 3, X265 | {"x265-params": f"keyint=12:{SLOW}"}),
    "HEVC with leading pictures (RADL)": Recipe(
        "libx265", ".mkv", 60, 12, 3, X265 | {"x265-params": f"keyint=12:open-gop=0:radl=2:{SLOW}"}
    ),
    "fragments, key frames close together": Recipe("libx264", ".mp4", 60, 30, 3, X264, FRAGMENTS, forced=(2, 30, 32)),
    "no edit list": Recipe("libx264", ".mp4", 60, 12, 3, X264, {"use_editlist": "0"}, offset=7),
    "one edit that begins within a group": Recipe("libx264", ".mp4", 60, 12, 2, X264, change="edit", seed=3),
    "MPEG-2 open GOP in a program stream": Recipe("mpeg2video", ".mpg", 60, 12, 2, {"b": "2M"}),
    "MPEG-4 with B-frames in AVI": Recipe("mpeg4", ".avi", 60, 12, 2, {"b": "2M"}),
    "VP8 with frames that are not shown": Recipe(
        "libvpx", ".webm", 60, 25, 0, {"auto-alt-ref": "1", "lag-in-frames": "12", "b": "400k", "cpu-used": "8"}
    ),
    "recordings joined": Recipe("libx264", ".ts", 48, 12, 2, X264, change="joined"),
    "begins late": Recipe("libx264", ".ts", 60, 12, 2, X264 | {"x264-params": "open-gop=1"}, change="late", seed=5),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frame_i_is_the_ith_picture_that_is_shown(kind: str, tmp_path: Path) -> None:
    made = make(KINDS[kind], tmp_path)
    truth = [read_number(picture) for picture in decoded_in_order(made.path)]
    assert made.numbers is None or truth == made.numbers
    info = probe(made.path)
    assert info.n_frames == len(truth)
    assert [read_number(picture) for _, picture in iter_frames(info)] == truth
    for frame in range(info.n_frames):
        assert read_number(read_frames(info, np.array([frame])).pixels[0]) == truth[frame], f"frame {frame}"


def clean_beginnings(path: Path) -> tuple[Timeline, list[tuple[int, int]]]:
    """The timeline, and (packet, frame) where a picture that was promised came out differently or not at all."""
    truth = decoded_in_order(path)
    timeline = read_timeline(path, Limits())
    wrong = []
    for packet, clean in zip(timeline.access.packet.tolist(), timeline.access.clean_from.tolist(), strict=True):
        decoder = Decoder(path, Limits(), timeline.packets)
        decoder.go(packet)
        promised = {int(frame) for frame in timeline.frame_of[packet:] if frame >= clean}
        for number, picture in decoder.pictures():
            frame = int(timeline.frame_of[number])
            pixels = picture.to_ndarray(format="rgb24")
            if frame in promised and np.array_equal(pixels, truth[frame]):
                promised.remove(frame)
        decoder.close()
        wrong += [(packet, frame) for frame in promised]
    return timeline, wrong


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "recordings joined"])
def test_from_each_place_to_begin_the_pictures_are_the_same_to_the_bit(kind: str, tmp_path: Path) -> None:
    timeline, wrong = clean_beginnings(make(KINDS[kind], tmp_path).path)
    assert wrong == []
    assert len(timeline.access.packet) >= 2 or kind == "VP8 with frames that are not shown"


def test_decoding_begins_before_leading_pictures_and_two_refreshes_early(tmp_path: Path) -> None:
    opened = read_timeline(make(KINDS["H.264 open GOP"], tmp_path).path, Limits())
    assert opened.packet_of is not None
    for row in range(1, len(opened.access.packet)):
        key = int(opened.access.clean_from[row])
        assert opened.access.before(int(opened.packet_of[key]), key) == row
        assert opened.access.before(int(opened.packet_of[key - 1]), key - 1) < row, "shown before the key picture"
    refreshed = read_timeline(make(KINDS["H.264 intra refresh"], tmp_path).path, Limits())
    lengths = (refreshed.access.clean_from - refreshed.access.packet)[1:]
    assert (lengths >= 12).all() and (lengths <= 24).all()


def unit(kind: int, body: bytes = b"\x88\x84") -> bytes:
    return b"\0\0\1" + bytes([kind]) + body


def bits(text: str) -> bytes:
    text = text.replace(" ", "") + "1"
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def sequence(frames_only: int) -> bytes:
    """A baseline sequence parameter set: frame_num of 4 bits, order type 2, one reference, 1 x 1 macroblocks."""
    return unit(0x67, bits(f"01000010 00000000 00001010 1 1 011 010 0 1 1 {frames_only}"))


def test_what_h264_packets_say() -> None:
    read = H264(sequence(1))
    assert read(unit(0x65), True) == Facts(1, Entry.ALL)
    assert read(unit(0x41), False) == Facts(1)
    assert read(unit(0x01), False) == Facts(1, reference=False)
    point = unit(6, bytes([6, 1]) + bits("1 1 0 00"))
    assert read(point + unit(0x41), True) == Facts(1, Entry.SHOWN_LATER)
    later = unit(6, bytes([5, 2, 9, 9, 6, 1]) + bits("00101 1 0"))  # after another message: 4 frames later, exactly
    assert read(later + unit(0x41), True) == Facts(1, Entry.REFRESHED, 4)
    vague = unit(6, bytes([6, 1]) + bits("00101 0 0"))
    assert read(vague + unit(0x41), True).entry == Entry.NONE
    assert read(unit(9), False) == Facts(0)
    assert H264(b"")(unit(0x65), True).shown is None, "no sequence parameter set was seen"


def test_a_field_is_not_a_picture() -> None:
    read = H264(sequence(0))
    assert read(unit(0x41, bits("1 1 1 0101 0")), False) == Facts(1)
    assert read(unit(0x41, bits("1 1 1 0101 1 0")), False).shown is None


def hevc(*kinds: int) -> list[Facts]:
    read = Hevc(b"")
    return [read(b"\0\0\1" + bytes([kind << 1, 1, 0x80]), kind >= 16) for kind in kinds]


def test_what_hevc_packets_say() -> None:
    cra, rasl, radl, plain, idr, bla = 21, 8, 6, 1, 19, 16
    first = hevc(cra, rasl, radl, plain, cra, rasl)
    assert [facts.shown for facts in first] == [1, 0, 1, 1, 1, 1], "only the first CRA's leading pictures are not shown"
    assert [facts.entry for facts in first][::4] == [Entry.SHOWN_LATER] * 2
    assert hevc(plain, idr)[1] == Facts(1, Entry.ALL)
    assert hevc(idr, bla)[1].shown is None
    read = Hevc(b"")
    read(b"\0\0\1" + bytes([idr << 1, 1, 0x80]) + b"\0\0\1\x48\1", True)
    assert read(b"\0\0\1" + bytes([cra << 1, 1, 0x80]), True).shown is None, "after an end of sequence"


def test_what_the_other_codecs_packets_say() -> None:
    assert others.vp8(b"\x10\0\0", True) == Facts(1, Entry.ALL)
    assert (others.vp8(b"\x11\0\0", False).shown, others.vp8(b"\x01\0\0", False).shown) == (1, 0)
    key, shown, hidden = bytes([0b10000010, 0]), bytes([0b10000110, 0]), bytes([0b10000100, 0])
    assert others.vp9(key, True) == Facts(1, Entry.ALL)
    assert (others.vp9(shown, False), others.vp9(hidden, False).shown) == (Facts(1), 0)
    both = hidden + shown + bytes([0b11000001, 2, 2, 0b11000001])
    assert others.vp9(both, False) == Facts(1)
    assert others.vp9(shown + shown + both[-4:], False).shown is None
    picture = b"\0\0\1\xb3" + bytes(8) + b"\0\0\1\0\0"
    assert others.mpeg12(picture + b"\x08\0\0", True) == Facts(1, Entry.SHOWN_LATER)
    assert others.mpeg12(picture + b"\x10\0\0", False) == Facts(1)
    coded = b"\0\0\1\xb6\x10" + bytes(40)
    assert others.mpeg4(coded, True) == Facts(1, Entry.SHOWN_LATER)
    assert others.mpeg4(coded + coded, True).shown is None and others.mpeg4(coded[:9], False).shown is None
    assert others.av1(bytes([0x12, 0, 0x32, 1, 0x10]), True) == Facts(1, Entry.ALL)
    assert others.av1(bytes([0x12, 0, 0x32, 1, 0x30]), True) == Facts(1), "a frame that is not a key frame"
