"""What a phrase detector is asked for: the noun phrase at the head of the attribute phrase.

A detector returns everything that fits its words, so few words give more candidates: "man" finds all men, and the
language model chooses among them. What stands before the noun ("little black dog") is kept, because it belongs to the
noun; what follows it ("with the paper in his hand", "who ...", "dressed in red") names other things and is left out.
"""

from __future__ import annotations

import re

_DETERMINERS = {
    "a", "an", "the", "this", "that", "these", "those", "his", "her", "its", "their", "my", "your", "our", "another",
    "some", "any", "each", "every", "there", "is", "are",
}  # fmt: skip
_QUANTITIES = {"one", "group", "pair", "couple", "piece", "kind", "type", "row", "crowd", "number", "part", "side"}
_AFTER_THE_NOUN = {
    "in", "with", "without", "on", "at", "of", "near", "nearby", "by", "behind", "beside", "besides", "from", "next",
    "to", "under", "above", "below", "over", "inside", "outside", "against", "between", "among", "around", "along",
    "across", "through", "towards", "toward", "into", "onto", "off", "for", "about", "opposite", "before", "after",
    "who", "whom", "whose", "which", "that", "where", "when", "while", "as", "is", "are", "was", "were", "has", "have",
    "and", "or", "but", "then", "whereas",
}  # fmt: skip
_NOUNS_IN_ING = {
    "building", "ceiling", "painting", "clothing", "railing", "sibling", "duckling", "something", "anything",
    "everything", "earring", "string", "spring", "sting", "viking", "drawing", "awning", "bowling",
}  # fmt: skip
_PRONOUNS = {
    "who": "person", "whom": "person", "someone": "person", "somebody": "person", "he": "man", "she": "woman",
    "they": "person", "what": "object", "something": "object", "it": "object", "which": "object",
}  # fmt: skip
_MAX_WORDS = 40


def noun_phrases(attribute: str) -> list[str]:
    """What to ask a detector for, in this order until something is found: the head noun phrase, the whole phrase.

    >>> noun_phrases("The man in purple clothes")
    ['man', 'the man in purple clothes']
    """
    words = _words(attribute)
    found = [" ".join(part) for part in (_head(words), words) if part]
    return list(dict.fromkeys(found))


def as_prompt(phrase: str) -> str:
    """GroundingDINO was trained on lower-case phrases that each end with a full stop."""
    return f"{phrase} ."


def _words(text: str) -> list[str]:
    # Full stops and commas would be read as borders between phrases; hyphens and apostrophes are inside of words.
    return re.sub(r"[^\w\s'’-]", " ", text.lower()).split()[:_MAX_WORDS]


def _head(words: list[str]) -> list[str]:
    while words and words[0] in _DETERMINERS:
        words = words[1:]
    if len(words) > 2 and words[0] in _QUANTITIES and words[1] == "of":
        return _head(words[2:])
    if words and words[0] in _PRONOUNS and (len(words) == 1 or words[1] in _AFTER_THE_NOUN or _is_participle(words, 1)):
        return [_PRONOUNS[words[0]]]
    for end in range(1, len(words)):
        if _ends_before(words, end):
            return words[:end]
    return words


def _ends_before(words: list[str], at: int) -> bool:
    """Does the noun phrase end before word ``at``?"""
    if words[at] == "and" and at + 1 < len(words) and words[at + 1] not in _DETERMINERS:
        return not _more_follows(words, at)  # "black and white dog": one thing in two colours
    return words[at] in _AFTER_THE_NOUN or words[at] in _DETERMINERS or _is_participle(words, at)


def _more_follows(words: list[str], at: int) -> bool:
    """After "and": a word and a noun, so that what stands before "and" only describes that noun."""
    rest = words[at + 1 : at + 3]
    return len(rest) == 2 and not any(word in _AFTER_THE_NOUN or word in _DETERMINERS for word in rest)


def _is_participle(words: list[str], at: int) -> bool:
    word = words[at]
    if word.endswith("ing") and len(word) > 4 and word not in _NOUNS_IN_ING:
        return True
    follows = words[at + 1] if at + 1 < len(words) else None
    return word.endswith("ed") and len(word) > 4 and (follows is None or follows in _AFTER_THE_NOUN)
