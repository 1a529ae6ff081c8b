"""What is asked about a clip, the answers, and where the answer lies.

Six kinds, {c} a colour, {s} a shape, {ing} "moving left", {verb} "moves left":

    look    Is there {x} in this video?   x = "the {c} {s}", "a {c} {s}"
    full    Is there {x} in this video?   x = "the {c} {s} {ing}", "the {c} {s} that {verb}", "a {c} {s} {verb}",
                                              "a {c} {s} {ing}", "a {c} {s} that {verb}", "the {c} {s} {verb}"
    action  Is there {x} in this video?   x = "something {ing}", "something that {verb}", "an object {ing}",
                                              "an object that {verb}", "something {verb}"
    noun    Is there {x} in this video?   x = as in full without the colour ("the {s} {verb}"): the action sub-query
                                              with the noun alone; true of any {s} that does so
    bare    {x}.  or  {x}                 x as in full: the user's own words, answered like the question
    neutral Describe this video in details.   answered by a caption: "a red circle and a blue star"

In one question of ten x ends with a full stop before "in this video", as a sentence put into the template
does; the final "?" or "." is left out now and then. Letters' case does not matter (the tokenizer
lower-cases).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stvg_core.demo.recipe.cells import SEEN, coverage
from stvg_core.demo.scenes import ACTIONS, COLOURS, FINITE_VERB, SHAPES, Scene

NEUTRAL = "Describe this video in details."
LOOK_FORMS = ("the {c} {s}", "a {c} {s}")
FULL_FORMS = (
    "the {c} {s} {ing}", "the {c} {s} that {verb}", "a {c} {s} {verb}",
    "a {c} {s} {ing}", "a {c} {s} that {verb}", "the {c} {s} {verb}",
)  # fmt: skip
ACTION_FORMS = (
    "something {ing}", "something that {verb}", "an object {ing}", "an object that {verb}", "something {verb}",
)  # fmt: skip
NOUN_FORMS = tuple(form.replace("{c} ", "") for form in FULL_FORMS)
KINDS = ("look", "full", "action", "noun", "bare", "neutral")

Look = tuple[str | None, str]
"""A colour, None for any, and a shape."""


@dataclass
class Question:
    """One question about a clip of T frames, its answer, and where that lies."""

    kind: str
    text: str
    answer: str
    cells: np.ndarray | None  # bool (T, 36): where the attention belongs; None where nothing is said about it


class Clip:
    """What the questions need to know about a scene seen at some frames."""

    def __init__(self, scene: Scene, frames: np.ndarray) -> None:
        self.scene, self.frames = scene, frames
        share = coverage(scene, frames)  # (objects, T, 36)
        best = share.max(axis=-1, keepdims=True)
        self.cells = (share >= SEEN) | ((share == best) & (best > 0))
        self.visible = best[..., 0] > 0
        self.acting = np.stack([o.acting(frames) for o in scene.objects]) & self.visible  # (objects, T)
        needed = 2 if len(frames) < 6 else 3  # an action shows between frames: one frame of it proves nothing
        self.acts = self.acting.sum(axis=1) >= needed
        self.idle = ~self.acting.any(axis=1)
        self.looks = [(o.colour, o.shape) for o in scene.objects]
        self.actions = [o.action for o in scene.objects]

    def where(self, chosen: list[int], in_action: bool) -> np.ndarray | None:
        """Cells of the chosen objects, in their action's frames or in all; None if there are none."""
        mask = np.zeros(self.cells.shape[1:], bool)
        for i in chosen:
            mask |= self.cells[i] & self.acting[i][:, None] if in_action else self.cells[i]
        return mask if mask.any() else None

    def answer(self, look: Look | None, action: str | None) -> tuple[bool | None, list[int]]:
        """Whether an object of that look (any, if None) does that action (is there, if None); None if it is
        unclear.
        """
        fit = [i for i, found in enumerate(self.looks) if look is None or look in (found, (None, found[1]))]
        if action is None:
            seen = [i for i in fit if self.visible[i].mean() > 0.5]
            return (True, seen) if seen else (None if fit else False, [])
        fit = [i for i in fit if self.actions[i] == action]
        acts = [i for i in fit if self.acts[i]]
        if acts:
            return True, acts
        return (False, []) if all(self.idle[i] for i in fit) else (None, [])


