"""What the documents promise is there."""

from __future__ import annotations

import re
from pathlib import Path

from backend.settings import Settings

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| (`[A-Z][^|]*) \|", (ROOT / "docs/deployment.md").read_text(), flags=re.MULTILINE)
    documented = {name.lower() for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert documented == set(Settings.model_fields)
