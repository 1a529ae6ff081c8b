"""Logit-guided re-attention: a learnable prompt V on the visual tokens that makes "yes" more likely (paper, stage 6).

L = -exp(log p_yes - log p_no),   V <- V - lr * dL/dV,   V starts at zero, the model is frozen
"""

from __future__ import annotations

import torch

from stvg_core.mllm.session import Prefix, Session
from stvg_core.settings import SeenSettings

GUARD_SHARES = (1.0, 0.5, 0.25)
"""Shares of a learnt V that are tried, as long as "yes" is less likely with it than without."""


def lra_loss(yes_minus_no: torch.Tensor) -> torch.Tensor:
    """The paper's objective per question, ``[B]`` -> ``[B]``."""
    return -yes_minus_no.exp()


def learn(
    session: Session,
    zero: torch.Tensor,
    yes_minus_no: torch.Tensor,
    questions: list[str],
    settings: SeenSettings,
    *,
    backwards: bool = False,
    together: Prefix | None = None,
) -> list[torch.Tensor]:
    """One learnable prompt V ``[T, h*w, D]`` per question.

    Args:
        zero: V = 0, requires a gradient.
        yes_minus_no: ``[B]`` log p_yes - log p_no of the questions on one prefill at ``zero``, which all of them
            share for their first step.
        backwards: the session is shown in reversed order.
        together: the prefill at ``zero``, where the first step's gradients go back through it as one batch. With None,
            one after the other.
    """
    losses = lra_loss(yes_minus_no)
    learnt = [step(zero.detach(), gradient, session, settings) for gradient in _gradients(losses, zero, together)]
    for _ in range(settings.lra_steps - 1):
        learnt = [
            _one_more(session, v, question, settings, backwards) for v, question in zip(learnt, questions, strict=True)
        ]
    return learnt


def _gradients(losses: torch.Tensor, zero: torch.Tensor, together: Prefix | None) -> list[torch.Tensor]:
    """d loss / dV of each loss. The graph stays: the session keeps the prefill for the next query on this video."""
    if together is None or len(losses) < 2:
        return [torch.autograd.grad(loss, zero, retain_graph=True)[0] for loss in losses]
    states = [state for layer in together.keys_values for state in layer]
    # The questions' few tokens one by one: in a batch, their gradients would be rounded otherwise.
    before = [torch.autograd.grad(loss, states, retain_graph=True) for loss in losses]
    stacked = [torch.stack(parts) for parts in zip(*before, strict=True)]
    return list(torch.autograd.grad(states, zero, stacked, retain_graph=True, is_grads_batched=True)[0])


def _one_more(
    session: Session, v: torch.Tensor, question: str, settings: SeenSettings, backwards: bool
) -> torch.Tensor:
    v = v.requires_grad_(True)
    answer = session.ask(session.prefill(v, backwards=backwards), [question])
    (gradient,) = torch.autograd.grad(lra_loss(answer.yes_minus_no)[0], v)
    return step(v.detach(), gradient, session, settings)


def step(v: torch.Tensor, gradient: torch.Tensor, session: Session, settings: SeenSettings) -> torch.Tensor:
    """One gradient step in the unit of ``settings.lra_rule``, ``[T, h*w, D]`` -> the same."""
    if settings.lra_rule == "plain":
        return v - settings.lra_lr * gradient
    # No look at the value from here: on a GPU that would wait for everything before it.
    largest = gradient.norm(dim=-1).max().clamp(min=torch.finfo(gradient.dtype).tiny)
    token_norm = session.visual.float().norm(dim=-1).mean()
    moved: torch.Tensor = v - settings.lra_lr * token_norm / largest * gradient
    return moved
