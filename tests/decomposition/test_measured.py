"""What docs/decomposition.md says of the rules is what they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from stvg_core.settings import ActionSubject
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
@pytest.mark.parametrize("action_subject", ["noun", "phrase"])
def test_the_rules_have_not_become_worse(source: str, action_subject: ActionSubject) -> None:
    assert counts(action_subject)[source]["both"] >= LEAST[source]


def test_the_labels_tell_the_two_forms_apart() -> None:
    other = [row for row in labelled() if row.phrase is not None]
    assert len(other) == 61
    for row in other:
        assert row.phrase is not None
        (phrase,) = row.attribute
        for whole, bare in zip(row.phrase, row.action, strict=True):
            subject = bare.removesuffix(whole.removeprefix(phrase))
            assert 1 <= len(subject.split()) <= 2 and subject.split()[-1] in phrase.split(), row.sentence


def test_the_table_on_the_page_is_true() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition("<!-- python -m tests.decomposition.measuring -->\n")[2].partition("\n<!-- end -->")[0]
    assert shown == table()
