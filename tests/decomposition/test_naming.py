from __future__ import annotations

import pytest

from stvg_core.decomposition.naming import renamed


@pytest.mark.parametrize(
    ("attribute", "action", "noun", "phrase"),
    [
        # The whole phrase, the bare noun, and a part of the phrase.
        ("the man in red", "The man in red sits down", "The man sits down", "The man in red sits down"),
        ("the man in red", "the man sits down", "the man sits down", "the man in red sits down"),
        ("the man in red holding a box", "the man in red sits down", "the man sits down", "the man in red sits down"),
        ("the tall man in red", "the man in red is hit", "the man is hit", "the man in red is hit"),
        ("the man who wears a hat", "the man who wears a hat bows", "the man bows", "the man who wears a hat bows"),
        ("a red kite", "the red kite is above a child", "the kite is above a child", "the red kite is above a child"),
        ("an adult woman", "an adult woman waves", "a woman waves", "an adult woman waves"),
        ("the man in red", "the man in red slowly sits", "the man slowly sits", "the man in red slowly sits"),
        ("the man in red", "the man in red close the door", "the man close the door", "the man in red close the door"),
        # What describes others stays, also where it is the same.
        (
            "the man in black",
            "the man puts his hand at the man in black",
            "the man puts his hand at the man in black",
            "the man in black puts his hand at the man in black",
        ),
        (
            "the object that the adult in red holds",
            "the adult in red holds the object",
            "the adult in red holds the object",
            "the adult in red holds the object",
        ),
        # Words of the action are no description, even if the phrase has them.
        ("a boy eating ham", "a boy eats ham", "a boy eats ham", "a boy eating ham eats ham"),
        # Where the man is can be a part of the action.
        ("the man in red", "the man in the yard waves", "the man in the yard waves", "the man in the yard waves"),
        ("the man", "the man waves", "the man waves", "the man waves"),
        # No noun that could stand alone.
        ("the one on the left", "the one on the left waves", "the one on the left waves", "the one on the left waves"),
        ("красный круг", "красный круг движется", "красный круг движется", "красный круг движется"),
    ],
)  # fmt: skip
def test_either_form_becomes_the_one_that_is_wanted(attribute: str, action: str, noun: str, phrase: str) -> None:
    assert renamed(attribute, action, "noun") == noun
    assert renamed(attribute, action, "phrase") == phrase


@pytest.mark.parametrize(
    ("attribute", "action"),
    [
        ("the man seated at the table", "the man seated on the left waves"),  # half of it is another description
        ("the bald man in red", "in red, and bald, is the man"),  # no verb that starts the action
        ("the man with the red hat", "red hat man close door"),
        ("the man in red", "the man in red hat sits down"),  # in the hat
        ("the man in red", "the man in red hat close the door"),
    ],
)
def test_a_description_that_cannot_be_taken_out_is_refused(attribute: str, action: str) -> None:
    assert renamed(attribute, action, "noun") is None
    assert renamed(attribute, action, "phrase") == action
