"""Splitting a sentence by rules: no language model needed (method, stage 2).

A statement is cut before the verb of its main clause: what stands before it is the attribute phrase, and the action
sentence is what stands after it, said of the same subject: by its bare noun or, if the settings say so, by the whole
phrase. Where no verb is found, both sub-queries are the whole sentence. Questions go to
:mod:`stvg_core.decomposition.questions`. What this gets right and wrong on real sentences is in
``docs/decomposition.md``.
"""

from __future__ import annotations

import re

from stvg_core.decomposition import words as lexicon
from stvg_core.decomposition.clause import Clause, tidy
from stvg_core.decomposition.questions import split_question
from stvg_core.decomposition.subject import Split
from stvg_core.query import SubQueries, whole, without_final_mark
from stvg_core.settings import ActionSubject

_ORDER = re.compile(
    r"\A(?:please )?(?:find|show(?: me)?|locate|track|detect|highlight) (?=(?:an?|the) )", re.IGNORECASE
)
_THERE_IS = re.compile(r"there(?:\s+(?:is|are|was|were)|'s|’s)\s+", re.IGNORECASE)


class RuleDecomposer:
    """:func:`decompose` as a decomposer; ``action_subject`` as in the settings."""

    name = "rules"

    def __init__(self, action_subject: ActionSubject = "noun") -> None:
        self._action_subject = action_subject

    def decompose(self, sentence: str) -> SubQueries:
        return decompose(sentence, self._action_subject)


def decompose(query: str, action_subject: ActionSubject = "noun") -> SubQueries:
    """Split a normalised sentence by rules; ``action_subject`` as in the settings.

    >>> decompose("The man in red who sits down.")
    SubQueries(attribute='the man in red', action='the man sits down', found=True)
    """
    text = _ORDER.sub("", tidy(without_final_mark(query)))
    asked = next(iter(text.lower().split()), "") in lexicon.INTERROGATIVES
    split = split_question(text) if asked else _split_there_is(text) or split_statement(text)
    if split is None or not split.attribute or not split.predicate:
        return whole(query)
    if action_subject == "noun":
        split = split.with_adverbs()
    return SubQueries(_lower_first(split.attribute), _lower_first(split.action(action_subject)), found=True)


def _split_there_is(text: str) -> Split | None:
    """Of "there is a cup above the table" the relation is the action."""
    opening = _THERE_IS.match(text)
    if opening is None:
        return None
    rest = text[opening.end() :]
    split = split_statement(rest)
    if split is not None:
        return split
    clause = Clause(rest)
    for i in range(1, len(clause)):
        word = clause.bare[i]
        if word in lexicon.PLACES or (word == "in" and not _tells_looks(clause, i)):
            return _cut_before(clause, i)
    return None


def _tells_looks(clause: Clause, i: int) -> bool:
    """Is it "in white" or "in a black coat", rather than "in the room"?"""
    following = clause.bare[i + 1 : i + 5]
    if following and following[0] in lexicon.DETERMINERS:
        return any(word in lexicon.CLOTHING for word in following)
    return any(word in lexicon.CLOTHING | lexicon.COLOURS for word in following[:2])


def split_statement(text: str) -> Split | None:
    """Cut a statement before what its subject does; None where no verb is found."""
    text = _main_clause_first(text)
    clause = Clause(text)
    relative = next((i for i in range(1, len(clause) - 1) if clause.bare[i] in lexicon.RELATIVES), None)
    finite, participle = clause.finite(), clause.participle(bearing=False)
    if relative is not None and (finite is None or relative < finite):
        return _split_relative(clause, relative)
    # "moving left while the blue square moves right": the later verb belongs to something else.
    if participle is not None and (finite is None or _joined(clause, participle, finite)):
        return _cut_before(clause, participle)
    if finite is None:
        late = clause.participle(bearing=True)
        return None if late is None else _cut_before(clause, late)
    bearing = lexicon.BEARING.get(clause.bare[finite])
    main = None if bearing is None else clause.second_verb(finite)
    if main is None:
        return _cut(clause, finite)
    return Split(f"{clause.text(0, finite)} {bearing} {clause.text(finite + 1, main)}", _rest(clause, main))


def _split_relative(clause: Clause, relative: int) -> Split | None:
    """Cut "the man who sits down" at "who", and "the man who wears a hat sits down" at "sits"."""
    if clause.bare[relative + 1] in lexicon.DETERMINERS:
        # "the dog that the boy looks at": somebody else's action
        return _cut_before(clause, relative)
    if clause.bare[relative + 1] not in lexicon.AUXILIARIES and not clause.is_finite(relative + 1):
        verb = clause.finite(relative + 1)
        if verb is None:
            return None
        return Split(clause.text(0, relative), _rest(clause, verb), skipped=clause.text(relative + 1, verb))
    main = clause.second_verb(relative + 1)
    if main is not None:
        return _cut(clause, main)
    return Split(clause.text(0, relative), _rest(clause, relative + 1))


def _cut_before(clause: Clause, i: int) -> Split:
    """All words stay, and the comma between the two."""
    attribute = clause.text(0, i)
    both = clause.text(0)
    predicate = clause.text(i)
    return Split(attribute, predicate, gap=both[len(attribute) : len(both) - len(predicate)])


def _cut(clause: Clause, verb: int) -> Split:
    return Split(clause.text(0, verb), _rest(clause, verb))


def _rest(clause: Clause, verb: int) -> str:
    """From the verb on; "is" goes, so that "Is there the man running away in this video?" reads well."""
    skip = clause.bare[verb] in lexicon.AUXILIARIES and verb + 1 < len(clause)
    return clause.text(verb + 1 if skip else verb)


def _joined(clause: Clause, participle: int, finite: int) -> bool:
    """Does a conjunction stand between the two, so that the finite verb has another subject?"""
    return participle < finite and any(word in lexicon.SUBORDINATORS for word in clause.bare[participle:finite])


def _main_clause_first(text: str) -> str:
    """Put the part before the comma last: "After she sits, the man leaves", "In the room, a man sits"."""
    front, comma, main = text.partition(", ")
    first = front.split()[0].lower() if front.split() else ""
    if not comma or first not in lexicon.SUBORDINATORS | lexicon.PREPOSITIONS or not main.strip(" ,;"):
        return text
    return f"{main.strip(' ,;')} {_lower_first(front)}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
