"""Splitting a sentence by rules: no language model needed (method, stage 2).

The rules look for the word that starts the action ("who sits down", "moving left", "walks away") and take what stands
before it as the attribute phrase. Where no such word is found, both sub-queries are the whole sentence.
"""

from __future__ import annotations

import re

from stvg_core.query import SubQueries

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


class RuleDecomposer:
    """:func:`decompose` as a decomposer."""

    name = "rules"

    def decompose(self, sentence: str) -> SubQueries:
        return decompose(sentence)


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
