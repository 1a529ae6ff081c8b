"""Where is the verb? Words of one clause, with just enough grammar to find what its action starts with."""

from __future__ import annotations

import re

from stvg_core.decomposition import words as lexicon


def tidy(text: str) -> str:
    """Without the spaces of tokenised annotations ("the woman 's long - haired friend ,"), and "that's" in full."""
    text = re.sub(r"\s+(?=[,;.!?])", "", text)
    text = re.sub(r"\s+(?=['’]s\b)", "", text)
    text = re.sub(r"\b(who|that|which)['’]s\b", r"\1 is", text)
    return re.sub(r"(?<=\w) - (?=\w)", "-", text)


class Clause:
    """The words of a clause, as written and bare (lower case, without punctuation at either end)."""

    def __init__(self, text: str) -> None:
        self.written = text.split()
        self.bare = [re.sub(r"^\W+|\W+$", "", word).lower() for word in self.written]

    def __len__(self) -> int:
        return len(self.written)

    def text(self, first: int, last: int | None = None) -> str:
        """The words from ``first`` up to ``last`` (exclusive), without commas at the ends."""
        return " ".join(self.written[first:last]).strip(" ,;:")

    def finite(self, start: int = 1, *, known: bool = False) -> int | None:
        """Index of the first finite verb at or after ``start``; only words of the lexicon if ``known``."""
        return next((i for i in range(max(start, 1), len(self)) if self.is_finite(i, known=known)), None)

    def participle(self, *, bearing: bool) -> int | None:
        """Index of the first -ing word that does not stand before its noun; "holding" and the like if ``bearing``."""
        descriptive = {"wearing"} if bearing else {"wearing", "holding", "carrying", "standing", "sitting", "lying"}
        for i in range(1, len(self)):
            word = self.bare[i]
            if word in lexicon.RELATIVES:
                return None
            before_noun = self.bare[i - 1] in lexicon.ADJECTIVES and not self._opens_a_verb_phrase(i)
            if lexicon.is_participle(word) and word not in descriptive and self._after_noun(i) and not before_noun:
                return i
        return None

    def is_finite(self, i: int, *, known: bool = False) -> bool:
        """Is the word a verb with a subject: "walks", "is", "took", "stopped the car"?"""
        word = self.bare[i]
        if word in lexicon.AUXILIARIES or word in lexicon.MODALS:
            return True
        if not self._after_noun(i):
            return False
        if word in lexicon.THIRD_PERSON:
            # "with crossed hands": a noun that looks like a verb.
            return not self.bare[i - 1].endswith("ed") or self._opens_a_verb_phrase(i)
        if not self._opens_a_verb_phrase(i):
            return False
        if word in lexicon.VERBS and any(subject in lexicon.GROUPS for subject in self.bare[:i]):
            return True
        if lexicon.is_participle(self.bare[i - 1]):
            return False  # "moving left", "eating noodles"
        if word in lexicon.PASTS:
            return self._next(i) not in {"by", "of"} and self.bare[i - 1] != "far"
        if known:
            return False
        if word.endswith("ed") and len(word) > 4:
            return word not in lexicon.STATES and self._next(i) != "by" and not self._verb_follows(i)
        plain = not word.endswith(("ss", "us", "is")) and "'" not in self.written[i] and "’" not in self.written[i]
        return len(word) > 3 and word.endswith("s") and plain and word not in lexicon.PLURALS

    def second_verb(self, first: int) -> int | None:
        """The main verb behind a description with a verb of its own ("who wears a hat | walks", "holds a hat | pulls").

        Only where nothing joins or separates the two, so that "walks to the door and opens it" has none.
        """
        for i in range(first + 1, len(self)):
            word = self.bare[i]
            if word in lexicon.CONJUNCTIONS | lexicon.SUBORDINATORS | lexicon.RELATIVES or self.ends_phrase(i - 1):
                return None
            if i > first + 1 and self.is_finite(i, known=True):
                return i
        return None

    def ends_phrase(self, i: int) -> bool:
        """Does a comma or the like follow the word?"""
        return self.written[i][-1] in ",;:" or not self.bare[i]

    def _verb_follows(self, i: int) -> bool:
        """In "the man pushed out of the door falls" the verb comes later, so "pushed" describes him."""
        return self.second_verb(i) is not None

    def _after_noun(self, i: int) -> bool:
        before = self.bare[i - 1]
        if before in lexicon.DETERMINERS or before in lexicon.PREPOSITIONS or before in lexicon.CONJUNCTIONS:
            return False
        possessive = self.written[i - 1].lower().endswith(("'s", "’s", "s'"))
        return not possessive and before not in lexicon.AUXILIARIES

    def _next(self, i: int) -> str:
        return self.bare[i + 1] if i + 1 < len(self) and not self.ends_phrase(i) else ""

    def _opens_a_verb_phrase(self, i: int) -> bool:
        """Is the word followed by what follows verbs: an object, a place, a manner, or nothing?"""
        after = self._next(i)
        return (
            not after
            or after in lexicon.DETERMINERS | lexicon.PREPOSITIONS | lexicon.OBJECTS | lexicon.PARTICLES
            or after in lexicon.CONJUNCTIONS | lexicon.SUBORDINATORS
            or after.endswith("ly")
        )
