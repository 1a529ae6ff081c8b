"""The times of frames survive storage to a microsecond."""

from __future__ import annotations

import numpy as np
import pytest

from stvg_core.times import pack_times, unpack_times


@pytest.mark.parametrize(
    "seconds",
    [
        np.array([0.0]),
        np.concatenate([np.arange(20) / 10, 10 + np.arange(20) / 10]),
        np.cumsum(np.random.default_rng(1).uniform(0.001, 0.1, 5000)) - 0.001,
        np.array([0.0, 0.04, 5000.0, 86_400.0]),  # a step of more than 2^31 microseconds
        np.arange(300) * 1001 / 30000,
    ],
)
def test_there_and_back(seconds: np.ndarray) -> None:
    packed = pack_times(seconds)
    np.testing.assert_allclose(unpack_times(packed), seconds, rtol=0, atol=1e-6)
    assert len(packed) < 60 + 4 * len(seconds)


@pytest.mark.parametrize("packed", [b"", b"\x03x", b"\x01nonsense"])
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="no frame times"):
        unpack_times(packed)
