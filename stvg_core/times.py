"""When is each frame of a variable-rate video shown, in a few bytes?"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

TICKS_PER_SECOND = 1_000_000
_SHORT, _LONG = b"\x01", b"\x02"


def pack_times(seconds: NDArray[np.float64]) -> bytes:
    """``(N,)`` rising seconds from the first frame -> compressed steps, exact to a microsecond."""
    ticks = np.rint(np.asarray(seconds, dtype=np.float64) * TICKS_PER_SECOND).astype(np.int64)
    steps = np.diff(ticks, prepend=0)
    short = len(steps) == 0 or int(np.abs(steps).max()) < 2**31
    return (_SHORT if short else _LONG) + zlib.compress(steps.astype("<i4" if short else "<i8").tobytes(), 6)


@lru_cache(maxsize=8)
def unpack_times(packed: bytes) -> NDArray[np.float64]:
    """``(N,)`` float64 seconds from the first frame, read-only. Raises ValueError for other bytes."""
    kind = {_SHORT: "<i4", _LONG: "<i8"}.get(packed[:1])
    try:
        if kind is None:
            raise ValueError("unknown kind")
        steps = np.frombuffer(zlib.decompress(packed[1:]), dtype=kind)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"these are no frame times ({error})") from error
    seconds: NDArray[np.float64] = np.cumsum(steps, dtype=np.int64) / TICKS_PER_SECOND
    seconds.flags.writeable = False
    return seconds
