"""What does a sentence say of the same video run backwards?

The reversed video of temporal-augmented assembling (paper, stage 8) shows someone sit down where the sentence says
"stands up". An object keeps its looks when time turns, but a sentence keeps its truth only if its action turns as well.
"""

from __future__ import annotations

import re
from dataclasses import replace

from stvg_core.decomposition.subject import bare
from stvg_core.query import SubQueries

# Longer phrases come before their parts: "picks up" must not become "picks down".
_PAIRS = (
    ("picks up", "puts down"), ("pick up", "put down"), ("picking up", "putting down"), ("picked up", "put down"),
    ("gets up", "lies down"), ("getting up", "lying down"), ("stands up", "sits down"), ("stand up", "sit down"),
    ("standing up", "sitting down"), ("stood up", "sat down"), ("gets on", "gets off"), ("getting on", "getting off"),
    ("gets into", "gets out of"), ("puts on", "takes off"), ("putting on", "taking off"), ("turns on", "turns off"),
    ("goes into", "comes out of"), ("walks into", "walks out of"), ("runs into", "runs out of"),
    ("leaves", "enters"), ("leaving", "entering"), ("opens", "closes"), ("open", "close"), ("opening", "closing"),
    ("raises", "lowers"), ("raising", "lowering"), ("lifts", "lowers"), ("pushes", "pulls"), ("pushing", "pulling"),
    ("grows", "shrinks"), ("growing", "shrinking"), ("grow", "shrink"), ("appears", "disappears"),
    ("appearing", "disappearing"), ("approaches", "moves away from"), ("towards", "away from"), ("toward", "away from"),
    ("to the left", "to the right"),
    ("left", "right"), ("up", "down"), ("upwards", "downwards"), ("forward", "backward"), ("forwards", "backwards"),
    ("in", "out"), ("inside", "outside"),
)  # fmt: skip
_ANTONYMS = {b: a for a, b in reversed(_PAIRS)} | dict(reversed(_PAIRS))
_PATTERN = re.compile(
    r"\b(" + "|".join(sorted(map(re.escape, _ANTONYMS), key=len, reverse=True)) + r")\b", re.IGNORECASE
)
# "in" turns only as a direction: "walks in", but not "walks in the room".
_DIRECTION_ONLY = {"in", "out", "inside", "outside", "up", "down", "left", "right"}


def reverse_action(sentence: str, parts: SubQueries) -> str:
    """The sentence with its action turned, its attribute phrase untouched.

    "the man on the left who stands up" -> "the man on the left who sits down". A sentence whose action looks the
    same backwards ("the star shaking"), whose action is not in the table of opposites, or that was not split, stays.
    """
    at = sentence.casefold().find(parts.attribute.casefold())
    if not parts.found or at < 0:
        return sentence
    return _after(at + len(parts.attribute), sentence)


def reverse_parts(parts: SubQueries) -> SubQueries:
    """The action sentence turned, however it names its subject: "the man stands up" -> "the man sits down"."""
    noun = bare(parts.attribute)
    if parts.found and noun and re.match(rf"{re.escape(noun)}\b", parts.action, re.IGNORECASE):
        named = parts.action.casefold().startswith(parts.attribute.casefold())
        return replace(parts, action=_after(len(parts.attribute if named else noun), parts.action))
    return replace(parts, action=reverse_action(parts.action, parts))


def _after(border: int, sentence: str) -> str:
    return sentence[:border] + _PATTERN.sub(_turned, sentence[border:])


def _turned(match: re.Match[str]) -> str:
    word = match.group(0)
    following = match.string[match.end() :].lstrip()[:4].casefold()
    if word.casefold() in _DIRECTION_ONLY and following.startswith(("the ", "a ", "an ", "his ", "her ")):
        return word
    if word.casefold() in {"left", "right"} and re.search(r"\b(his|her|the|its)\s+$", match.string[: match.start()]):
        return word  # "raises her left hand" names a hand, not a way
    return _ANTONYMS[word.casefold()]
