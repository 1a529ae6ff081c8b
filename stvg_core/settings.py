"""Which form of the method is run. Torch-free, hashable, part of the model version.

Defaults are the paper's (arXiv 2509.15178) where it gives a number; a model's folder may carry better ones for itself
in ``stvg.json`` (see :func:`preset`), and a caller's own choice wins over both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from stvg_core import setting_text
from stvg_core.errors import ModelError

PRESET_FILE = "stvg.json"
LocatorName = Literal["attention", "speak", "marks", "pick"]
TasQuestion = Literal["query", "attribute", "reversed"]
ActionSubject = Literal["noun", "phrase"]
Tracking = Literal["chosen", "all"]
Coverage = Literal["fraction", "peak", "mask"]
Ties = Literal["excess", "first"]
GtiRows = Literal["same", "relative", "raw"]
SpatialPrompt = Literal["attribute", "sentence"]
BEFORE = {
    "action_subject": "phrase", "lra_guard": False, "detect_every": 10, "tracking": "chosen", "ties": "first",
    "gti_rows": "same", "v_s_question": "attribute", "locator": "attention", "locator_model": "",
    "shown_per_second": 2.0, "shown_most": 32, "shown_side": 448, "snap_ends": False, "temporal_heads": None,
}  # fmt: skip
"""What was done before a setting was there. It is left out of the digests, so that such a model keeps its version."""
READING = 2
"""How pictures are taken out of files. 1 took other pictures from open groups, mirrored and fragmented files: what was
predicted then has another model version, so that it is asked again. Calibrations are about scores and stay."""
SEARCHING = {"embedded": 2}
"""How a proposer finds and measures tracks, as :data:`READING`. 1 had boxes of whole pixels, from small pictures."""
WORDINGS = {"speak": 1, "marks": 1, "pick": 1}
"""Which wording a locator asks in, and how pictures are painted for it: another one is another model version."""
_ROLE_TOKENS = re.compile(r"gti|mean|token-[1-9][0-9]*")
_HEAD = re.compile(r"(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")


@dataclass(frozen=True)
class SeenSettings:
    """What the model is shown and asked. Evidence of other such settings cannot be joined under these.

    Attributes:
        locator: who says which track it is and from when to when: "attention" is the paper's, a model's attention.
            The others ask a model that sees pictures and answers in words: for time and boxes ("speak"), for the
            painted number of a candidate and the time ("marks"), or to sort all numbers first ("pick").
        locator_model: the name of the model behind the endpoint that answers in words; empty is the loaded model.
        shown_per_second, shown_most: so many pictures are shown to a model that answers in words, evenly over the
            video, and at most so many at once.
        shown_side: the longer side of such a picture in pixels, at most.
        fit: how frames become the square of families that have one: "squash" shows the whole frame, "checkpoint" does
            what the checkpoint's processor does, a centre crop included, which cuts off objects at the border.
        n_slots: T_v, how many uniformly sampled frames the model sees (stage 1).
        layers: which layers' attention is averaged; None leaves it to the family's entry (the paper: all).
        temporal_heads: whose attention the temporal branch averages, each as "layer.head", both counted from 0 ("3.1");
            None: all heads of ``layers``. The spatial branch always takes those. `stvg calibrate --heads` chooses them
            by corrections (TG-heads, arXiv 2605.21954). For locator "attention" only.
        lra_steps: N_ep gradient steps on each learnable prompt; 0 switches LRA off (stage 6).
        lra_rule: "plain" is V -= lr * gradient (paper, lr 8); "token_norm" scales the gradient so that the token that
            moves most moves by ``lr`` times the mean norm of the visual tokens: the same at any model width.
        lra_lr: the step, in the unit of ``lra_rule``.
        lra_guard: a learnable prompt with which "yes" is less likely than without it is halved, at most twice, and then
            dropped. The paper has no such check; its plain step overshoots where the model is sure.
        lra_branches: which branches learn a prompt; the paper's are both.
        v_s_question: what V_s is learnt with: "attribute" is the paper's Q_s, "sentence" the whole sentence, which an
            object of the same looks that does something else does not fulfil (docs/experiments.md).
        tas: also run the reversed video and assemble the two spatial maps (stage 8).
        tas_question: what the reversed video is looked at with: the original sentence ("query", the paper), its
            attribute phrase alone ("attribute"), which stays true when the action runs backwards, or the sentence with
            its action turned ("reversed": "moving right" for "moving left").
        proposer: where candidate tracks come from (stage 1): "embedded" needs no weights, "grounding_dino" is the
            paper's way, GroundingDINO on sparse frames and SAM 2 for the chosen object.
        detector, tracker: hub ids or folders of GroundingDINO and SAM 2, for "grounding_dino" only.
        detect_every: frames from one that GroundingDINO looks at to the next; the paper's 10. In a long video it looks
            at 128 frames, further apart (stage 1). For "grounding_dino" only.
        tracking: for "grounding_dino" only, what SAM 2 follows (stage 1): "chosen" is the chosen track alone, around
            its interval, from coarse tracks that are linked boxes; "all" is every candidate through the whole video,
            before the choice, as in the paper. Then each has a mask; SAM 2 encodes a picture once for all of them and
            decodes a mask for each.
        decomposer: who splits the sentence (stage 2): "model" is the loaded model itself, "endpoint" a language model
            behind an OpenAI-compatible address, "rules" need no model. The answer is the whole sentence for both
            parts wherever that fails.
        decomposer_model: the name of the model behind the endpoint.
        action_subject: how the action sentence names the object (stage 2): "noun" is the paper's, by its bare noun
            ("the man sits down"), "phrase" by the whole attribute phrase ("the man in red sits down").
        second_look: see the part of the video around the found interval once more, sampled more densely, and set the
            ends by that (stage 9).
        precision: what the weights are loaded as; "auto" is float32 on a CPU, and on a GPU the half precision that the
            checkpoint was published in, else bfloat16.
    """

    locator: LocatorName = "attention"
    locator_model: str = ""
    shown_per_second: float = 2.0
    shown_most: int = 32
    shown_side: int = 448
    n_slots: int = 20
    fit: Literal["squash", "checkpoint"] = "squash"
    layers: tuple[int, ...] | None = None
    temporal_heads: tuple[str, ...] | None = None
    lra_steps: int = 1
    lra_rule: Literal["plain", "token_norm"] = "plain"
    lra_lr: float = 8.0
    lra_guard: bool = True
    lra_branches: tuple[Literal["spatial", "temporal"], ...] = ("spatial", "temporal")
    v_s_question: SpatialPrompt = "attribute"
    tas: bool = True
    tas_question: TasQuestion = "query"
    proposer: Literal["embedded", "grounding_dino"] = "embedded"
    detector: str = "IDEA-Research/grounding-dino-base"
    tracker: str = "facebook/sam2.1-hiera-large"
    detect_every: int = 10
    tracking: Tracking = "chosen"
    decomposer: Literal["model", "endpoint", "rules"] = "model"
    decomposer_model: str = ""
    action_subject: ActionSubject = "noun"
    second_look: bool = False
    precision: Literal["auto", "float32", "bfloat16", "float16", "4bit"] = "auto"

    def __post_init__(self) -> None:
        if self.locator not in get_args(LocatorName):
            raise ValueError(f"locator is {' or '.join(get_args(LocatorName))}, not {self.locator!r}")
        if not 0 < self.shown_per_second <= 60 or not 4 <= self.shown_most <= 512 or not 64 <= self.shown_side <= 4096:
            raise ValueError("shown_per_second is at most 60, shown_most 4 to 512, shown_side 64 to 4096 pixels")
        if self.n_slots < 1 or self.lra_steps < 0:
            raise ValueError("n_slots must be at least 1, lra_steps at least 0")
        if not isinstance(self.detect_every, int) or self.detect_every < 1:
            raise ValueError(f"detect_every is a whole number of frames, at least 1, not {self.detect_every!r}")
        if self.tracking not in get_args(Tracking):
            raise ValueError(f"tracking is chosen or all, not {self.tracking!r}")
        if self.action_subject not in get_args(ActionSubject):
            raise ValueError(f"action_subject is noun or phrase, not {self.action_subject!r}")
        if self.v_s_question not in get_args(SpatialPrompt):
            raise ValueError(f"v_s_question is attribute or sentence, not {self.v_s_question!r}")
        if not set(self.lra_branches) <= {"spatial", "temporal"}:
            raise ValueError("lra_branches holds 'spatial' or 'temporal'")
        object.__setattr__(self, "lra_branches", tuple(self.lra_branches))
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(int(layer) for layer in self.layers))
            if not self.layers or min(self.layers) < 0 or len(set(self.layers)) < len(self.layers):
                raise ValueError("layers are different numbers from 0, at least one; None: all")
        if self.temporal_heads is not None:
            object.__setattr__(self, "temporal_heads", _in_order(self.temporal_heads))


@dataclass(frozen=True)
class JoinedSettings:
    """What decides after the model has spoken: another choice here needs no model. Calibration chooses among these.

    Attributes:
        attention: divide rows by the neutral prompt's rows, or not (stage 5).
        guard: share of the neutral row's mean that is added to the divisor, so that cells the neutral prompt
            ignores do not blow up; relative to the row's own scale (stage 5).
        role_tokens: "gti" takes the role token with the highest maximum (stage 4), "mean" averages all of them, and
            "token-2" always takes the second from the end (the first of all where there are fewer).
        gti_rows: of which rows "gti" compares the maxima: the "same" as ``attention``, or "relative" or "raw" ones
            whatever the map is made of. The paper leaves it open (stage 4). It decides for "gti" alone.
        tas_operator: how the forward and the reversed map become one; "forward" looks both ways and goes by the
            forward map alone.
        tas_temporal: assemble the temporal branch in the same way; makes sense with "reversed" only.
        coverage: how a track covers a cell: "fraction" is the exact share of the box (the paper's rule, section 3.2),
            "peak" is that share divided by the track's largest one in the frame, so that a small object counts in
            the cells around its centre too; "mask" is the exact share of the mask, which ``tracking`` "all" gives, its
            largest one in full. Where a track has no mask, its box counts, and the answer's warnings say so if it has
            none at all.
        ties: which of several tracks with the same highest score is chosen, two that overlap around the brightest
            cell: "excess" is the one that holds more attention than its area's share, over all slots, and never
            depends on the order of the candidates; "first" is the first of them, as the detector gave them (the
            paper's maximum says no more).
        proposer_weight: exponent of the proposer's own confidence in the choice of the track; None is the proposer's
            own: 1 for the embedded one, which also returns parts of objects and patches of background that share the
            brightest cell with the object, and the paper's 0 for phrase detections above a threshold.
        interval: "segment" is the maximum-sum segment of the centred frame scores, "top_k" the paper's rule (stage 9).
        top_k: K of the paper's rule.
        centre: where the frame scores are centred for "segment": this quantile between their minimum and maximum.
        snap_ends: move each end of the interval to the frame on which the chosen track itself begins or ends to move,
            to grow, to shake or to blink, where that is clear and at most two slots away; the embedded proposer alone
            says when that is. For objects that rest before and after what they are asked for.
    """

    attention: Literal["relative", "raw"] = "relative"
    guard: float = 0.1
    role_tokens: str = "gti"
    gti_rows: GtiRows = "same"
    tas_operator: Literal["mean", "max", "product", "forward"] = "mean"
    tas_temporal: bool = False
    coverage: Coverage = "fraction"
    ties: Ties = "excess"
    proposer_weight: float | None = None
    interval: Literal["segment", "top_k"] = "segment"
    top_k: int = 7
    centre: float = 0.5
    snap_ends: bool = False

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError("top_k must be at least 1")
        if not self.guard >= 0 or not 0 <= self.centre <= 1 or not (self.proposer_weight or 0) >= 0:
            raise ValueError("guard and proposer_weight must be at least 0, centre between 0 and 1")
        if self.coverage not in get_args(Coverage):
            raise ValueError(f"coverage is fraction, peak or mask, not {self.coverage!r}")
        if self.ties not in get_args(Ties):
            raise ValueError(f"ties is excess or first, not {self.ties!r}")
        if not _ROLE_TOKENS.fullmatch(self.role_tokens):
            raise ValueError(f"role_tokens is gti, mean or token-N with N of at least 1, not {self.role_tokens!r}")
        if self.gti_rows not in get_args(GtiRows):
            raise ValueError(f"gti_rows is same, relative or raw, not {self.gti_rows!r}")


@dataclass(frozen=True)
class GroundingSettings(JoinedSettings, SeenSettings):
    """Settings of the method, both halves under flat names; what takes a half takes the whole.

    Section numbers are the paper's stages as listed in ``docs/method.md``.
    """

    def __post_init__(self) -> None:
        SeenSettings.__post_init__(self)
        JoinedSettings.__post_init__(self)
        if self.coverage == "mask" and not may_have_masks(self):
            raise ValueError(
                "coverage mask needs the masks of every candidate: set proposer to grounding_dino and tracking to all"
            )

    def digest(self) -> str:
        """Eight hex digits that change whenever a setting does, or the way in which pictures are read."""
        found = {"searching": SEARCHING[self.proposer]} if self.proposer in SEARCHING else {}
        return _digest(self._values(GroundingSettings) | {"reading": READING} | found)

    def looks_digest(self) -> str:
        """Eight hex digits that change whenever the model would look at something else: of the first half alone.

        Scores that were stored under one digest can be joined again under any settings of the same digest.
        """
        return _digest(self._values(SeenSettings))

    def _values(self, half: type[SeenSettings]) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(half)}
        kept = {name: value for name, value in values.items() if name not in BEFORE or value != BEFORE[name]}
        return kept | ({"wording": WORDINGS[self.locator]} if self.locator in WORDINGS else {})


def head_numbers(name: str) -> tuple[int, int]:
    """Layer and head of a name of ``temporal_heads``; "3.1" is (3, 1).

    Raises:
        ValueError: it is not of that form.
    """
    found = _HEAD.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"temporal_heads are written layer.head, like 3.1, not {name!r}")
    return int(found[1]), int(found[2])


def head_name(layer: int, head: int) -> str:
    """The opposite of :func:`head_numbers`."""
    return f"{layer}.{head}"


def _in_order(heads: Iterable[str]) -> tuple[str, ...]:
    """By layer and head: they are averaged, so another order is no other setting, and no other version."""
    numbers = sorted(head_numbers(name) for name in heads)
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError("temporal_heads are different heads, at least one; None: all heads of layers")
    return tuple(head_name(*one) for one in numbers)


def may_have_masks(settings: SeenSettings) -> bool:
    """Does the proposer give every candidate a mask?"""
    return settings.proposer == "grounding_dino" and settings.tracking == "all"


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def preset(folder: str | Path) -> dict[str, Any]:
    """The ``"settings"`` of a model folder's ``stvg.json``; empty where there is none (a plain checkpoint)."""
    file = Path(folder) / PRESET_FILE
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8")).get("settings", {})
        values = setting_text.accept_all(GroundingSettings, values)
        GroundingSettings(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{file} holds settings that cannot be used: {error}") from error
    return dict(values)


def resolve(folder: str | Path, settings: GroundingSettings | None) -> GroundingSettings:
    """The caller's settings if there are any, else the model's preset over the defaults."""
    return settings if settings is not None else GroundingSettings(**preset(folder))
