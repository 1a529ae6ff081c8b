"""What each codec's packets say of themselves: does it hold a picture, and can decoding begin with it?"""

from stvg_core.video.codecs.readable import packet_reader

__all__ = ["packet_reader"]
