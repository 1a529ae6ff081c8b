"""Decomposed spatio-temporal highlighting: where and when, one code path for both branches (paper, stages 6-8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stvg_core.grounding.gti import pick_map
from stvg_core.grounding.lra import learn_prompts
from stvg_core.grounding.tas import assemble, consistency
from stvg_core.mllm.session import Session
from stvg_core.query import NEUTRAL_PROMPT, SubQueries, as_statement
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array


@dataclass(frozen=True)
class Highlights:
    """The maps that decide: ``[T, h, w]`` float32 each, forward order.

    Attributes:
        spatial: A_S, assembled when TAS is on.
        spatial_forward, spatial_reversed: before assembling (equal to ``spatial`` without TAS).
        temporal: A_T.
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
    tick: Callable[[], None] = lambda: None,
) -> Highlights:
    """Learn V_s and V_t on the sub-queries, then look with the original query at T_v + V_s and T_v + V_t.

    ``tick`` is called after each of the five prefills.
    """
    info: dict[str, Any] = {}
    spatial_question, temporal_question = parts.spatial_question, parts.temporal_question
    prompts, neutral = _learn(session, [spatial_question, temporal_question], settings, info, backwards=False)
    tick()
    forward = _look(session, prompts[0], query, neutral, settings, info, "spatial_token")
    tick()
    temporal = _look(session, prompts[1], query, neutral, settings, info, "temporal_token")
    tick()
    if not settings.tas:
        return Highlights(forward, forward, forward, temporal, float("nan"), info)
    reversed_prompts, reversed_neutral = _learn(session, [spatial_question], settings, info, backwards=True)
    tick()
    asked = query if settings.tas_question == "query" else as_statement(parts.attribute)
    turned = _look(
        session, reversed_prompts[0], asked, reversed_neutral, settings, info, "reversed_token", backwards=True
    )
    tick()
    turned = turned.flip(0)
    return Highlights(
        spatial=assemble(forward, turned, settings.tas_operator),
        spatial_forward=forward,
        spatial_reversed=turned,
        temporal=temporal,
        consistency=consistency(forward, turned),
        info=info,
    )


def _learn(
    session: Session, questions: list[str], settings: GroundingSettings, info: dict[str, Any], *, backwards: bool
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """A prompt per question and the neutral rows ``[R, T, h, w]``, all from one prefill at V = 0."""
    origin = session.zero_prompt().requires_grad_(settings.lra_steps > 0)
    prefix = session.prefill(origin, backwards=backwards)
    answer = session.ask(prefix, [*questions, NEUTRAL_PROMPT], rows=True, layers=settings.layers)
    name = "yes_minus_no_reversed" if backwards else "yes_minus_no"
    info[name] = [round(float(value), 4) for value in answer.yes_minus_no.detach()[: len(questions)]]
    return learn_prompts(session, origin, answer, questions, settings, backwards=backwards), answer.rows[-1]


@torch.no_grad()
def _look(
    session: Session, prompt: torch.Tensor, query: str, neutral: torch.Tensor, settings: GroundingSettings,
    info: dict[str, Any], name: str, *, backwards: bool = False,
) -> torch.Tensor:  # fmt: skip
    """The map of the original query on T_v + V, ``[T, h, w]``, in the order in which the slots are shown."""
    prefix = session.prefill(prompt, backwards=backwards)
    answer = session.ask(prefix, [query], rows=True, layers=settings.layers)
    picked, info[name] = pick_map(
        answer.rows[0], neutral, attention=settings.attention, guard=settings.guard, role_tokens=settings.role_tokens
    )
    return picked


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
