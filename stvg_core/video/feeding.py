"""Packets for a decoder, of which some may be damaged."""

from __future__ import annotations

from typing import Any

import av.error


class Feeding:
    """Gives packets to one decoder.

    A decoder may keep a packet that it could not decode, and then refuse every further one (VP9 does). So it is
    emptied: at once as long as it has decoded nothing, as at the start of a recording that was joined late; later only
    when it refuses one, as pictures that it holds back are lost by that.
    """

    def __init__(self, context: Any) -> None:
        self._context = context
        self._begun = False

    def pictures(self, packet: Any) -> list[Any]:
        """The PyAV frames that are ready after this packet. Raises FFmpegError where it cannot be decoded."""
        try:
            found: list[Any] = packet.decode()
        except av.error.BlockingIOError:
            self._context.flush_buffers()
            found = packet.decode()
        except av.error.FFmpegError:
            if not self._begun:
                self._context.flush_buffers()
            raise
        self._begun = True
        return found
