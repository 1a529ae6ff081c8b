"""How the action names its subject: by the bare noun (paper, stage 2), "the man in purple clothes" -> "the man".

A word is dropped only where it is known to describe the noun: everything before "man" and the like, listed adjectives
before other nouns, and what follows the noun ("in red", "who ...", "holding a bag"). Another noun before the noun
stays ("police officer"), as do numbers ("two men") and nouns that count ("a group of children"). Where no noun can be
told for sure ("the one on the left"), there is no bare form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stvg_core.decomposition import nouns
from stvg_core.decomposition import words as lexicon
from stvg_core.decomposition.clause import Clause, tidy
from stvg_core.settings import ActionSubject

_SPOKEN_WITH_A_VOWEL = re.compile(r"(?!uni|use|eu|one\b|u-)[aeiou]|hour|heir|honest|honor", re.IGNORECASE)
_OWNER = re.compile(r"(?:['’]s|s['’])$")
_DESCRIBING = nouns.ADJECTIVES | nouns.ORDINALS


@dataclass(frozen=True)
class Split:
    """A sentence cut in two.

    Attributes:
        attribute: the noun phrase for the object.
        predicate: what is said of it; the whole statement where the object is not its subject.
        subject: the noun phrase in front of the predicate; None is ``attribute``, "" is none at all.
        gap: what stands between the two.
        skipped: what stands in neither: "slowly" of "the man who slowly walks".
    """

    attribute: str
    predicate: str
    subject: str | None = None
    gap: str = " "
    skipped: str = ""

    def with_adverbs(self) -> Split:
        """How something is done is no description of the object: "the man in red slowly | sits down"."""
        if self.subject is not None:
            return self
        phrase, adverbs = without_adverbs(self.attribute)
        skipped = self.skipped if without_adverbs(f"he {self.skipped}")[0] == "he" else ""
        said = [word for word in (adverbs, skipped, self.predicate) if word]
        return Split(phrase, self.gap.join(said), gap=self.gap)

    def action(self, action_subject: ActionSubject) -> str:
        """The action sentence."""
        subject = self.attribute if self.subject is None else self.subject
        return named(subject, action_subject) + self.gap + self.predicate if subject else self.predicate


def named(phrase: str, action_subject: ActionSubject) -> str:
    """The phrase as the action names it; the phrase itself where no bare form is sure."""
    return (bare(phrase) or phrase) if action_subject == "noun" else phrase


def bare(phrase: str) -> str | None:
    """Determiner and noun of a noun phrase; None where they cannot be told for sure.

    >>> bare("the yellow-haired man in a vest"), bare("the police officer in black"), bare("the one on the left")
    ('the man', 'the police officer', None)
    """
    return _NounPhrase(tidy(phrase)).bare()


def without_adverbs(phrase: str) -> tuple[str, str]:
    """The phrase without the adverbs at its end, and those."""
    clause = Clause(phrase)
    end = len(clause)
    while end > 1 and _is_adverb(clause.bare[end - 1]):
        end -= 1
    return (phrase, "") if end == len(clause) else (clause.text(0, end), clause.text(end))


def _is_adverb(word: str) -> bool:
    return word in nouns.ADVERBS or (word.endswith("ly") and len(word) > 3 and word not in nouns.NOT_ADVERBS)


class _NounPhrase:
    """The words of a phrase, and what each of them does in it."""

    def __init__(self, text: str) -> None:
        self.clause = Clause(text)
        self.words = self.clause.bare
        self.written = [word.strip(" ,;:") for word in self.clause.written]

    def __len__(self) -> int:
        return len(self.words)

    def bare(self) -> str | None:
        if not self.words:
            return None
        if self.words[0] in nouns.PRONOUNS:
            return self.written[0] if len(self) == 1 or self.closes(1) else None
        owner = self._owner()
        if owner is not None:
            return bare(f"the {self.after(owner + 1)}")
        determiner, start = self._determiner()
        counting = self._counting(determiner, start)
        if counting is not None:
            opening, start = counting
            counted = bare(self.after(start))
            return counted and f"{opening} {counted}"
        end = self._end(start)
        noun = [] if end is None else self._noun(start, end)
        if end is None or not noun:
            return None
        first = " ".join([*_agreeing(determiner, noun[0], before=self.written[start]), *noun])
        return self._with_others(end, first)

    def after(self, start: int) -> str:
        return " ".join(self.clause.written[start:])

    def describes(self, i: int) -> bool:
        """Is it known to be an adjective: "tall", "red", "yellow-haired"?"""
        return self.words[i] in _DESCRIBING or self.words[i].endswith(nouns.DESCRIBING_ENDS)

    def closes(self, i: int) -> bool:
        """Does a noun phrase whose noun is named end before the word: "in", "who", "the", "left"?"""
        return self.words[i] in nouns.AFTER_THE_NOUN

    def is_participle(self, i: int) -> bool:
        word = self.words[i]
        past = word.endswith("ed") and not word.endswith("eed") and len(word) > 4
        return lexicon.is_participle(word) or past or word in lexicon.STATES | nouns.IRREGULAR_PARTICIPLES

    def is_noun(self, i: int) -> bool:
        """Whatever is nothing else."""
        known = self.describes(i) or self.closes(i) or self.is_participle(i)
        return not known and self.words[i] not in lexicon.CONJUNCTIONS and any(map(str.isalnum, self.words[i]))

    def _owner(self) -> int | None:
        """Index of "girl's" in "the long-haired girl's dog"; None where the owner comes after the noun."""
        for i in range(len(self) - 1):
            if _OWNER.search(self.written[i]):
                return i
            after_noun = i > 0 and self.is_noun(i - 1)
            if self.clause.ends_phrase(i) or self.words[i] in lexicon.CONJUNCTIONS:
                return None
            if after_noun and (self.closes(i) or self.is_participle(i)):
                return None
        return None

    def _determiner(self) -> tuple[list[str], int]:
        """The words that open the phrase, without "other" and the like, and where its noun can begin."""
        found: list[str] = []
        for i, word in enumerate(self.words):
            opens = word in lexicon.DETERMINERS | nouns.COUNTS or word.isdigit()
            if not opens or (i > 0 and self.clause.ends_phrase(i - 1)):
                return found, i
            if not (found and word in _DESCRIBING):
                found.append(self.written[i])
        return found, len(self)

    def _counting(self, determiner: list[str], start: int) -> tuple[str, int] | None:
        """Of "a large group of children", "a group of" and where "children" begins; of "one of the men", "one of"."""
        i = start
        if 0 < start < len(self) and self.words[start] == "of" and self.words[start - 1] in nouns.COUNTS:
            return " ".join([*determiner, "of"]), start + 1
        while i < len(self) and self.describes(i) and not self.clause.ends_phrase(i):
            i += 1
        if i + 1 >= len(self) or self.words[i] not in nouns.QUANTITIES or self.words[i + 1] != "of":
            return None
        opening = _agreeing(determiner, self.written[i], before=self.written[start])
        return " ".join([*opening, self.written[i], "of"]), i + 2

    def _end(self, start: int) -> int | None:
        """Where the words up to the noun, which begin at ``start``, end; None where that is not sure."""
        noun: int | None = None
        for i in range(start, len(self)):
            word = self.words[i]
            if noun is not None and (self.closes(i) or word in lexicon.CONJUNCTIONS):
                return noun + 1 if noun == i - 1 else None
            if noun is not None and self.is_participle(i):
                return i if noun == i - 1 and self._surely_follows(i) else None
            if self.is_noun(i) or (word in nouns.NOUNS_TOO and (i + 1 == len(self) or self.closes(i + 1))):
                if noun is not None and self.words[noun] in nouns.PERSONS - nouns.YOUNG and word not in nouns.PERSONS:
                    return None  # "the woman doctor", "the man asleep": which is the noun?
                noun = i
            elif noun is None and not self._may_open(i, start):
                return None  # "the in", "the one on the left"
            if self.clause.ends_phrase(i) and noun is not None:
                return i + 1 if noun == i and word in nouns.PERSONS else None
        return len(self) if noun is not None and noun == len(self) - 1 else None

    def _may_open(self, i: int, start: int) -> bool:
        """May the word stand before the noun?"""
        joins = self.words[i] in lexicon.CONJUNCTIONS and i > start
        return joins or self.describes(i) or self.is_participle(i)

    def _surely_follows(self, i: int) -> bool:
        """Is it the participle after a noun ("dog eating the bone"), rather than one before another noun?"""
        if self.words[i - 1] in nouns.PERSONS:
            return True
        return i + 1 == len(self) or self.closes(i + 1) or self.words[i + 1].endswith("ly")

    def _noun(self, start: int, end: int) -> list[str]:
        """The noun with what is not known to describe it; empty where that is not sure."""
        last = end - 1
        if self.words[last] in nouns.PERSONS:
            unreal = next((i for i in range(start, last) if self.words[i] in nouns.NOT_REAL), last)
            return self.written[unreal:end]
        kept = []
        for i in range(start, end):
            if self.words[i] in lexicon.CONJUNCTIONS:
                if not (self.describes(i - 1) and self.describes(i + 1)):
                    return []
            elif i == last or not self.describes(i) or (self.words[i], self.words[i + 1]) in nouns.FIXED:
                kept.append(self.written[i])
        return kept

    def _with_others(self, end: int, first: str) -> str | None:
        """``first``, with the others of "the man and the woman"; None where what follows may hold another subject."""
        if end == len(self):
            return first
        person = self.words[end - 1] in nouns.PERSONS
        if self.words[end] in lexicon.CONJUNCTIONS:
            return self._coordinated(end, first, person)
        if self.words[end] == "of" and not person:
            return None  # "the wheel of the car", "a cup of tea"
        if self.clause.ends_phrase(end - 1) and not self._goes_on_describing(end):
            return None
        for i in range(end, len(self)):
            if _OWNER.search(self.written[i]) and not self._owns_within(i):
                return None  # "the man in red's dog"
            if self._may_act(i) or self._is_cut_short(i):
                return None  # "the man in red take the cup", "the man whose dog" of "... barks"
            joins = self.words[i] in lexicon.CONJUNCTIONS or self.clause.ends_phrase(i)
            if joins and not self._goes_on_describing(i + 1):
                return None
        return first

    def _is_cut_short(self, i: int) -> bool:
        """Does a clause begin here whose verb is not in the phrase, but in what is said after it?"""
        if self.words[i] not in nouns.CLAUSE_OPENERS:
            return False
        return not any(self.clause.is_finite(j) for j in range(i + 1, len(self)))

    def _may_act(self, i: int) -> bool:
        """Is it a verb without its ending in front of an object, so that a part of the action would be lost?"""
        if self.words[i] not in lexicon.VERBS or i + 1 == len(self) or self.clause.ends_phrase(i):
            return False
        before = self.words[i - 1] in lexicon.DETERMINERS | lexicon.PREPOSITIONS | lexicon.RELATIVES
        return not before and self.words[i + 1] in lexicon.DETERMINERS | lexicon.OBJECTS

    def _coordinated(self, at: int, first: str, person: bool) -> str | None:
        if self.words[at] not in {"and", "or"} or at + 1 == len(self) or any(map(_OWNER.search, self.written[at:])):
            return None
        second = bare(self.after(at + 1))
        if second is None:
            return None
        both = person and second.split()[-1].lower() in nouns.PERSONS
        return f"{first} {self.words[at]} {second}" if both or self.words[at + 1] in lexicon.DETERMINERS else None

    def _owns_within(self, i: int) -> bool:
        """Is it "holding the woman's hand", where the owner is somebody else?"""
        owner = _OWNER.sub("", self.written[i].lower())
        named_so = self.words[i - 1] in lexicon.DETERMINERS and owner not in _DESCRIBING | nouns.AFTER_THE_NOUN
        return owner in nouns.PERSONS or named_so

    def _goes_on_describing(self, i: int) -> bool:
        """After "and" or a comma: more clothes, a colour, a participle, but no other person or thing that may act."""
        while i < len(self) and self.words[i] in lexicon.CONJUNCTIONS:
            i += 1
        if i >= len(self) or self.is_participle(i):
            return True
        if self.words[i] in lexicon.PREPOSITIONS | lexicon.RELATIVES:
            return True
        last = i
        for j in range(i, len(self)):
            if j > i and self.words[j] in (nouns.AFTER_THE_NOUN - lexicon.DETERMINERS) | lexicon.CONJUNCTIONS:
                break
            last = j
            if self.words[j] in nouns.PERSONS:
                return False
            if self.clause.ends_phrase(j):
                break
        return self.words[last] in nouns.LOOKS | lexicon.COLOURS


def _agreeing(determiner: list[str], word: str, *, before: str) -> list[str]:
    """ "an adult woman" without "adult" is "a woman"."""
    if not determiner or determiner[-1].lower() not in {"a", "an"} or word == before:
        return determiner
    article = "an" if _SPOKEN_WITH_A_VOWEL.match(word) else "a"
    return [*determiner[:-1], article.capitalize() if determiner[-1][0].isupper() else article]
