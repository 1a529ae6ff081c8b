"""Decomposed spatio-temporal highlighting: where and when, one code path for both branches (paper, stages 6-8).

:func:`look` asks the model and keeps what it was seen to look at; :func:`maps` decides what that means. Only the first
needs the model, so other choices in the second (which role token, raw or relative, how to assemble) cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from stvg_core.decomposition.reversal import reverse_action, reverse_parts
from stvg_core.grounding.gti import pick_map
from stvg_core.grounding.lra import learn_prompts
from stvg_core.grounding.tas import assemble, consistency
from stvg_core.mllm.session import Session
from stvg_core.query import NEUTRAL_PROMPT, SubQueries, as_statement
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array


@dataclass(frozen=True)
class Direction:
    """Attention rows of the watched tokens for one direction of time, ``[R, T, h, w]`` float32, slots as shown.

    Attributes:
        spatial: of the query on T_v + V_s.
        temporal: of the query on T_v + V_t; for the reversed video the spatial one unless it is assembled too.
        neutral: of the neutral prompt on T_v.
        yes_minus_no: log p_yes - log p_no of Q_s (and Q_t) at V = 0.
    """

    spatial: torch.Tensor
    temporal: torch.Tensor
    neutral: torch.Tensor
    yes_minus_no: torch.Tensor


@dataclass(frozen=True)
class Looks:
    """What the model was seen to look at, before any choice is made; ``backward`` (reversed video) with TAS only."""

    forward: Direction
    backward: Direction | None = None


@dataclass(frozen=True)
class Highlights:
    """The maps that decide: ``[T, h, w]`` float32 each, forward order.

    Attributes:
        spatial: A_S, assembled when TAS is on.
        spatial_forward, spatial_reversed: before assembling (equal to ``spatial`` without TAS).
        temporal: A_T, assembled when the settings say so.
        consistency: S_cons, NaN without TAS.
        info: the grounding tokens chosen (counted from the end) and log p_yes - log p_no before re-attention.
    """

    spatial: torch.Tensor
    spatial_forward: torch.Tensor
    spatial_reversed: torch.Tensor
    temporal: torch.Tensor
    consistency: float
    info: dict[str, Any]


def highlight(
    session: Session,
    query: str,
    parts: SubQueries,
    settings: GroundingSettings,
    tick: Callable[[float], None] = lambda share: None,
    *,
    keep: bool = True,
) -> Highlights:
    """:func:`look`, then :func:`maps`."""
    return maps(look(session, query, parts, settings, tick, keep=keep), settings)


def look(
    session: Session,
    query: str,
    parts: SubQueries,
    settings: GroundingSettings,
    tick: Callable[[float], None] = lambda share: None,
    *,
    keep: bool = True,
) -> Looks:
    """Learn V_s and V_t on the sub-queries, then look with the original query at T_v + V_s and T_v + V_t.

    Args:
        query: the original sentence, as a statement.
        parts: its sub-queries.
        tick: called with the share that is done.
        keep: leave the session's prefills at V = 0 for the next query on this video. Without it, the graph of one
            direction is gone before the other one's is made, which halves the memory for gradients.
    """
    forward = look_once(session, query, parts, settings, backwards=False)
    if not keep:
        session.release()
    tick(0.5 if settings.tas else 1.0)
    if not settings.tas:
        return Looks(forward)
    backward = look_once(session, *turned(query, parts, settings), settings, backwards=True)
    tick(1.0)
    return Looks(forward, backward)


@torch.no_grad()
def second_looks(session: Session, query: str, parts: SubQueries, settings: GroundingSettings) -> Looks:
    """Looks at other frames of the same video, without learnable prompts: one prefill per direction."""
    return look(session, query, parts, _of_second_look(settings))


def second_map(looks: Looks, settings: GroundingSettings) -> torch.Tensor:
    """A_T ``[T, h, w]`` of a second look."""
    return maps(looks, _of_second_look(settings)).temporal


def second_look(session: Session, query: str, parts: SubQueries, settings: GroundingSettings) -> torch.Tensor:
    """:func:`second_looks`, then :func:`second_map`."""
    return second_map(second_looks(session, query, parts, settings), settings)


def _of_second_look(settings: GroundingSettings) -> GroundingSettings:
    """The reversed video is looked at again only where its temporal rows are used."""
    return replace(settings, lra_steps=0, tas=settings.tas and settings.tas_temporal)


def maps(looks: Looks, settings: GroundingSettings) -> Highlights:
    """One map per branch from the rows of the watched tokens (stages 4, 5 and 8)."""
    info: dict[str, Any] = {}
    forward, temporal = _picked(looks.forward, settings, info, "")
    if not settings.tas:
        return Highlights(forward, forward, forward, temporal, float("nan"), info)
    if looks.backward is None:
        raise ValueError("these looks hold no reversed video; look with TAS on")
    spatial_turned, temporal_turned = (one.flip(0) for one in _picked(looks.backward, settings, info, "_reversed"))
    if settings.tas_temporal:
        temporal = assemble(temporal, temporal_turned, settings.tas_operator)
    return Highlights(
        spatial=assemble(forward, spatial_turned, settings.tas_operator),
        spatial_forward=forward,
        spatial_reversed=spatial_turned,
        temporal=temporal,
        consistency=consistency(forward, spatial_turned),
        info=info,
    )


def _picked(
    seen: Direction, settings: GroundingSettings, info: dict[str, Any], suffix: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """The spatial and the temporal map of one direction, slots as shown."""
    info[f"yes_minus_no{suffix}"] = [round(value, 4) for value in seen.yes_minus_no.tolist()]
    both = []
    for name in ("spatial", "temporal"):
        one, info[f"{name}_token{suffix}"] = pick_map(
            getattr(seen, name), seen.neutral, attention=settings.attention, guard=settings.guard,
            role_tokens=settings.role_tokens,
        )  # fmt: skip
        both.append(one)
    return both[0], both[1]


def turned(query: str, parts: SubQueries, settings: GroundingSettings) -> tuple[str, SubQueries]:
    """The query and sub-queries for the reversed video, by ``settings.tas_question``."""
    if settings.tas_question == "attribute":
        return as_statement(parts.attribute), parts
    if settings.tas_question == "reversed":
        return reverse_action(query, parts), reverse_parts(parts)
    return query, parts


def look_once(
    session: Session, query: str, parts: SubQueries, settings: GroundingSettings, *, backwards: bool
) -> Direction:
    """Both branches in one direction of time.

    Everything at V = 0 (the answers that the prompts are learnt from, the neutral rows) comes from one prefill, which
    the session keeps for further queries. A branch that learns no prompt looks on that prefill too.
    """
    # The reversed temporal look is used only where it is assembled.
    wanted = ("spatial", "temporal") if not backwards or settings.tas_temporal else ("spatial",)
    sub_queries = {"spatial": parts.spatial_question, "temporal": parts.temporal_question}
    questions = [sub_queries[name] for name in wanted]
    learning = [n for n, name in enumerate(wanted) if settings.lra_steps > 0 and name in settings.lra_branches]
    plain = len(learning) < len(wanted)
    neutral = session.neutral.get((backwards, settings.layers))
    origin, prefix = session.origin(backwards=backwards, learnable=bool(learning))
    with torch.set_grad_enabled(bool(learning)):
        asked = [*questions, *([query] if plain else []), *([NEUTRAL_PROMPT] if neutral is None else [])]
        answer = session.ask(prefix, asked, rows=plain or neutral is None, layers=settings.layers)
    if neutral is None:
        neutral = session.neutral[backwards, settings.layers] = answer.rows[-1]
    seen = {n: answer.rows[len(wanted)] for n in range(len(wanted)) if n not in learning}
    if learning:
        prompts = learn_prompts(
            session, origin, answer.yes_minus_no[learning], [questions[n] for n in learning], settings,
            backwards=backwards,
        )  # fmt: skip
        for n, prompt in zip(learning, prompts, strict=True):
            seen[n] = _rows(session, prompt, query, settings, backwards=backwards)
    return Direction(seen[0], seen.get(1, seen[0]), neutral, answer.yes_minus_no.detach()[: len(wanted)])


@torch.no_grad()
def _rows(
    session: Session, prompt: torch.Tensor, query: str, settings: GroundingSettings, *, backwards: bool
) -> torch.Tensor:
    """The watched rows of the original query on T_v + V, ``[R, T, h, w]``, in the order in which slots are shown."""
    prefix = session.prefill(prompt, backwards=backwards)
    return session.ask(prefix, [query], rows=True, layers=settings.layers).rows[0]


def track_scores(attention: Array, coverage: Array, rule: str) -> Array:
    """S of every track in every slot: the largest attention inside it (paper, stage 7).

    Args:
        attention: ``(T, h, w)``.
        coverage: ``(P, T, h, w)`` from :func:`stvg_core.grounding.coverage.cell_coverage`.
        rule: "fraction" or "peak", see :class:`stvg_core.settings.GroundingSettings`.

    Returns:
        ``(P, T)``; 0 where a track is absent. S_obj is its maximum over T, S_frame its row for the chosen track.
    """
    if rule == "peak":
        largest = coverage.max(axis=(2, 3), keepdims=True)
        coverage = np.divide(coverage, largest, out=np.zeros_like(coverage), where=largest > 0)
    scores: Array = (attention[None] * coverage).max(axis=(2, 3))
    return scores
