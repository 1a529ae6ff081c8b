"""Which codec's packets can be read?"""

from __future__ import annotations

from typing import Any

from stvg_core.video.codecs import others
from stvg_core.video.codecs.bitstream import Damaged
from stvg_core.video.codecs.facts import PLAIN, UNKNOWN, Facts, PacketReader
from stvg_core.video.codecs.h264 import H264
from stvg_core.video.codecs.hevc import Hevc

_SIMPLE: dict[str, PacketReader] = {
    "vp8": others.vp8, "vp9": others.vp9, "av1": others.av1, "libdav1d": others.av1,
    "mpeg1video": others.mpeg12, "mpeg2video": others.mpeg12, "mpeg4": others.mpeg4,
}  # fmt: skip


def packet_reader(context: Any) -> PacketReader | None:
    """The reader for a PyAV codec context; None for a codec that nothing is known of: count it by decoding, from the
    start.
    """
    extradata = bytes(context.extradata or b"")
    reader: PacketReader | None
    if context.name == "h264":
        reader = H264(extradata)
    elif context.name == "hevc":
        reader = Hevc(extradata)
    elif context.codec.intra_only:
        reader = others.intra
    else:
        reader = _SIMPLE.get(context.name)
    return None if reader is None else _safe(reader)


def _safe(reader: PacketReader) -> PacketReader:
    def read(data: bytes, key: bool) -> Facts:
        try:
            return reader(data, key)
        except Damaged:
            return PLAIN  # a picture that cannot be decoded keeps its place
        except IndexError:
            return UNKNOWN

    return read
