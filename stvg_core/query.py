"""The sentence: cleaning it, and splitting it into an attribute and an action sub-query (method, stage 2).

The rules here are the first form of the decomposition: they need no language model. They look for the word that
starts the action ("who sits down", "moving left", "walks away") and take what stands before it as the attribute phrase.
Where no such word is found, both sub-queries are the whole sentence, which is the safe answer.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from stvg_core.errors import QueryError

MAX_CHARACTERS = 2000
QUESTION = "Is there {} in this video?"  # the paper's template for both sub-queries
NEUTRAL_PROMPT = "Describe this video in details."  # the paper's wording (stage 5), grammar and all

_RELATIVE = {"who", "that", "which", "whose"}
_AUXILIARY = {"is", "are", "was", "were"}
_DETERMINERS = {"a", "an", "the", "this", "that", "one", "another", "some", "his", "her", "its"}
_PREPOSITIONS = {
    "in",
    "with",
    "on",
    "at",
    "of",
    "wearing",
    "holding",
    "near",
    "by",
    "behind",
    "beside",
    "from",
    "next",
    "to",
}
# Attributive participles: "wearing", "dressed in" and the like describe how someone looks, not what happens.
_LOOKS = {"wearing", "dressed", "carrying", "holding", "standing", "sitting"}
_IRREGULAR = {
    "goes", "sits", "runs", "gets", "puts", "takes", "turns", "walks", "moves", "stands", "picks", "opens", "closes",
    "grows", "shrinks", "blinks", "shakes", "jumps", "falls", "leaves", "enters", "looks", "raises", "lifts", "pulls",
    "pushes", "throws", "catches", "hits", "kicks", "bends", "squats", "kneels", "stops", "starts", "begins", "touches",
    "holds", "carries", "hugs", "kisses", "waves", "points", "shows", "hands", "gives", "drops", "climbs", "rides",
    "drives", "dances", "eats", "drinks", "reads", "writes", "plays", "chases", "bites", "watches", "follows", "lies",
    "rises", "steps", "comes", "makes", "rushes", "swings", "rolls", "slides", "crosses", "approaches", "reaches",
    "speaks", "talks", "says", "nods", "smiles", "laughs", "cries", "claps", "pats", "wipes", "folds", "unfolds",
}  # fmt: skip


@dataclass(frozen=True)
class SubQueries:
    """The two halves of a sentence, without final punctuation: "the man in red" and "the man in red sits down"."""

    attribute: str
    action: str
    found: bool

    @property
    def spatial_question(self) -> str:
        """Q_s: the paper's template around the attribute phrase."""
        return QUESTION.format(self.attribute)

    @property
    def temporal_question(self) -> str:
        """Q_t: the paper's template around the action sentence."""
        return QUESTION.format(self.action)


def normalise_query(text: str) -> str:
    """One line, single spaces, NFC, no control or invisible formatting characters; case and final punctuation are kept.

    Raises:
        QueryError: nothing is left, or the text is longer than 2000 characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise QueryError(
            f"The query has {len(text)} characters; at most {MAX_CHARACTERS} are accepted. Write one short sentence."
        )
    spaced = "".join(" " if ch.isspace() else ch for ch in unicodedata.normalize("NFC", text))
    # Cc/Cf/Cs/Co/Cn: control, formatting (bidirectional overrides among them), surrogates, private, unassigned.
    # The zero-width joiner stays: emoji and several scripts need it inside words.
    kept = "".join(ch for ch in spaced if ch == "\u200d" or not unicodedata.category(ch).startswith("C"))
    cleaned = " ".join(kept.split()).strip("\u200d")
    if not any(ch.isalnum() or unicodedata.category(ch) == "So" for ch in cleaned):
        raise QueryError(
            "The query is empty. Write one sentence that names an object, such as: the man in red who sits down."
        )
    return cleaned


def as_statement(sentence: str) -> str:
    """The original query as the model sees it: its final full stop is a candidate for the grounding token."""
    return sentence if sentence[-1] in ".?!" else f"{sentence}."


def decompose(query: str) -> SubQueries:
    """Split a normalised sentence by rules.

    "The man in red who sits down." -> "the man in red", "the man in red sits down".
    """
    text = re.sub(r"[\s.!?]+$", "", query)
    words = text.split()
    for index in range(1, len(words)):
        word = _bare(words[index])
        if word in _RELATIVE and index + 1 < len(words) and word != "whose":
            following = _bare(words[index + 1])
            rest = words[index + 2 :] if following in _AUXILIARY and index + 2 < len(words) else words[index + 1 :]
            return _split(words[:index], rest)
        if _is_action(words, index):
            rest = words[index + 1 :] if word in _AUXILIARY and index + 1 < len(words) else words[index:]
            return _split(words[:index], rest)
    return SubQueries(text, text, found=False)


def _is_action(words: list[str], index: int) -> bool:
    word, before = _bare(words[index]), _bare(words[index - 1])
    if before in _DETERMINERS or before in _PREPOSITIONS:
        return False  # "in running shoes", "the moving car": part of the description
    if word in _LOOKS:
        return False
    if word in _AUXILIARY or word in _IRREGULAR:
        return True
    return (
        len(word) > 4
        and word.endswith("ing")
        and word not in {"something", "anything", "morning", "evening", "building", "ceiling"}
    )


def _split(before: list[str], action: list[str]) -> SubQueries:
    attribute = " ".join(before).strip(" ,;")
    attribute = attribute[:1].lower() + attribute[1:]
    return SubQueries(attribute, f"{attribute} {' '.join(action)}".strip(" ,;"), found=True)


def _bare(word: str) -> str:
    return word.strip(",;:.!?\"'()").lower()
