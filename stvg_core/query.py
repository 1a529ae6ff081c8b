"""The sentence: cleaning it, and what its two sub-queries are asked as (method, stage 2).

:mod:`stvg_core.decomposition` finds the sub-queries.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from stvg_core.errors import QueryError
from stvg_core.text import clean

MAX_CHARACTERS = 2000
QUESTION = "Is there {} in this video?"  # the paper's template for both sub-queries
NEUTRAL_PROMPT = "Describe this video in details."  # the paper's wording (stage 5), grammar and all
FULL_STOPS = ".。．｡…।۔"
_OTHER_MARKS = "?!？！؟"
_PLAIN_QUOTES = "\"'`＂＇"


@dataclass(frozen=True)
class SubQueries:
    """The two halves of a sentence, without final punctuation: "the man in red" and "the man sits down"."""

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


def whole(sentence: str) -> SubQueries:
    """No split: both sub-queries are the sentence without its final mark."""
    text = without_final_mark(sentence)
    return SubQueries(text, text, found=False)


def normalise_query(text: str) -> str:
    """One line, single spaces, NFC, no control or invisible formatting characters; case and final punctuation are kept.

    Raises:
        QueryError: nothing is left, or the text is longer than 2000 characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise QueryError(
            f"The query has {len(text)} characters; at most {MAX_CHARACTERS} are accepted. Write one short sentence."
        )
    cleaned = clean(text)
    if not any(ch.isalnum() or unicodedata.category(ch) == "So" for ch in cleaned):
        raise QueryError(
            "The query is empty. Write one sentence that names an object, such as: the man in red who sits down."
        )
    return cleaned


def without_final_mark(sentence: str) -> str:
    """Without the mark that ends it: "Is there {} in this video?" brings its own. Never empties a sentence."""
    return sentence.rstrip(" " + FULL_STOPS + _OTHER_MARKS) or sentence


def without_closing(text: str) -> str:
    """Without the quotes, brackets and spaces at its end: what they close ends before them. May be empty."""
    end = len(text)
    while end and (text[end - 1].isspace() or _closes(text[end - 1])):
        end -= 1
    return text[:end]


def as_statement(sentence: str) -> str:
    """The original query as the model sees it: its final full stop is a candidate for the grounding token.

    A sentence that ends in a mark already stays as it is, also where a quote or bracket follows the mark.
    """
    return sentence if without_closing(sentence).endswith((*FULL_STOPS, *_OTHER_MARKS)) else f"{sentence}."


def _closes(character: str) -> bool:
    # Some languages close with the quote that opens in English („so“, »so«).
    return character in _PLAIN_QUOTES or unicodedata.category(character) in {"Pe", "Pf", "Pi"}
