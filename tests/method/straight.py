"""The method once more, straight and slow: loops over slots, cells, tracks and intervals, as the paper tells it.

Nothing of the product is used but its settings. ``model`` is a stand-in (:mod:`tests.method.stand_in`), read by its
table alone. Numbers in brackets are the stages of docs/method.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stvg_core.settings import GroundingSettings
from tests.method.stand_in import StandIn

Array = Any  # numpy's; this file is about numbers


@dataclass
class Found:
    """``(T, h, w)`` maps, slots in the video's order, and what was seen on the way to them."""

    spatial: Array
    temporal: Array
    forward: Array
    backward: Array
    consistency: float = math.nan
    shares: list[float] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)


def margin(model: StandIn, question: str, tokens: Array, v: Array) -> float:
    says = model.table(question)
    return float(says.margin + (says.slope * v).sum() - says.bend / 2 * (tokens * v * v).sum())


def learnt(model: StandIn, question: str, tokens: Array, settings: GroundingSettings) -> tuple[Array, float]:
    """[6] V by gradient steps on -exp(log p_yes - log p_no), and the share of it that is used."""
    says, v = model.table(question), np.zeros(tokens.shape)
    typical = np.mean([[math.sqrt((token * token).sum()) for token in slot] for slot in tokens])
    for _ in range(settings.lra_steps):
        gradient = -math.exp(margin(model, question, tokens, v)) * (says.slope - says.bend * tokens * v)
        length: Any = 1.0
        if settings.lra_rule == "token_norm":
            length = typical / max(math.sqrt((token * token).sum()) for slot in gradient for token in slot)
        v = v - settings.lra_lr * length * gradient
    if not settings.lra_guard:
        return v, 1.0
    for share in (1.0, 0.5, 0.25):
        if margin(model, question, tokens, share * v) >= margin(model, question, tokens, 0 * v):
            return v, share
    return v, 0.0


def rows_of(model: StandIn, sentence: str, tokens: Array, heads: tuple[str, ...] | None, layers: int) -> Array:
    """[3] A sentence's rows: of the layers, or of the heads that are named, all counting the same."""
    looks = model.table(sentence).rows * abs(tokens.mean(axis=2)).reshape(model.shape)
    if heads is None:
        return layers * looks
    found, width = np.zeros(looks.shape), looks.shape[3]
    for name in heads:
        layer, head = (int(part) for part in name.split("."))
        for column in range(width):
            found[..., (column + head) % width] += looks[..., column] * (layer + 1) / len(heads)
    return found


def one_map(
    model: StandIn, sentence: str, tokens: Array, v: Array, settings: GroundingSettings, heads: tuple[str, ...] | None
) -> Array:
    """[3, 4, 5] The sentence's rows on T_v + V against the neutral ones on T_v, and the token that decides."""
    layers = 1 if settings.layers is None else len(settings.layers)
    looks = rows_of(model, sentence, tokens + v, heads, layers)
    neutral = rows_of(model, "Describe this video in details.", tokens, heads, layers)
    shared = min(len(looks), len(neutral))
    kinds: dict[str, list[Array]] = {"relative": [], "raw": []}
    for one, other in zip(looks[len(looks) - shared :], neutral[len(neutral) - shared :], strict=True):
        kinds["relative"].append(one / (other + settings.guard * other.mean()))
        kinds["raw"].append(one)
    candidates = kinds[settings.attention]
    if settings.role_tokens == "mean":
        return np.mean(candidates, axis=0)
    if settings.role_tokens == "gti":
        judged = candidates if settings.gti_rows == "same" else kinds[settings.gti_rows]
        return candidates[max(range(shared), key=lambda token: judged[token].max())]
    return candidates[max(0, shared - int(settings.role_tokens[len("token-") :]))]


