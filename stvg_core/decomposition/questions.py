"""Questions: "who holds the cup?", "what does the adult in red hold?".

The object that is asked for is the unknown, so its attribute phrase is what the question says of it: for "who", that it
is a person; for "what", which says nothing, the relation that it is known by. The action is the question turned into a
statement about "the person" or "the object".
"""

from __future__ import annotations

from stvg_core.decomposition import words as lexicon
from stvg_core.decomposition.clause import Clause
from stvg_core.decomposition.subject import Split

_KINDS = {"who": "the person", "whom": "the person", "what": "the object"}
_DO = frozenset({"do", "does", "did"})


def split_question(text: str) -> Split | None:
    """A question without its mark; None for anything else."""
    clause = Clause(text)
    if len(clause) < 3 or clause.bare[0] not in {*_KINDS, "which"}:
        return None
    word, second = clause.bare[0], clause.bare[1]
    if word in _KINDS and second in _DO:
        return _asked_for_object(clause, _KINDS[word])
    if word in _KINDS and second in lexicon.AUXILIARIES:
        if clause.bare[2] in lexicon.DETERMINERS:
            return _asked_for_place(clause, _KINDS[word])
        return _asked_for_subject(_KINDS[word], clause.text(2), auxiliary=second)
    if word in _KINDS and (second in lexicon.PREPOSITIONS or clause.is_finite(1) or second in lexicon.VERBS):
        verb = lexicon.third_person(second) if second in lexicon.VERBS else second
        if second in lexicon.PREPOSITIONS:
            return _asked_for_subject(_KINDS[word], clause.text(1), auxiliary="is")
        return _asked_for_subject(_KINDS[word], f"{verb} {clause.text(2)}")
    return _asked_for_one_of(clause) if word != "who" else None


def _asked_for_subject(kind: str, rest: str, auxiliary: str = "") -> Split:
    """As in "who holds the cup", "what is above the table": the unknown is the subject."""
    if kind == "the person":
        return Split(kind, rest)
    if auxiliary:
        return Split(f"{kind} {rest}", f"{auxiliary} {rest}", subject=kind)
    return Split(f"{kind} that {rest}", rest, subject=kind)


def _asked_for_object(clause: Clause, kind: str) -> Split | None:
    """As in "what does the adult in red hold": the unknown is what is held."""
    verb = next((i for i in range(3, len(clause)) if _is_base_verb(clause, i)), None)
    if verb is None:
        return None
    subject = clause.text(2, verb)
    form = clause.written[verb] if clause.bare[1] == "do" else lexicon.third_person(clause.bare[verb])
    return _with_gap(clause, verb + 1, kind, f"{subject} {form}")


def _asked_for_place(clause: Clause, kind: str) -> Split | None:
    """As in "who is the adult next to": the unknown is what the adult is next to."""
    relations = lexicon.PLACES | {"in"}
    place = next((i for i in range(4, len(clause)) if clause.bare[i] in relations and not _has_noun(clause, i)), None)
    while place is not None and place > 4 and clause.bare[place - 1] in relations:
        place -= 1
    if place is None:
        place = next((i for i in range(4, len(clause)) if lexicon.is_participle(clause.bare[i])), None)
    return None if place is None else _with_gap(clause, place, kind, f"{clause.text(2, place)} {clause.written[1]}")


def _with_gap(clause: Clause, start: int, kind: str, opening: str) -> Split:
    """Put the unknown where the question leaves it out: after the last preposition that has no noun, else at once."""
    stranded = [
        i for i in range(start, len(clause)) if clause.bare[i] in lexicon.PREPOSITIONS and not _has_noun(clause, i)
    ]
    gap = stranded[-1] + 1 if stranded else start
    before = " ".join(filter(None, (opening, clause.text(start, gap))))
    after = clause.text(gap)
    action = " ".join(filter(None, (before, kind, after)))
    known_by = kind if kind == "the person" else " ".join(filter(None, (kind, "that", before, after)))
    return Split(known_by, action, subject="")  # the subject is somebody else, who keeps how he is described


def _asked_for_one_of(clause: Clause) -> Split | None:
    """As in "which man in red sits down": a statement about the man in red."""
    verb = clause.finite(2)
    if verb is None:
        return None
    skip = clause.bare[verb] in lexicon.AUXILIARIES and verb + 1 < len(clause)
    return Split(f"the {clause.text(1, verb)}", clause.text(verb + 1 if skip else verb))


def _is_base_verb(clause: Clause, i: int) -> bool:
    before = clause.bare[i - 1]
    return clause.bare[i] in lexicon.VERBS and before not in lexicon.DETERMINERS | lexicon.PREPOSITIONS


def _has_noun(clause: Clause, i: int) -> bool:
    """Does a noun follow the preposition? None does at the end or before a preposition or an adverb of place."""
    return i + 1 < len(clause) and clause.bare[i + 1] not in lexicon.PREPOSITIONS | lexicon.PARTICLES