def ask(rng: np.random.Generator, clip: Clip, counts: dict[str, int]) -> list[Question]:
    """``counts[kind]`` questions of each kind, half of them (as far as the clip allows) answered yes."""
    asked = []
    for kind, count in counts.items():
        if kind == "neutral":
            asked += [Question(kind, NEUTRAL, _caption(rng, clip), None)] * count
            continue
        first = int(rng.integers(2))
        for number in range(count):
            asked.append(_yes_no(rng, clip, kind, wanted=(first + number) % 2 == 0))
    return asked


def _yes_no(rng: np.random.Generator, clip: Clip, kind: str, wanted: bool) -> Question:
    for attempt in range(40):
        look, action = _pick(rng, clip, kind, wanted)
        answer, chosen = clip.answer(look, action)
        # After many tries take the other answer: in some clips nothing acts, in some little is missing.
        if answer is None or (answer != wanted and attempt < 25):
            continue
        cells = clip.where(chosen, in_action=kind != "look") if answer else None
        return Question(kind, phrase(rng, kind, look, action), "yes" if answer else "no", cells)
    look = (str(rng.choice(COLOURS)), str(rng.choice(SHAPES)))
    answer, chosen = clip.answer(look, None)
    cells = clip.where(chosen, in_action=False) if answer else None
    return Question("look", phrase(rng, "look", look, None), "yes" if answer else "no", cells)


def _pick(rng: np.random.Generator, clip: Clip, kind: str, wanted: bool) -> tuple[Look | None, str | None]:
    """A likely candidate for the wanted answer; for "no" mostly one that is almost there."""
    i, j = rng.integers(len(clip.looks), size=2)
    colour, shape = clip.looks[i]
    other = str(rng.choice(ACTIONS))
    if kind == "action":
        return None, (clip.actions[i] or other) if wanted or rng.random() < 0.2 else other
    if kind == "noun":
        action = clip.actions[i] or other
        if wanted:
            return (None, shape), action
        draw = rng.random()
        if draw < 0.4:
            return (None, shape), clip.actions[j] or other  # another object's action
        if draw < 0.7:
            return (None, shape), other
        return (None, clip.looks[j][1] if draw < 0.85 else str(rng.choice(SHAPES))), action
    if kind == "look":
        if wanted:
            return (colour, shape), None
        draw = rng.random()
        if draw < 0.35:
            return (colour, clip.looks[j][1]), None  # both there, not on one object
        if draw < 0.6:
            return (colour, str(rng.choice(SHAPES))), None
        if draw < 0.85:
            return (str(rng.choice(COLOURS)), shape), None
        return (str(rng.choice(COLOURS)), str(rng.choice(SHAPES))), None
    action = clip.actions[i] or other
    if wanted:
        return (colour, shape), action
    draw = rng.random()
    if draw < 0.4:
        return (colour, shape), clip.actions[j] or other  # another object's action
    if draw < 0.65:
        return (colour, shape), other
    if draw < 0.8:
        return (colour, clip.looks[j][1]), action
    if draw < 0.9:
        return (str(rng.choice(COLOURS)), shape), action
    return (colour, str(rng.choice(SHAPES))), action


def phrase(rng: np.random.Generator, kind: str, look: Look | None, action: str | None) -> str:
    """The words of one question of the kind, in one of its forms."""
    forms = {"look": LOOK_FORMS, "action": ACTION_FORMS, "noun": NOUN_FORMS}.get(kind, FULL_FORMS)
    form = forms[int(rng.integers(len(forms)))]
    colour, shape = look or ("", "")
    words = form.format(c=colour, s=shape, ing=action, verb=FINITE_VERB.get(action or "", ""))
    if kind == "bare":
        return words + ("." if rng.random() < 0.7 else "")
    stop = "." if rng.random() < 0.1 else ""
    return f"Is there {words}{stop} in this video" + ("?" if rng.random() < 0.9 else "")


def _caption(rng: np.random.Generator, clip: Clip) -> str:
    """Up to three of the objects, as "a red circle and a blue star", or what can be said of an empty clip."""
    looks = [f"a {c} {s}" for (c, s), seen in zip(clip.looks, clip.visible, strict=True) if seen.mean() > 0.5]
    return " and ".join(rng.permutation(looks)[:3]) or "nothing"