def maps(model: StandIn, query: str, turned: str, questions: list[list[str]], settings: GroundingSettings) -> Found:
    """[6, 7, 8] A_S and A_T; ``questions`` are Q_s and Q_t as asked forwards, and backwards."""
    nothing = np.empty(0)
    both, found = [], Found(nothing, nothing, nothing, nothing)
    for backwards in [False, True][: 2 if settings.tas else 1]:
        tokens = model.visual.numpy()[:: -1 if backwards else 1]
        branches = ["spatial"] if backwards and not settings.tas_temporal else ["spatial", "temporal"]
        seen = []
        for name, question in zip(branches, questions[backwards], strict=False):
            v, share = np.zeros(tokens.shape), math.nan
            if settings.lra_steps and name in settings.lra_branches:
                v, share = learnt(model, question, tokens, settings)
                v = v * share
            found.shares.append(share)
            found.margins.append(margin(model, question, tokens, 0 * v))
            found.after.append(margin(model, question, tokens, v))
            heads = settings.temporal_heads if name == "temporal" else None
            one = one_map(model, turned if backwards else query, tokens, v, settings, heads)
            seen.append(one[::-1] if backwards else one)
        both.append(seen)
    found.forward = found.backward = found.spatial = both[0][0]
    found.temporal = both[0][1]
    if settings.tas:
        found.backward = both[1][0]
        found.spatial = assembled(found.forward, found.backward, settings)
        if settings.tas_temporal:
            found.temporal = assembled(both[0][1], both[1][1], settings)
        one, other = found.forward.ravel(), found.backward.ravel()
        found.consistency = float((one * other).sum() / math.sqrt((one * one).sum() * (other * other).sum()))
    return found


def assembled(forward: Array, backward: Array, settings: GroundingSettings) -> Array:
    one, other = forward / forward.sum(), backward / backward.sum()
    joined = {
        "mean": (one + other) / 2, "max": np.where(one > other, one, other), "product": np.sqrt(one * other),
        "forward": one,
    }[settings.tas_operator]  # fmt: skip
    return joined / joined.sum()


def covered(box: Array, row: int, column: int, h: int, w: int) -> float:
    """[7, B2M] The share of a cell that a box covers."""
    if not np.isfinite(box).all():
        return 0.0
    x1, y1, x2, y2 = (min(max(float(value), 0.0), 1.0) for value in box)
    across = min(x2, (column + 1) / w) - max(x1, column / w)
    down = min(y2, (row + 1) / h) - max(y1, row / h)
    return max(across, 0) * w * max(down, 0) * h


def centre(box: Array, h: int, w: int) -> tuple[int, int]:
    """The cell under a box's centre."""
    x1, y1, x2, y2 = (min(max(float(value), 0.0), 1.0) for value in box)
    return min(int((y1 + y2) / 2 * h), h - 1), min(int((x1 + x2) / 2 * w), w - 1)


def shares_of(box: Array, h: int, w: int, settings: GroundingSettings) -> dict[tuple[int, int], float]:
    """[7, B2M] By how much each cell counts for a box; the cell under its centre counts in full."""
    shares = {(row, column): covered(box, row, column, h, w) for row in range(h) for column in range(w)}
    if settings.coverage == "peak" and (largest := max(shares.values())) > 0:
        shares = {cell: share / largest for cell, share in shares.items()}
    if np.isfinite(box).all():
        shares[centre(box, h, w)] = 1.0
    return shares


def brightest(attention: Array, box: Array, settings: GroundingSettings) -> float:
    """[7] The largest attention inside a box in one slot."""
    return float(max(attention[cell] * share for cell, share in shares_of(box, *attention.shape, settings).items()))


def excess(attention: Array, boxes: list[Array], settings: GroundingSettings) -> float:
    """[7] The share of the map inside a track, all slots together, less the share of the cells that it takes."""
    inside = area = 0.0
    for one, box in zip(attention, boxes, strict=True):
        for cell, share in shares_of(box, *one.shape, settings).items():
            inside, area = inside + one[cell] * share, area + share
    return inside / attention.sum() - area / attention.size


def span(scores: list[float], settings: GroundingSettings) -> tuple[int, int]:
    """[9] First and last slot, by trying all of them."""
    count = len(scores)
    if settings.interval == "top_k":
        best = sorted(range(count), key=lambda slot: -scores[slot])[: settings.top_k]
        return min(best), max(best)
    border = min(scores) + settings.centre * (max(scores) - min(scores))
    all_of_them = [(first, last) for first in range(count) for last in range(first, count)]
    return max(all_of_them, key=lambda ends: sum(score - border for score in scores[ends[0] : ends[1] + 1]))


def in_frames(slots: list[int], ends: tuple[int, int], lowest: int, highest: int) -> tuple[int, int]:
    """[9] A slot stands for the frames that are nearest to it."""
    first, last = ends
    start = lowest if first == 0 else (slots[first - 1] + slots[first]) // 2 + 1
    return start, highest if last == len(slots) - 1 else (slots[last] + slots[last + 1]) // 2
