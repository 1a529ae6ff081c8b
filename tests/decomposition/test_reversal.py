from __future__ import annotations

import pytest

from stvg_core.decomposition.reversal import reverse_action, reverse_parts
from stvg_core.query import SubQueries


@pytest.mark.parametrize(
    ("sentence", "attribute", "turned"),
    [
        ("the red circle moving left.", "the red circle", "the red circle moving right."),
        ("A red circle grows", "a red circle", "A red circle shrinks"),
        ("the star shaking", "the star", "the star shaking"),
        # What describes the object stays: it looks the same when time turns.
        ("the man on the left who stands up", "the man on the left", "the man on the left who sits down"),
        ("the man walks to the left and picks up a cup", "the man", "the man walks to the right and puts down a cup"),
        # A hand and a place are no directions.
        ("the man raises his left hand", "the man", "the man lowers his left hand"),
        ("the girl walks in the room and turns left", "the girl", "the girl walks in the room and turns right"),
        ("the girl walks in", "the girl", "the girl walks out"),
    ],
)
def test_the_action_turns_and_the_looks_stay(sentence: str, attribute: str, turned: str) -> None:
    assert reverse_action(sentence, SubQueries(attribute, sentence, found=True)) == turned


def test_a_sentence_that_was_not_split_stays() -> None:
    assert reverse_action("left", SubQueries("left", "left", found=False)) == "left"
    assert reverse_action("he sits down", SubQueries("the man", "he sits down", found=True)) == "he sits down"


@pytest.mark.parametrize("action", ["moving left", "moving up", "growing", "blinking", "enters", "gets off"])
def test_turning_twice_is_the_identity(action: str) -> None:
    parts = SubQueries("the star", f"the star {action}", found=True)
    once = reverse_action(parts.action, parts)
    assert reverse_action(once, parts) == parts.action


@pytest.mark.parametrize(
    ("attribute", "action", "turned"),
    [
        ("the man on the left", "the man stands up", "the man sits down"),
        ("the man on the left", "The man on the left stands up", "The man on the left sits down"),
        ("the man", "the man in the yard stands up", "the man in the yard sits down"),
        ("the one on the left", "the one on the left stands up", "the one on the left sits down"),
        ("the object that the man lifts", "the man lifts the object", "the man lifts the object"),
        ("the mantle", "a man stands up", "a man stands up"),
    ],
)
def test_an_action_sentence_turns_however_it_names_its_subject(attribute: str, action: str, turned: str) -> None:
    assert reverse_parts(SubQueries(attribute, action, found=True)) == SubQueries(attribute, turned, found=True)


def test_sub_queries_that_are_the_whole_sentence_stay() -> None:
    parts = SubQueries("the man stands up", "the man stands up", found=False)
    assert reverse_parts(parts) == parts
