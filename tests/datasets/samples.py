"""Where the real samples of the public datasets lie. They are not part of the project, so tests skip without them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SAMPLES = Path(os.environ.get("STVG_SAMPLES") or Path(__file__).parents[3] / "shared" / "samples")


def sample(name: str) -> Path:
    """A sample's path; the test is skipped, loudly, where there is none."""
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"NO SAMPLES of the public datasets: {path.name} is not below STVG_SAMPLES or ../shared/samples.")
    return path
