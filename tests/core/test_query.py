from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.decomposition.rules import decompose
from stvg_core.errors import QueryError
from stvg_core.query import normalise_query


@pytest.mark.parametrize(
    ("query", "attribute", "action"),
    [
        ("the red circle moving left", "the red circle", "the red circle moving left"),
        ("the red circle that moves left", "the red circle", "the red circle moves left"),
        ("A red circle moves left.", "a red circle", "a red circle moves left"),
        ("The man in red who sits down.", "the man in red", "the man in red sits down"),
        ("the man who is running away", "the man", "the man running away"),
        (
            "The man in running shoes walks to the door.",
            "the man in running shoes",
            "the man in running shoes walks to the door",
        ),
        ("the woman wearing a hat turns around", "the woman wearing a hat", "the woman wearing a hat turns around"),
    ],
)
def test_known_sentences(query: str, attribute: str, action: str) -> None:
    parts = decompose(query)
    assert (parts.attribute, parts.action, parts.found) == (attribute, action, True)
    assert parts.spatial_question == f"Is there {attribute} in this video?"


@pytest.mark.parametrize("query", ["the dog", "红色的圆", "🦄", "building", "who"])
def test_without_an_action_both_halves_are_the_whole(query: str) -> None:
    parts = decompose(query)
    assert parts.attribute == parts.action == query
    assert not parts.found


@given(st.text(max_size=200))
def test_any_text_is_cleaned_or_refused(text: str) -> None:
    try:
        cleaned = normalise_query(text)
    except QueryError as error:
        assert "query" in str(error)
        return
    assert cleaned == normalise_query(cleaned)
    assert cleaned.isprintable() or "\u200d" in cleaned
    parts = decompose(cleaned)
    assert isinstance(parts.attribute, str) and isinstance(parts.action, str)


@pytest.mark.parametrize("text", ["", " \n\t ", "\x00\x07", "...?!", "\u202e\u200b", "x" * 2001])
def test_refused(text: str) -> None:
    with pytest.raises(QueryError, match="query"):
        normalise_query(text)


def test_cleaning_keeps_words_and_joins_lines() -> None:
    assert normalise_query("  the man\n\tin\u202e red\x07 ") == "the man in red"
    assert normalise_query("der Mann, caf\u0065\u0301 👨\u200d👩") == "der Mann, café 👨\u200d👩"
