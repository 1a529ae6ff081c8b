"""What a language model answered: is it a decomposition of this sentence? Nothing else gets through.

The sentence comes from strangers and may try to instruct the model, so its answer is no more trusted than the sentence:
the answer must be exactly one JSON object with the two parts, short, about one object, and made of the sentence's own
words. A sentence can still choose which of its own words come through; that harms nobody but its writer.

How the action names the object is brought to what the settings say (:mod:`stvg_core.decomposition.naming`).
"""

from __future__ import annotations

import json
import re
from typing import Any

from stvg_core.decomposition import words as lexicon
from stvg_core.decomposition.naming import renamed
from stvg_core.errors import QueryError
from stvg_core.query import SubQueries, normalise_query, without_final_mark
from stvg_core.settings import ActionSubject

MAX_ANSWER = 8000
"""Characters of an answer that are looked at; far above any honest one."""

LONGER = 60
"""A part may have so many characters more than the sentence ("what ...?" becomes "the object that ...")."""

_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
_GENERIC = frozenset({"person", "object", "someone", "something", "thing"})
_FUNCTION_WORDS = (
    lexicon.DETERMINERS | lexicon.PREPOSITIONS | lexicon.AUXILIARIES | lexicon.RELATIVES | lexicon.CONJUNCTIONS
    | lexicon.SUBORDINATORS | lexicon.OBJECTS | lexicon.INTERROGATIVES | {"do", "does", "did", "there", "not"}
)  # fmt: skip


def parts_of(answer: str, sentence: str, action_subject: ActionSubject = "noun") -> SubQueries | None:
    """The two parts in a language model's answer to ``sentence``; None where the answer is not to be trusted."""
    found = _read(answer)
    if found is None or set(found) != {"attribute", "action"}:
        return None
    attribute, action = _part(found["attribute"], sentence), _part(found["action"], sentence)
    if attribute is None or action is None or attribute.lower() == action.lower():
        return None
    asked = next(iter(sentence.lower().split()), "") in lexicon.INTERROGATIVES
    if not (_is_about(attribute, sentence, may_be_generic=asked) and _is_about(action, sentence)):
        return None
    if not any(_same(word, other) for word in _content(attribute) for other in _content(action)):
        return None  # the two are about different objects
    action = renamed(attribute, action, action_subject)
    if action is None or len(action) > len(sentence) + LONGER:
        return None
    return SubQueries(attribute, action, found=True)


def _read(answer: str) -> dict[str, Any] | None:
    """One JSON object and nothing around it but white space and a code fence; a key given twice is refused."""
    text = answer.strip()
    fenced = _FENCE.fullmatch(text)
    if len(text) > MAX_ANSWER:
        return None
    try:
        found = json.loads(fenced.group(1) if fenced else text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _part(value: Any, sentence: str) -> str | None:
    """One part, cleaned like any query; None where it is not text, empty, too long, or looks like markup."""
    if not isinstance(value, str) or len(value) > len(sentence) + LONGER:
        return None
    try:
        text = without_final_mark(normalise_query(value))
    except QueryError:
        return None
    return None if set(text) & set("{}[]<>|\\`") else text


def _is_about(part: str, sentence: str, *, may_be_generic: bool = False) -> bool:
    """Are at least half of the part's content words the sentence's, inflection aside, and is there one at all?"""
    words = _content(part)
    named = words - _GENERIC
    if not named:
        return may_be_generic and bool(words)
    known = _content(sentence)
    return 2 * sum(any(_same(word, other) for other in known) for word in named) >= len(named)


def _content(text: str) -> set[str]:
    return set(re.findall(r"[\w-]+", text.lower())) - (_FUNCTION_WORDS - _GENERIC)


def _same(one: str, other: str) -> bool:
    """The same first four letters, or all of the shorter word: "sits" and "sitting", "carries" and "carry"."""
    length = min(len(one), len(other), 4)
    return one[:length] == other[:length]
