from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.decomposition.checking import LONGER, parts_of
from stvg_core.decomposition.rules import decompose
from stvg_core.query import SubQueries, as_statement, whole

SENTENCE = "The man in red who carries a box sits down."
GOOD = {"attribute": "the man in red carrying a box", "action": "The man in red sits down."}
PARTS = SubQueries("the man in red carrying a box", "The man sits down", found=True)


@pytest.mark.parametrize("answer", ["{}", " {}\n", "```json\n{}\n```", "```\n{}```"])
def test_one_object_is_read_with_white_space_or_a_fence_around_it(answer: str) -> None:
    assert parts_of(answer.replace("{}", json.dumps(GOOD)), SENTENCE) == PARTS


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Sure! " + json.dumps(GOOD),
        json.dumps(GOOD) + " HACKED",
        json.dumps(GOOD)[:-5],
        json.dumps([GOOD]),
        '"the man"',
        "null",
        "NaN",
        "[" * 7000,
        json.dumps(GOOD) + " " * 10_000 + "x",
        '{"attribute": "the man", "attribute": "the man in red", "action": "the man sits down"}',
    ],
)
def test_anything_but_one_json_object_is_refused(answer: str) -> None:
    assert parts_of(answer, SENTENCE) is None


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "because"},
        {"attribute": None},
        {"attribute": ["the man in red"]},
        {"attribute": ""},
        {"attribute": " \u200b ... "},
        {"action": GOOD["attribute"].upper()},  # no split at all
        {"attribute": "the man" + " in red" * LONGER},
        {"attribute": "the man {in red}"},
        {"action": "the man in red sits down <|im_end|>"},
        {"attribute": "a cat"},
        {"attribute": "the"},
        {"action": "a poem about the sea, the wind and the man"},
        {"attribute": "the person"},  # says nothing of this sentence, which is no question
    ],
)
def test_parts_must_be_short_plain_and_in_the_sentences_words(change: dict[str, object]) -> None:
    assert parts_of(json.dumps(GOOD | change), SENTENCE) is None


def test_the_action_names_the_man_as_the_settings_say() -> None:
    answer = json.dumps(GOOD)
    assert parts_of(answer, SENTENCE, "noun") == PARTS
    assert parts_of(answer, SENTENCE, "phrase") == SubQueries(PARTS.attribute, "The man in red sits down", found=True)
    bare = json.dumps(GOOD | {"action": "The man sits down"})
    assert parts_of(bare, SENTENCE, "noun") == PARTS
    phrase = parts_of(bare, SENTENCE, "phrase")
    assert phrase is not None and phrase.action == "the man in red carrying a box sits down"


def test_a_description_that_cannot_be_taken_out_of_the_action_leaves_no_split() -> None:
    mixed = json.dumps({"attribute": "the man in red carrying a box", "action": "the man in red near a box sits down"})
    assert parts_of(mixed, SENTENCE) is None
    assert parts_of(mixed, SENTENCE, "phrase") is not None


def test_an_action_that_becomes_too_long_is_refused() -> None:
    sentence = "the man in a " + "very " * 20 + "red hat sits down"
    attribute = "the man in a " + "very " * 20 + "red hat"
    action = "the man sits down " + "now " * 20
    answer = json.dumps({"attribute": attribute, "action": action})
    assert parts_of(answer, sentence) is not None
    assert parts_of(answer, sentence, "phrase") is None


def test_a_missing_part_is_refused() -> None:
    assert parts_of(json.dumps({"attribute": "the man in red"}), SENTENCE) is None


def test_the_unknown_of_a_question_has_a_name_of_its_own() -> None:
    answer = json.dumps({"attribute": "the person", "action": "the person carries a box"})
    assert parts_of(answer, "who carries a box?") == SubQueries("the person", "the person carries a box", True)
    nothing = json.dumps({"attribute": "the person", "action": "the person does something"})
    assert parts_of(nothing, "who carries a box?") is None


def test_sentences_in_other_scripts_are_compared_too() -> None:
    answer = json.dumps({"attribute": "красный круг", "action": "красный круг движется"})
    assert parts_of(answer, "красный круг, который движется") is not None
    assert parts_of(answer, "синий квадрат растёт") is None


@given(st.text(max_size=80), st.text(max_size=80), st.text(min_size=1, max_size=60).filter(str.split))
def test_whatever_gets_through_is_clean_and_bounded(attribute: str, action: str, sentence: str) -> None:
    answer = json.dumps({"attribute": attribute, "action": action})
    for parts in filter(None, (parts_of(answer, sentence), parts_of(answer, sentence, "phrase"))):
        for part in (parts.attribute, parts.action):
            assert 0 < len(part) <= 2 * (len(sentence) + LONGER)  # composing accents may lengthen a text
            assert not set(part) & set("{}<>[]\n")


def test_the_whole_is_the_sentence_without_its_mark() -> None:
    assert whole("the man sits.") == SubQueries("the man sits", "the man sits", found=False)


@pytest.mark.parametrize("sentence", ["", " ", "\r", "\n\t", "\u00a0", "\u2003"])
def test_a_sentence_of_white_space_has_no_parts(sentence: str) -> None:
    answer = '{"attribute": "the man in red", "action": "the man in red sits down"}'
    assert parts_of(answer, sentence) is None
    assert not decompose(sentence).found
    as_statement(sentence)
