from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.decomposition.rules import RuleDecomposer, decompose
from stvg_core.demo.domain import ACTIONS, COLOURS, SHAPES, describe
from stvg_core.errors import QueryError
from stvg_core.query import SubQueries, normalise_query


@pytest.mark.parametrize(
    ("query", "attribute", "phrase", "noun"),
    [
        ("the red circle moving left", "the red circle", "the red circle moving left", "the circle moving left"),
        ("the red circle that moves left", "the red circle", "the red circle moves left", "the circle moves left"),
        ("A red circle moves left.", "a red circle", "a red circle moves left", "a circle moves left"),
        ("The man in red who sits down.", "the man in red", "the man in red sits down", "the man sits down"),
        ("the man who is running away", "the man", "the man running away", "the man running away"),
        (
            "The man in running shoes walks to the door.",
            "the man in running shoes",
            "the man in running shoes walks to the door", "the man walks to the door",
        ),
        (
            "the woman wearing a hat turns around", "the woman wearing a hat",
            "the woman wearing a hat turns around",
            "the woman turns around",
        ),
        # Words that look like verbs, and verbs that look like nouns.
        ("a man with crossed hands waves", "a man with crossed hands", "a man with crossed hands waves", "a man waves"),
        ("a man in black hands her a cup", "a man in black", "a man in black hands her a cup", "a man hands her a cup"),
        ("the man's dog barks at a cat", "the man's dog", "the man's dog barks at a cat", "the dog barks at a cat"),
        ("the old smoking man coughs", "the old smoking man", "the old smoking man coughs", "the man coughs"),
        ("the tall woman smashes a jar", "the tall woman", "the tall woman smashes a jar", "the woman smashes a jar"),
        # The past, and participles that are no past.
        ("The boy kicked the ball.", "the boy", "the boy kicked the ball", "the boy kicked the ball"),
        (
            "a car parked by the wall drives off", "a car parked by the wall",
            "a car parked by the wall drives off",
            "a car drives off",
        ),
        ("the man pushed by a boy falls", "the man pushed by a boy", "the man pushed by a boy falls", "the man falls"),
        # A description with a verb of its own.
        ("the man who wears a hat bows", "the man who wears a hat", "the man who wears a hat bows", "the man bows"),
        ("a girl wears a cap runs home", "a girl wearing a cap", "a girl wearing a cap runs home", "a girl runs home"),
        ("the man holding a bag nods", "the man holding a bag", "the man holding a bag nods", "the man nods"),
        ("the man holding a bag", "the man", "the man holding a bag", "the man holding a bag"),
        ("the dog that the boy pats", "the dog", "the dog that the boy pats", "the dog that the boy pats"),
        # The paper's own sentences; what describes other things stays.
        (
            "The man in purple clothes takes a step forward and sits on the bench.", "the man in purple clothes",
            "the man in purple clothes takes a step forward and sits on the bench",
            "the man takes a step forward and sits on the bench",
        ),
        (
            "The yellow-haired man takes the opposite woman's hand and kisses it, then puts it down.",
            "the yellow-haired man",
            "the yellow-haired man takes the opposite woman's hand and kisses it, then puts it down",
            "the man takes the opposite woman's hand and kisses it, then puts it down",
        ),
        ("the bald man puts his hand at the man in black", "the bald man",
         "the bald man puts his hand at the man in black", "the man puts his hand at the man in black"),
        # Where no noun can be told, the action keeps the phrase.
        ("the one on the left stands up", "the one on the left", "the one on the left stands up",
         "the one on the left stands up"),
        ("the man in red's dog barks", "the man in red's dog", "the man in red's dog barks",
         "the man in red's dog barks"),
        (
            "the man whose dog barks", "the man whose dog",
            "the man whose dog barks",
            "the man whose dog barks",
        ),
        # Passive, and several.
        ("a girl in white is helped by a man", "a girl in white", "a girl in white helped by a man",
         "a girl helped by a man"),
        ("one of the men in black sits down", "one of the men in black", "one of the men in black sits down",
         "one of the men sits down"),
        (
            "the old man and the young woman in red are dancing", "the old man and the young woman in red",
            "the old man and the young woman in red dancing", "the man and the woman dancing",
        ),
        ("the red circle, moving left", "the red circle", "the red circle, moving left", "the circle, moving left"),
        # Another subject, or another order.
        (
            "the ring moving left while a star blinks", "the ring",
            "the ring moving left while a star blinks",
            "the ring moving left while a star blinks",
        ),
        (
            "After the bell rings, a nun enters.", "a nun",
            "a nun enters after the bell rings",
            "a nun enters after the bell rings",
        ),
        ("In the yard, two boys fight.", "two boys", "two boys fight in the yard", "two boys fight in the yard"),
        # "there is": the relation is the action.
        ("there is a red kite above a child.", "a red kite", "a red kite above a child", "a kite above a child"),
        (
            "There is a dog in a blue coat in the yard", "a dog in a blue coat",
            "a dog in a blue coat in the yard",
            "a dog in the yard",
        ),
        ("there is a goat chewing a rope", "a goat", "a goat chewing a rope", "a goat chewing a rope"),
        # What people type: an order, a short form, something that may happen.
        (
            "Find the nun in blue who opens the gate.", "the nun in blue",
            "the nun in blue opens the gate",
            "the nun opens the gate",
        ),
        (
            "the boy who wants to find the key", "the boy",
            "the boy wants to find the key",
            "the boy wants to find the key",
        ),
        ("the guy that's talking", "the guy", "the guy talking", "the guy talking"),
        ("the boy will throw the ball", "the boy", "the boy will throw the ball", "the boy will throw the ball"),
        # Spaces of tokenised annotations.
        (
            "The long - haired girl 's dog barks .", "the long-haired girl's dog",
            "the long-haired girl's dog barks",
            "the dog barks",
        ),
    ],
)  # fmt: skip
def test_statements(query: str, attribute: str, phrase: str, noun: str) -> None:
    assert decompose(query) == SubQueries(attribute, noun, found=True)
    assert decompose(query, "phrase") == SubQueries(attribute, phrase, found=True)


