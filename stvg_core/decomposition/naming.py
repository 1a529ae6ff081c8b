"""A language model's action sentence, with its subject named as the settings say.

Models are shown the form that is wanted and may still give the other one. Where one becomes the other by changing the
subject alone, it does; an action that mixes the object's description with other words is refused.
"""

from __future__ import annotations

import re

from stvg_core.decomposition import words as lexicon
from stvg_core.decomposition.rules import split_statement
from stvg_core.decomposition.subject import bare, without_adverbs
from stvg_core.settings import ActionSubject


def renamed(attribute: str, action: str, action_subject: ActionSubject) -> str | None:
    """The action sentence about the object of the attribute phrase in the form of ``action_subject``.

    >>> renamed("the man in red carrying a box", "the man in red sits down", "noun")
    'the man sits down'

    Returns:
        The action as it is where the phrase has no bare form or somebody else is the subject; None where the action
        keeps a part of the phrase that cannot be taken out for sure.
    """
    noun = bare(attribute)
    if noun is None or _words(noun) == _words(attribute):
        return action
    subject = _subject(attribute, action)
    if subject is None:
        kept = _describing(attribute, noun) & set(_words(action))
        return action if action_subject == "phrase" or not kept else None
    name = bare(subject)
    if name is None or _words(name)[-1:] != _words(noun)[-1:]:
        return action  # somebody else's description: "the adult in red holds the object"
    predicate = action[len(subject) :]
    if action_subject == "phrase":
        return attribute + predicate if _words(subject) == _words(name) else action
    others = set(_words(subject)) - set(_words(name))
    if not others & _describing(attribute, noun):
        return action
    return name + predicate if others <= set(_words(attribute)) | lexicon.RELATIVES | lexicon.AUXILIARIES else None


def _subject(attribute: str, action: str) -> str | None:
    """The start of the action that names its subject; None where no verb shows where it ends."""
    repeated = re.match(r"\s+".join(map(re.escape, attribute.split())) + r"(?=[\s,]+\w)", action, re.IGNORECASE)
    split = split_statement(action)
    found = None if split is None else without_adverbs(split.attribute)[0]
    if found is None or not action.startswith(found):
        return repeated.group() if repeated and _starts_a_predicate(action[repeated.end() :]) else None
    return repeated.group() if repeated and repeated.end() >= len(found) else found


def _starts_a_predicate(text: str) -> bool:
    word = (_words(text) or [""])[0]
    return lexicon.is_participle(word) or word in (
        lexicon.VERBS | lexicon.THIRD_PERSON | lexicon.PASTS | lexicon.AUXILIARIES | lexicon.MODALS
    )


def _words(text: str) -> list[str]:
    return re.findall(r"[\w'’-]+", text.lower())


def _describing(attribute: str, noun: str) -> set[str]:
    """The words of the phrase that tell how the object looks or where it is."""
    small = lexicon.DETERMINERS | lexicon.PREPOSITIONS | lexicon.RELATIVES | lexicon.AUXILIARIES | lexicon.CONJUNCTIONS
    return set(_words(attribute)) - set(_words(noun)) - small
