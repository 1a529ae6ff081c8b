"""Three ways to the same question, where and when? Ours through the session, and two without any sharing.

:func:`ours` is what the product runs. :func:`straight` computes the same formulas prompt by prompt and must give the
same result. :func:`released` spends its time as the paper's published code does: two prompts per step (the sub-query
and a caption prompt), two steps, ``generate`` for each, sub-query and caption again for the maps, and so for the
spatial, the temporal and the reversed branch. Its result is another one; only its time is of interest.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from benchmarks.unshared import Unshared
from stvg_core.method.evidence import Rows
from stvg_core.method.look import look, rows_of, spatial_question, turned
from stvg_core.method.lra import lra_loss
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.query import NEUTRAL_PROMPT, SubQueries
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames

RELEASED_STEPS = 2
RELEASED_TOKENS = 6
"""One from the prefill and five decoded: 18 prefills and 90 single-token decodes in all."""


def ours(
    loaded: LoadedModel, frames: Frames, query: str, parts: SubQueries, settings: GroundingSettings
) -> tuple[Session, Rows]:
    """A fresh session and what was looked at."""
    session = Session(loaded, frames)
    rows = look(session, query, parts, settings)
    session.release()
    return session, rows


def straight(asker: Unshared, query: str, parts: SubQueries, settings: GroundingSettings) -> Rows:
    """The formulas of :func:`stvg_core.method.look.look`, one prompt after the other."""

    def one_way(sentence: str, halves: SubQueries, backwards: bool) -> Rows:
        margins = []

        def branch(name: str, question: str) -> torch.Tensor:
            v = asker.zero_v()
            for number in range(settings.lra_steps if name in settings.lra_branches else 0):
                v.requires_grad_(True)
                said = asker.ask(question, v, backwards=backwards)
                if number == 0:
                    margins.append(said.yes_minus_no.detach())
                v = _moved(asker, v, asker.gradient(lra_loss(said.yes_minus_no), v), settings)
            return asker.ask(sentence, v, backwards=backwards).rows

        neutral = asker.ask(NEUTRAL_PROMPT, None, backwards=backwards).rows
        spatial = branch("spatial", spatial_question(sentence, halves, settings))
        temporal = spatial
        if not backwards or settings.tas_temporal:
            temporal = branch("temporal", halves.temporal_question)
        return rows_of(spatial, temporal, neutral, torch.stack(margins) if margins else torch.empty(0))

    forward = one_way(query, parts, False)
    if not settings.tas:
        return forward
    return replace(forward, backward=one_way(*turned(query, parts, settings), True))


def released(
    asker: Unshared, parts: SubQueries, settings: GroundingSettings, new_tokens: int = RELEASED_TOKENS
) -> Rows:
    """The published flow's work: three branches of two steps with two prompts each, and two prompts for the maps."""
    answers: list[torch.Tensor] = []

    def branch(question: str, backwards: bool) -> tuple[torch.Tensor, torch.Tensor]:
        v = asker.zero_v()
        for _ in range(RELEASED_STEPS):
            v.requires_grad_(True)
            gradient = torch.zeros_like(v)
            # The loss is linear in both answers, so each prompt's share is taken before the next one needs memory.
            for sign, text in ((1.0, NEUTRAL_PROMPT), (-1.0, question)):
                said = asker.ask(text, v, backwards=backwards, new_tokens=new_tokens)
                gradient += asker.gradient(sign * said.yes_minus_no, v)
            v = _moved(asker, v, gradient, settings)
        answers.append(said.yes_minus_no.detach())
        rows = asker.ask(question, v, backwards=backwards, new_tokens=new_tokens).rows
        return rows, asker.ask(NEUTRAL_PROMPT, v, backwards=backwards, new_tokens=new_tokens).rows

    spatial, neutral = branch(parts.spatial_question, False)
    temporal, _ = branch(parts.temporal_question, False)
    reversed_, reversed_neutral = branch(parts.spatial_question, True)
    forward = rows_of(spatial, temporal, neutral, torch.stack(answers[:2]))
    return replace(forward, backward=rows_of(reversed_, reversed_, reversed_neutral, answers[2][None]))


@torch.no_grad()
def _moved(asker: Unshared, v: torch.Tensor, gradient: torch.Tensor, settings: GroundingSettings) -> torch.Tensor:
    """One step on V, plain or in units of the mean token norm (see :class:`GroundingSettings`)."""
    step = settings.lra_lr
    if settings.lra_rule == "token_norm":
        longest = gradient.norm(dim=-1).max().clamp(min=torch.finfo(gradient.dtype).tiny)
        step = settings.lra_lr * asker.token_norm() / longest
    moved: torch.Tensor = v.detach() - step * gradient
    return moved
