"""What the documents promise is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backend.settings import Settings

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| (`[A-Z][^|]*) \|", (ROOT / "docs/deployment.md").read_text(), flags=re.MULTILINE)
    documented = {name.lower() for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert documented == set(Settings.model_fields)


@pytest.mark.parametrize(
    "page", ["README.md", *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").rglob("*.md")))]
)
def test_links_lead_somewhere(page: str) -> None:
    file = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)\)", file.read_text()):
        if not target.startswith("http"):
            assert (file.parent / target).exists(), f"{page} points to {target}"