@pytest.mark.parametrize(
    ("query", "attribute", "action"),
    [
        ("the man in red slowly sits down", "the man in red", "the man slowly sits down"),
        ("The tall man suddenly turns.", "the tall man", "the man suddenly turns"),
        ("the man in red who slowly walks", "the man in red", "the man slowly walks"),
        ("the man in red, quickly walking away", "the man in red", "the man quickly walking away"),
        ("the lovely family walks", "the lovely family", "the family walks"),
    ],
)
def test_how_it_is_done_is_a_part_of_the_action(query: str, attribute: str, action: str) -> None:
    assert decompose(query) == SubQueries(attribute, action, found=True)


@pytest.mark.parametrize(
    ("query", "attribute", "phrase", "noun"),
    [
        ("who holds the jar?", "the person", "the person holds the jar", "the person holds the jar"),
        ("who hold the jar?", "the person", "the person holds the jar", "the person holds the jar"),
        ("who is behind the tree?", "the person", "the person behind the tree", "the person behind the tree"),
        ("who is chasing the goat?", "the person", "the person chasing the goat", "the person chasing the goat"),
        (
            "who does the nun in white push?",
            "the person",
            "the nun in white pushes the person",
            "the nun in white pushes the person",
        ),
        (
            "who is the nun next to in the hall?",
            "the person",
            "the nun is next to the person in the hall",
            "the nun is next to the person in the hall",
        ),
        (
            "what leans on the gate?",
            "the object that leans on the gate",
            "the object leans on the gate",
            "the object leans on the gate",
        ),
        (
            "what is above the gate?",
            "the object above the gate",
            "the object is above the gate",
            "the object is above the gate",
        ),
        (
            "what behind the gate?",
            "the object behind the gate",
            "the object is behind the gate",
            "the object is behind the gate",
        ),
        (
            "what does the nun carry?",
            "the object that the nun carries",
            "the nun carries the object",
            "the nun carries the object",
        ),
        (
            "what does the goat lean on in the yard?",
            "the object that the goat leans on in the yard",
            "the goat leans on the object in the yard",
            "the goat leans on the object in the yard",
        ),
        ("which nun in white sits down?", "the nun in white", "the nun in white sits down", "the nun sits down"),
        ("what dog is behind the gate?", "the dog", "the dog behind the gate", "the dog behind the gate"),
    ],
)
def test_questions(query: str, attribute: str, phrase: str, noun: str) -> None:
    assert decompose(query) == SubQueries(attribute, noun, found=True)
    assert decompose(query, "phrase") == SubQueries(attribute, phrase, found=True)


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
                parts, bare = decompose(sentence, "phrase"), decompose(sentence)
                assert parts.found and bare.attribute == parts.attribute, sentence
                assert parts.attribute.split()[1:] == [colour, shape], sentence
                assert parts.action.startswith(parts.attribute), sentence
                assert parts.action.split()[-1] == sentence.split()[-1], sentence
                assert bare.action == parts.action.replace(f"{colour} ", ""), sentence


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
