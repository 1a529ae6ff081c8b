"""Which form of the method is run. Torch-free, hashable, part of the model version.

Defaults are the paper's (arXiv 2509.15178) where it gives a number; a model's folder may carry better ones for itself
in ``stvg.json`` (see :func:`preset`), and a caller's own choice wins over both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stvg_core.errors import ModelError

PRESET_FILE = "stvg.json"


@dataclass(frozen=True)
class GroundingSettings:
    """Settings of the method; section numbers are the paper's stages as listed in ``docs/method.md``.

    Attributes:
        n_slots: T_v, how many uniformly sampled frames the model sees (stage 1).
        attention: divide rows by the neutral prompt's rows, or not (stage 5).
        guard: share of the neutral row's mean that is added to the divisor, so that cells the neutral prompt
            ignores do not blow up; relative to the row's own scale (stage 5).
        role_tokens: "gti" takes the role token with the highest maximum (stage 4), "mean" averages all of them.
        layers: which layers' attention is averaged; None means all (the paper).
        lra_steps: N_ep gradient steps on each learnable prompt; 0 switches LRA off (stage 6).
        lra_rule: "plain" is V -= lr * gradient (paper, lr 8); "token_norm" scales the gradient so that the token that
            moves most moves by ``lr`` times the mean norm of the visual tokens: the same at any model width.
        lra_lr: the step, in the unit of ``lra_rule``.
        tas: also run the reversed video and assemble the two spatial maps (stage 8).
        tas_operator: how the forward and the reversed map become one.
        tas_question: what the reversed video is looked at with: the original sentence ("query", the paper), or its
            attribute phrase alone, which stays true when the action runs backwards ("moving left" does not).
        coverage: how a track covers a cell: "fraction" is the exact area share, "peak" is that share divided by the
            track's largest one in the frame, so that small objects can reach full weight.
        proposer_weight: exponent of the proposer's own confidence in the choice of the track. 1 suits the embedded
            proposer, which also returns parts of objects and patches of background that share the brightest cell with
            the object, whatever the model. 0 is the paper's rule, for phrase detections above a threshold.
        interval: "segment" is the maximum-sum segment of the centred frame scores, "top_k" the paper's rule (stage 9).
        top_k: K of the paper's rule.
        centre: where the frame scores are centred for "segment": this quantile between their minimum and maximum.
    """

    n_slots: int = 20
    attention: Literal["relative", "raw"] = "relative"
    guard: float = 0.1
    role_tokens: Literal["gti", "mean"] = "gti"
    layers: tuple[int, ...] | None = None
    lra_steps: int = 1
    lra_rule: Literal["plain", "token_norm"] = "plain"
    lra_lr: float = 8.0
    tas: bool = True
    tas_operator: Literal["mean", "max", "product"] = "mean"
    tas_question: Literal["query", "attribute"] = "query"
    coverage: Literal["fraction", "peak"] = "fraction"
    proposer_weight: float = 1.0
    interval: Literal["segment", "top_k"] = "segment"
    top_k: int = 7
    centre: float = 0.5

    def __post_init__(self) -> None:
        if self.n_slots < 1 or self.top_k < 1 or self.lra_steps < 0:
            raise ValueError("n_slots and top_k must be at least 1, lra_steps at least 0")
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(int(layer) for layer in self.layers))

    def digest(self) -> str:
        """Eight hex digits that change whenever a setting does."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def preset(folder: str | Path) -> dict[str, Any]:
    """The ``"settings"`` of a model folder's ``stvg.json``; empty where there is none (a plain checkpoint)."""
    file = Path(folder) / PRESET_FILE
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8")).get("settings", {})
        GroundingSettings(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{file} holds settings that cannot be used: {error}") from error
    return dict(values)


def resolve(folder: str | Path, settings: GroundingSettings | None) -> GroundingSettings:
    """The caller's settings if there are any, else the model's preset over the defaults."""
    return settings if settings is not None else GroundingSettings(**preset(folder))
