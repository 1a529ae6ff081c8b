"""What docs/decomposition.md says of the rules is what they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.decomposition.measuring import SOURCES, counts, labelled, table

PAGE = Path(__file__).parents[2] / "docs" / "decomposition.md"
LEAST = {"hcstvg": 59, "vidstg_caption": 20, "vidstg_question": 20}
"""Sentences with both parts sensible when this was measured."""


def test_the_sample_is_the_one_that_the_page_describes() -> None:
    rows = labelled()
    assert {source: sum(row.source == source for row in rows) for source in SOURCES} == {
        "hcstvg": 60,
        "vidstg_caption": 20,
        "vidstg_question": 20,
    }
    assert len({row.sentence for row in rows}) == 100
    assert all(row.attribute and row.action for row in rows)


@pytest.mark.parametrize("source", SOURCES)
def test_the_rules_have_not_become_worse(source: str) -> None:
    assert counts()[source]["both"] >= LEAST[source]


def test_the_table_on_the_page_is_true() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition("<!-- python -m tests.decomposition.measuring -->\n")[2].partition("\n<!-- end -->")[0]
    assert shown == table()
