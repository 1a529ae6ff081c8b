"""What a detector is asked for."""

from __future__ import annotations

import pytest

from stvg_core.proposals.phrases import as_prompt, noun_phrases


@pytest.mark.parametrize(
    ("attribute", "head"),
    [
        ("The man in purple clothes", "man"),
        ("the little black dog", "little black dog"),
        ("a black and white dog", "black and white dog"),  # one dog
        ("a man and a woman", "man"),  # two things
        ("one of the men in red", "men"),
        ("the woman with the plate", "woman"),
        ("the man standing next to the car", "man"),
        ("the man dressed in red", "man"),
        ("the red haired woman", "red haired woman"),  # "haired" belongs to the noun that follows
        ("running man", "running man"),
        ("the tall building with windows", "tall building"),  # ends in -ing and is a noun
        ("the red-haired girl, who", "red-haired girl"),
        ("the woman's red bag", "woman's red bag"),
        ("who", "person"),
        ("who is holding the ball", "person"),
        ("someone", "person"),
        ("the red circle", "red circle"),
    ],
)
def test_head_comes_first_and_the_whole_phrase_after_it(attribute: str, head: str) -> None:
    found = noun_phrases(attribute)
    assert found[0] == head
    assert len(found) <= 2
    assert found[-1] == attribute.lower().replace(",", "")


def test_full_stops_inside_would_split_the_phrase() -> None:
    assert noun_phrases("Mr. Smith.") == ["mr smith"]
    assert as_prompt("mr smith") == "mr smith ."


@pytest.mark.parametrize("attribute", ["", " . ", "?!"])
def test_nothing_to_ask_for(attribute: str) -> None:
    assert noun_phrases(attribute) == []


def test_only_a_determiner_is_asked_as_it_is() -> None:
    assert noun_phrases("the") == ["the"]


def test_other_scripts_and_endless_phrases() -> None:
    assert noun_phrases("在门口的男人") == ["在门口的男人"]
    assert len(noun_phrases("very " * 500 + "old man")[-1].split()) == 40
