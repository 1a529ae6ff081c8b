"""The engine of the tests."""

from __future__ import annotations

from typing import Any

from backend.testing import FakeEngine


def test_the_fake_engine_is_deterministic(tmp_path: Any) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    first, second = (FakeEngine().ground(tmp_path / "a.mp4", "q", lambda s, n: None) for _ in range(2))
    assert first.tube is not None and second.tube is not None
    assert first.tube.start_frame == second.tube.start_frame and (first.tube.boxes == second.tube.boxes).all()
