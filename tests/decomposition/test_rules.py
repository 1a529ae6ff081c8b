from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.decomposition.rules import RuleDecomposer, decompose
from stvg_core.demo.domain import ACTIONS, COLOURS, SHAPES, describe
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
        # Words that look like verbs, and verbs that look like nouns.
        ("a man with crossed hands waves", "a man with crossed hands", "a man with crossed hands waves"),
        ("a man in black hands her a cup", "a man in black", "a man in black hands her a cup"),
        ("the man's dog barks at a cat", "the man's dog", "the man's dog barks at a cat"),
        ("the old smoking man coughs", "the old smoking man", "the old smoking man coughs"),
        ("the tall woman smashes a jar", "the tall woman", "the tall woman smashes a jar"),
        # The past, and participles that are no past.
        ("The boy kicked the ball.", "the boy", "the boy kicked the ball"),
        ("a car parked by the wall drives off", "a car parked by the wall", "a car parked by the wall drives off"),
        ("the man pushed by a boy falls", "the man pushed by a boy", "the man pushed by a boy falls"),
        # A description with a verb of its own.
        ("the man who wears a hat bows", "the man who wears a hat", "the man who wears a hat bows"),
        ("a girl wears a cap runs home", "a girl wearing a cap", "a girl wearing a cap runs home"),
        ("the man holding a bag nods", "the man holding a bag", "the man holding a bag nods"),
        ("the man holding a bag", "the man", "the man holding a bag"),
        ("the dog that the boy pats", "the dog", "the dog that the boy pats"),
        # Another subject, or another order.
        ("the ring moving left while a star blinks", "the ring", "the ring moving left while a star blinks"),
        ("After the bell rings, a nun enters.", "a nun", "a nun enters after the bell rings"),
        ("In the yard, two boys fight.", "two boys", "two boys fight in the yard"),
        # "there is": the relation is the action.
        ("there is a red kite above a child.", "a red kite", "a red kite above a child"),
        ("There is a dog in a blue coat in the yard", "a dog in a blue coat", "a dog in a blue coat in the yard"),
        ("there is a goat chewing a rope", "a goat", "a goat chewing a rope"),
        # What people type: an order, a short form, something that may happen.
        ("Find the nun in blue who opens the gate.", "the nun in blue", "the nun in blue opens the gate"),
        ("the boy who wants to find the key", "the boy", "the boy wants to find the key"),
        ("the guy that's talking", "the guy", "the guy talking"),
        ("the boy will throw the ball", "the boy", "the boy will throw the ball"),
        # Spaces of tokenised annotations.
        ("The long - haired girl 's dog barks .", "the long-haired girl's dog", "the long-haired girl's dog barks"),
    ],
)  # fmt: skip
def test_statements(query: str, attribute: str, action: str) -> None:
    parts = decompose(query)
    assert (parts.attribute, parts.action, parts.found) == (attribute, action, True)


@pytest.mark.parametrize(
    ("query", "attribute", "action"),
    [
        ("who holds the jar?", "the person", "the person holds the jar"),
        ("who hold the jar?", "the person", "the person holds the jar"),
        ("who is behind the tree?", "the person", "the person behind the tree"),
        ("who is chasing the goat?", "the person", "the person chasing the goat"),
        ("who does the nun in white push?", "the person", "the nun in white pushes the person"),
        ("who is the nun next to in the hall?", "the person", "the nun is next to the person in the hall"),
        ("what leans on the gate?", "the object that leans on the gate", "the object leans on the gate"),
        ("what is above the gate?", "the object above the gate", "the object is above the gate"),
        ("what behind the gate?", "the object behind the gate", "the object is behind the gate"),
        ("what does the nun carry?", "the object that the nun carries", "the nun carries the object"),
        (
            "what does the goat lean on in the yard?",
            "the object that the goat leans on in the yard",
            "the goat leans on the object in the yard",
        ),
        ("which nun in white sits down?", "the nun in white", "the nun in white sits down"),
        ("what dog is behind the gate?", "the dog", "the dog behind the gate"),
    ],
)
def test_questions(query: str, attribute: str, action: str) -> None:
    parts = decompose(query)
    assert (parts.attribute, parts.action, parts.found) == (attribute, action, True)


@pytest.mark.parametrize(
    "query",
    [
        "the dog",
        "红色的圆",
        "🦄",
        "building",
        "who",
        "the tall man on the left",
        "the nun wearing a hat",
        "who is the boy",
    ],
)
def test_without_an_action_both_halves_are_the_whole(query: str) -> None:
    parts = RuleDecomposer().decompose(query)
    assert parts.attribute == parts.action == query
    assert not parts.found


@pytest.mark.parametrize("phrasing", [0, 1, 2])
def test_every_sentence_of_the_embedded_models_domain_is_split_before_its_action(phrasing: int) -> None:
    for colour in COLOURS:
        for shape in SHAPES:
            for action in ACTIONS:
                sentence = describe(colour, shape, action, phrasing)
                parts = decompose(sentence)
                assert parts.found, sentence
                assert parts.attribute.split()[1:] == [colour, shape], sentence
                assert parts.action.startswith(parts.attribute), sentence
                assert parts.action.split()[-1] == sentence.split()[-1], sentence


@given(st.text(max_size=200))
def test_no_text_breaks_the_rules(text: str) -> None:
    try:
        cleaned = normalise_query(text)
    except QueryError:
        return
    parts = decompose(cleaned)
    assert parts.attribute and parts.action


OWN_WORDS = """
the a man dog who what that is does there in on of red moving hands left sits wears hold , ? . 's and while after find
"""
WORDS = st.sampled_from(OWN_WORDS.split())


@given(st.lists(WORDS, min_size=1, max_size=9))
def test_no_order_of_their_own_words_breaks_the_rules(words: list[str]) -> None:
    parts = decompose(" ".join(["man", *words]))
    assert parts.attribute and parts.action
    parts = decompose(" ".join([*words, "man"]))
    assert parts.attribute and parts.action
