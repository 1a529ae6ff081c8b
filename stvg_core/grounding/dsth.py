"""Decomposed spatio-temporal highlighting: where and when, one code path for both branches (paper, stages 6-8).

:func:`look` asks the model and keeps what it was seen to look at; :func:`maps` decides what that means. Only the first
needs the model, so other choices in the second (which role token, raw or relative, how to assemble) cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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

PREFILLS = 5
"""How many times :func:`look` runs the language model over the video; without TAS three."""


@dataclass(frozen=True)
class Looks:
    """Attention rows of the watched tokens, ``[R, T, h, w]`` float32 each, before any choice is made.

    Attributes:
        spatial: of the original query on T_v + V_s.
        temporal: of the original query on T_v + V_t.
        neutral: of the neutral prompt on T_v.
        backward: as ``spatial`` on the reversed video, slots in the order shown (reversed); None without TAS.
        backward_neutral: as ``neutral`` on the reversed video.
        yes_minus_no: log p_yes - log p_no of Q_s and Q_t at V = 0, and of Q_s on the reversed video; tensors ``[B]``.
    """

    spatial: torch.Tensor
    temporal: torch.Tensor
    neutral: torch.Tensor
    backward: torch.Tensor | None = None
    backward_neutral: torch.Tensor | None = None
    yes_minus_no: dict[str, torch.Tensor] = field(default_factory=dict)


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
    """:func:`look`, then :func:`maps`."""
    return maps(look(session, query, parts, settings, tick), settings)


def look(
    session: Session,
    query: str,
    parts: SubQueries,
    settings: GroundingSettings,
    tick: Callable[[], None] = lambda: None,
) -> Looks:
    """Learn V_s and V_t on the sub-queries, then look with the original query at T_v + V_s and T_v + V_t.

    ``tick`` is called after each prefill, :data:`PREFILLS` times with TAS.
    """
    questions = [parts.spatial_question, parts.temporal_question]
    prompts, neutral, margins = _learn(session, questions, settings, backwards=False)
    tick()
    rows = []
    for prompt in prompts:
        rows.append(_rows(session, prompt, query, settings, backwards=False))
        tick()
    said = {"yes_minus_no": margins}
    if not settings.tas:
        return Looks(rows[0], rows[1], neutral, yes_minus_no=said)
    turned, backward_neutral, said["yes_minus_no_reversed"] = _learn(session, questions[:1], settings, backwards=True)
    tick()
    asked = query if settings.tas_question == "query" else as_statement(parts.attribute)
    backward = _rows(session, turned[0], asked, settings, backwards=True)
    tick()
    return Looks(rows[0], rows[1], neutral, backward, backward_neutral, said)


def maps(looks: Looks, settings: GroundingSettings) -> Highlights:
    """One map per branch from the rows of the watched tokens (stages 4, 5 and 8)."""
    info: dict[str, Any] = {
        name: [round(value, 4) for value in values.tolist()] for name, values in looks.yes_minus_no.items()
    }

    def picked(rows: torch.Tensor, neutral: torch.Tensor, name: str) -> torch.Tensor:
        one, info[name] = pick_map(
            rows, neutral, attention=settings.attention, guard=settings.guard, role_tokens=settings.role_tokens
        )
        return one

    forward = picked(looks.spatial, looks.neutral, "spatial_token")
    temporal = picked(looks.temporal, looks.neutral, "temporal_token")
    if not settings.tas:
        return Highlights(forward, forward, forward, temporal, float("nan"), info)
    if looks.backward is None or looks.backward_neutral is None:
        raise ValueError("these looks hold no reversed video; look with TAS on")
    turned = picked(looks.backward, looks.backward_neutral, "reversed_token").flip(0)
    return Highlights(
        spatial=assemble(forward, turned, settings.tas_operator),
        spatial_forward=forward,
        spatial_reversed=turned,
        temporal=temporal,
        consistency=consistency(forward, turned),
        info=info,
    )


def _learn(
    session: Session, questions: list[str], settings: GroundingSettings, *, backwards: bool
) -> tuple[list[torch.Tensor | None], torch.Tensor, torch.Tensor]:
    """A prompt V per question (None is V = 0), the neutral rows ``[R, T, h, w]`` and the answers at V = 0.

    All of it comes from the one prefill at V = 0, which the session keeps for further queries.
    """
    learnable = settings.lra_steps > 0
    origin, prefix = session.origin(backwards=backwards, learnable=learnable)
    neutral = session.neutral.get((backwards, settings.layers))
    asked = questions if neutral is not None else [*questions, NEUTRAL_PROMPT]
    with torch.set_grad_enabled(learnable):
        answer = session.ask(prefix, asked, rows=neutral is None, layers=settings.layers)
    if neutral is None:
        neutral = session.neutral[backwards, settings.layers] = answer.rows[-1]
    margins = answer.yes_minus_no.detach()[: len(questions)]
    if not learnable:
        return [None] * len(questions), neutral, margins
    prompts = learn_prompts(session, origin, answer, questions, settings, backwards=backwards)
    return list(prompts), neutral, margins


@torch.no_grad()
def _rows(
    session: Session, prompt: torch.Tensor | None, query: str, settings: GroundingSettings, *, backwards: bool
) -> torch.Tensor:
    """The watched rows of the original query on T_v + V, ``[R, T, h, w]``, in the order in which slots are shown."""
    if prompt is None:
        _, prefix = session.origin(backwards=backwards, learnable=False)
    else:
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
