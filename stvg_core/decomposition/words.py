"""Which words start an action? The small English lexicon behind the rules; written by hand, no model and no corpus."""

from __future__ import annotations


def words_of(text: str) -> frozenset[str]:
    """The words of a text, each once."""
    return frozenset(text.split())


AUXILIARIES = words_of("is are was were be been being")
MODALS = words_of("can could will would may might must shall should")
RELATIVES = frozenset({"who", "that", "which"})
CONJUNCTIONS = frozenset({"and", "or", "then", "but"})
SUBORDINATORS = words_of("while as when before after until because once if where whose")
ARTICLES = frozenset({"a", "an", "the"})
DETERMINERS = ARTICLES | words_of(
    """
    this these those one another some any each every both two three four five several many few no other his her its
    their my your our
    """
)
OBJECTS = words_of("him her it them me us himself herself itself themselves something someone somebody what")
# Where a thing is: after "there is a cup" they start the relation.
PLACES = words_of(
    """
    above across against along among around at away behind below beneath beside between beyond by inside into near
    next on onto opposite out outside over past through to toward towards under underneath up upon down
    """
)
# What a thing looks like or belongs to.
LOOKS = frozenset({"in", "with", "without", "of", "from", "for", "like"})
PREPOSITIONS = PLACES | LOOKS
PARTICLES = words_of(
    """
    away back forward forwards backward backwards left right off aside again together apart outdoors indoors upstairs
    downstairs here there
    """
)
COLOURS = words_of(
    """
    red green blue yellow purple orange white cyan black gray grey brown pink beige khaki tan gold golden silver
    violet navy maroon colorful colourful striped plaid dark light
    """
)
ADJECTIVES = words_of("old young little big small tall short thin fat slim large long other same only")
GROUPS = words_of("people men women children kids boys girls adults babies players dancers dogs cats they")
INTERROGATIVES = words_of("who whom whose what which where when why how")
# Words in -s that are things, most of them part of how somebody looks.
PLURALS = words_of(
    """
    clothes glasses sunglasses goggles trousers pants shorts jeans tights leggings shoes boots sneakers sandals socks
    gloves sleeves overalls pajamas pyjamas suspenders robes uniforms suits shirts skirts stripes dots flowers
    earrings headphones eyes lips ears legs arms fingers feet shoulders braids curls tattoos freckles wings wheels
    stairs people lots kids boys girls guys babies adults always perhaps besides towards sideways upwards downwards
    forwards backwards upstairs downstairs indoors outdoors words papers documents bars contents things keys cards
    others ours yours hers theirs series species scissors
    """
)
CLOTHING = PLURALS | words_of(
    """
    suit coat jacket shirt t-shirt tshirt sweater hoodie vest dress skirt hat cap turban headscarf scarf helmet
    uniform robe gown cape cloak apron jersey blouse tie
    """
)
# Participles that tell how something is, so that "the man seated on the left" is all description.
STATES = words_of(
    """
    dressed seated covered called named painted parked tied located filled decorated haired faced colored coloured
    bearded naked shirtless crossed folded
    """
)
# "wearing", "holding", ...: a description where another verb follows; "wearing" is one even alone.
BEARING = {"wears": "wearing", "holds": "holding", "carries": "carrying", "has": "having"}

VERBS = words_of(
    """
    accept adjust aim answer approach argue arrange arrive ask attack beat beckon begin bend bite blink block
    blow board bounce bow break bring brush bump button bypass call caress carry catch chase check cheer chew
    clap clasp clean clench climb close come comfort cook count cover crawl cross crouch cry cut dance dodge
    drag draw dress drink drive drop duck eat embrace enter exchange exit extend face fall fan fasten feed fight
    fill find fix flap flip float fly fold follow fumble get give glance go grab grasp greet grow guide hand
    hang have help hide hit hold hop hug hurry inspect invite jump keep kick kill kiss kneel knock laugh lay
    lead lean leap leave let lick lie lift light listen load look lower make march massage meet mount move nod
    offer open operate pack paint pass pat pause peek pet pick place play point poke pose pour press prop pull
    pump punch push put raise reach read receive recline release remove rest retreat retrieve return ride rise
    roll rotate rub run rush salute saw say scratch search see seize sell send serve set shake shave shoot shout
    shove show shrink shut sing sip sit ski skate slap sleep slide slip smell smile smoke sneak sniff speak spin
    spit split spray spread squat squeeze stagger stand stare start step stick stir stoop stop straddle
    straighten strangle stretch stride strike stroke struggle stumble support swallow sway sweep swim swing take
    talk tap taste tear tell throw thrust tie tilt touch toss tremble trip tug turn twirl twist type unbutton
    unfold unlock untie use visit wait wake walk wander wash watch wave wear weep whisper whistle wind wink wipe
    work wrap wrestle write yawn yell
    """
)
PASTS = words_of(
    """
    ate began bent bit blew broke brought came caught chose clung crept dealt drew drank drove dug fed fell felt
    flew forgot found fought froze gave got grew heard held hid hung kept knelt knew laid lay led left lent made
    met paid ran rang rode rose said sang sank sat saw sent shook shot shrank slept slid spoke sprang stole
    stood struck stung swam swept swung swore taught threw told took tore went woke wore wrote
    """
)


def third_person(verb: str) -> str:
    """The form for he, she, it: "lift" -> "lifts", "carry" -> "carries", "watch" -> "watches"."""
    if verb == "have":
        return "has"
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if verb.endswith("y") and verb[-2:-1] not in "aeiou" else verb + "s"


THIRD_PERSON = frozenset(map(third_person, VERBS)) | {"has"}


def is_participle(word: str) -> bool:
    """Does a word in -ing look like something that is done ("moving", but not "building")?"""
    nothing = ("thing", "morning", "evening", "building", "ceiling", "clothing", "during", "string", "railing")
    return len(word) > 4 and word.endswith("ing") and not word.endswith(nothing)
