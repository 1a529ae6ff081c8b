"""Three ways to the same question, where and when? Ours through the session, and two without any sharing.

:func:`ours` is what the product runs. :func:`straight` computes the same formulas prompt by prompt and must give the
same result. :func:`released` spends its time as the paper's published code does: two prompts per step (the sub-query
and a caption prompt), two steps, ``generate`` for each, sub-query and caption again for the maps, and so for the
spatial, the temporal and the reversed branch. Its result is another one; only its time is of interest.
"""

from __future__ import annotations

import torch

from benchmarks.unshared import Unshared
from stvg_core.grounding.dsth import Direction, Looks, look, turned
from stvg_core.grounding.lra import lra_loss
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
) -> tuple[Session, Looks]:
    """A fresh session and its looks."""
    session = Session(loaded, frames)
    looks = look(session, query, parts, settings)
    session.release()
    return session, looks


def straight(asker: Unshared, query: str, parts: SubQueries, settings: GroundingSettings) -> Looks:
    """The formulas of :func:`stvg_core.grounding.dsth.look`, one prompt after the other."""

    def direction(sentence: str, halves: SubQueries, backwards: bool) -> Direction:
        margins = []

        def branch(name: str, question: str) -> torch.Tensor:
            prompt = asker.zero_prompt()
            for number in range(settings.lra_steps if name in settings.lra_branches else 0):
                prompt.requires_grad_(True)
                said = asker.ask(question, prompt, backwards=backwards)
                if number == 0:
                    margins.append(said.yes_minus_no.detach())
                prompt = _moved(asker, prompt, asker.gradient(lra_loss(said.yes_minus_no), prompt), settings)
            return asker.ask(sentence, prompt, backwards=backwards).rows

        neutral = asker.ask(NEUTRAL_PROMPT, None, backwards=backwards).rows
        spatial = branch("spatial", halves.spatial_question)
        temporal = spatial
        if not backwards or settings.tas_temporal:
            temporal = branch("temporal", halves.temporal_question)
        return Direction(spatial, temporal, neutral, torch.stack(margins) if margins else torch.empty(0))

    forward = direction(query, parts, False)
    return Looks(forward, direction(*turned(query, parts, settings), True) if settings.tas else None)


def released(
    asker: Unshared, parts: SubQueries, settings: GroundingSettings, new_tokens: int = RELEASED_TOKENS
) -> Looks:
    """The published flow's work: three branches of two steps with two prompts each, and two prompts for the maps."""
    answers: list[torch.Tensor] = []

    def branch(question: str, backwards: bool) -> tuple[torch.Tensor, torch.Tensor]:
        prompt = asker.zero_prompt()
        for _ in range(RELEASED_STEPS):
            prompt.requires_grad_(True)
            gradient = torch.zeros_like(prompt)
            # The loss is linear in both answers, so each prompt's share is taken before the next one needs memory.
            for sign, text in ((1.0, NEUTRAL_PROMPT), (-1.0, question)):
                said = asker.ask(text, prompt, backwards=backwards, new_tokens=new_tokens)
                gradient += asker.gradient(sign * said.yes_minus_no, prompt)
            prompt = _moved(asker, prompt, gradient, settings)
        answers.append(said.yes_minus_no.detach())
        rows = asker.ask(question, prompt, backwards=backwards, new_tokens=new_tokens).rows
        return rows, asker.ask(NEUTRAL_PROMPT, prompt, backwards=backwards, new_tokens=new_tokens).rows

    spatial, neutral = branch(parts.spatial_question, False)
    temporal, _ = branch(parts.temporal_question, False)
    reversed_, reversed_neutral = branch(parts.spatial_question, True)
    return Looks(
        Direction(spatial, temporal, neutral, torch.stack(answers[:2])),
        Direction(reversed_, reversed_, reversed_neutral, answers[2][None]),
    )


@torch.no_grad()
def _moved(asker: Unshared, prompt: torch.Tensor, gradient: torch.Tensor, settings: GroundingSettings) -> torch.Tensor:
    """One step on V, plain or in units of the mean token norm (see :class:`GroundingSettings`)."""
    step = settings.lra_lr
    if settings.lra_rule == "token_norm":
        longest = gradient.norm(dim=-1).max().clamp(min=torch.finfo(gradient.dtype).tiny)
        step = settings.lra_lr * asker.token_norm() / longest
    moved: torch.Tensor = prompt.detach() - step * gradient
    return moved
