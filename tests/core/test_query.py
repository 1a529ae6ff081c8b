from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.errors import QueryError
from stvg_core.query import SubQueries, as_statement, normalise_query, whole, without_final_mark


def test_both_sub_queries_are_asked_by_the_papers_template() -> None:
    parts = SubQueries("the man in red", "the man in red sits down", found=True)
    assert parts.spatial_question == "Is there the man in red in this video?"
    assert parts.temporal_question == "Is there the man in red sits down in this video?"


def test_a_sentence_that_was_not_split_is_both_sub_queries() -> None:
    assert whole("the man sits .") == SubQueries("the man sits", "the man sits", found=False)


@given(st.text(max_size=200))
def test_any_text_is_cleaned_or_refused(text: str) -> None:
    try:
        cleaned = normalise_query(text)
    except QueryError as error:
        assert "query" in str(error)
        return
    assert cleaned == normalise_query(cleaned)
    assert cleaned.isprintable() or "\u200d" in cleaned
    assert without_final_mark(cleaned) and as_statement(cleaned).startswith(cleaned)


@pytest.mark.parametrize("text", ["", " \n\t ", "\x00\x07", "...?!", "\u202e\u200b", "x" * 2001])
def test_refused(text: str) -> None:
    with pytest.raises(QueryError, match="query"):
        normalise_query(text)


def test_what_is_said_of_a_query_that_cannot_be_used() -> None:
    with pytest.raises(QueryError) as empty:
        normalise_query("...")
    assert str(empty.value) == (
        "The query is empty. Write one sentence that names an object, such as: the man in red who sits down."
    )
    with pytest.raises(QueryError) as long:
        normalise_query("x" * 2001)
    assert str(long.value) == "The query has 2001 characters; at most 2000 are accepted. Write one short sentence."
    assert normalise_query("x" * 2000) == "x" * 2000


def test_cleaning_keeps_words_and_joins_lines() -> None:
    assert normalise_query("  the man\n\tin\u202e red\x07 ") == "the man in red"
    assert normalise_query("👍") == "👍", "a symbol says something"
    assert normalise_query("der Mann, caf\u0065\u0301 👨\u200d👩") == "der Mann, café 👨\u200d👩"


@pytest.mark.parametrize(
    ("sentence", "bare"),
    [
        ("the man sits .", "the man sits"), ("who sits?!", "who sits"), ("红色的圆。", "红色的圆"), ("dog", "dog"),
        ("the letter X.", "the letter X"), ("the man sits…", "the man sits"), ("红色的圆．", "红色的圆"),
    ],
)  # fmt: skip
def test_the_final_mark_goes(sentence: str, bare: str) -> None:
    assert without_final_mark(sentence) == bare


@pytest.mark.parametrize(
    "sentence",
    [
        "a dog.", "a dog...", "a dog…", 'the man says "go."', "the man says “go.”", "he says „so.“", "(a dog.)",
        "who?!", "他走。", "他说「走。」", "谁？", "he asks 'who?'", "x． ",
    ],
)  # fmt: skip
def test_a_sentence_that_ends_stays_as_it_is(sentence: str) -> None:
    assert as_statement(sentence) == sentence


@pytest.mark.parametrize(
    "sentence", ["a dog", 'the man says "go"', "the dog (in red)", "the boys'", "他走", ")", "a, b,"]
)
def test_any_other_sentence_gets_a_full_stop(sentence: str) -> None:
    assert as_statement(sentence) == sentence + "."
