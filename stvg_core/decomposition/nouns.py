"""Which words of a phrase are its noun, and which only describe it? The lexicon behind ``subject.py``.

Written by hand, no model and no corpus. What is not listed is kept.
"""

from __future__ import annotations

from stvg_core.decomposition import words as lexicon
from stvg_core.decomposition.words import words_of

PERSONS = words_of(
    """
    man men woman women boy boys girl girls child children kid kids baby babies toddler toddlers infant infants
    teenager teenagers teen teens person persons people adult adults lady ladies guy guys gentleman gentlemen dude
    """
)
"""Whoever is called a tall, bald or handsome one of these is still one of these."""

YOUNG = words_of("baby babies adult adults child kid infant")
"""Those that stand before another noun as well: a baby walker, an adult elephant, a child seat."""

NOT_REAL = words_of(
    """
    toy snow gingerbread lego stick straw cardboard wooden plastic paper clay stone bronze stuffed painted cartoon
    fake inflatable robot robotic mechanical
    """
)
"""A toy man is no man."""

PRONOUNS = words_of("someone somebody everyone everybody something everything he she it they")
PLACEHOLDERS = words_of("one ones")
QUANTITIES = words_of(
    """
    group groups pair pairs couple couples crowd crowds piece pieces kind kinds type types sort row rows number bunch
    set sets flock herd pack line pile stack lot rest half majority dozen trio
    """
)
"""Nouns that count another noun: "a group of children"."""

COUNTS = words_of("one two three four five six some any each all both many most several few none half either neither")
ORDINALS = words_of("first second third fourth fifth last next other same only main single")
ADJECTIVES = (
    lexicon.ADJECTIVES
    | lexicon.COLOURS
    | words_of(
        """
        tiny huge giant massive enormous medium narrow wide thick slender skinny chubby plump stout strong
        elderly aged middle-aged younger older taller shorter bigger smaller larger youngest oldest tallest
        shortest biggest smallest largest new broken clean dirty wet dry bright pale round square flat curly
        curved straight blonde blond bald brunette hairy furry fluffy bare naked shirtless topless barefoot
        beautiful pretty handsome cute ugly lovely male female parked seated spotted spotty checkered checked
        plain pregnant drunk injured wounded asian african american european chinese japanese indian opposite
        left right left-hand right-hand leftmost rightmost front back middle central upper lower top bottom far
        near nearest nearer closest farthest furthest rear inner outer left-most right-most bluish reddish
        greenish yellowish whitish multicoloured multicolored amber turquoise teal ivory cream magenta crimson
        scarlet lime own
        """
    )
)
NOUNS_TOO = frozenset({"light", "orange", "square"})
"""Words that describe a noun and are nouns themselves: a traffic light."""

DESCRIBING_ENDS = (
    "-haired", "-bearded", "-eyed", "-faced", "-skinned", "-headed", "-legged", "-sleeved", "-colored", "-coloured",
    "-striped", "-aged", "-dressed", "-hatted", "-shirted", "-clothed", "-coated", "-skirted", "-spotted", "-nosed",
    "-eared", "-tailed", "-looking", "-year-old", "-old",
)  # fmt: skip
FIXED = frozenset({
    ("red", "panda"), ("black", "board"), ("white", "board"), ("green", "house"), ("square", "root"),
    ("yellow", "jacket"), ("dry", "ice"), ("flat", "iron"), ("round", "table"), ("front", "door"), ("back", "door"),
    ("back", "seat"), ("front", "seat"), ("front", "wheel"), ("back", "wheel"), ("rear", "wheel"), ("top", "hat"),
    ("wet", "suit"), ("wet", "wipe"), ("straight", "jacket"),
})  # fmt: skip
"""A describing word and a noun that together name a thing of its own."""

AFTER_THE_NOUN = (
    lexicon.PREPOSITIONS | lexicon.RELATIVES | lexicon.SUBORDINATORS | lexicon.AUXILIARIES | lexicon.MODALS
    | lexicon.PARTICLES | lexicon.DETERMINERS
    | words_of("whom nearby closest nearest farthest furthest closer nearer far alone asleep awake dressed to as than")
)  # fmt: skip
"""What a noun phrase ends before, once its noun is named."""

CLAUSE_OPENERS = (lexicon.RELATIVES | lexicon.SUBORDINATORS | {"whom", "whose"}) - {"as"}

IRREGULAR_PARTICIPLES = words_of(
    """
    seen held worn shown led caught hidden given taken driven thrown hit lit bent hung kept made brought carried
    beaten bitten bound drawn fed found hurt left lost pushed put shot struck surrounded told torn tied
    """
)
LOOKS = lexicon.CLOTHING | words_of(
    """
    hair beard moustache mustache bangs ponytail skin face forehead head nose mouth neck hand hands body tattoo makeup
    backpack necklace bracelet ring bow bag mask umbrella clothes clothing leather denim lace fur stripes stripe dots
    """
)
"""What somebody wears or has: "the man in a hat and a coat" is one man."""

ADVERBS = words_of(
    """
    also again now just never always still once soon already almost often sometimes first then together both all each
    once twice
    """
)
NOT_ADVERBS = words_of(
    """
    family elderly lovely ugly curly lonely friendly belly jelly butterfly dragonfly fly lily bully silly woolly early
    only assembly holy frilly pearly smelly bubbly burly portly
    """
)
"""Words in -ly that tell no manner."""
