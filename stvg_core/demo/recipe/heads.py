"""Dense heads: linear read-outs per cell that exist during training only."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from stvg_core.demo.recipe.architecture import WIDTH
from stvg_core.demo.recipe.cells import IGNORE, NOTHING
from stvg_core.demo.scenes import COLOURS, SHAPES


class TrainingHeads(nn.Module):
    """All heads: ``look`` reads the projected vision tokens, ``motion`` and ``kept`` the lower layers' states."""

    def __init__(self) -> None:
        super().__init__()
        self.look = LookHeads()
        self.motion = MotionHeads()
        self.kept = LookHeads()


class LookHeads(nn.Module):
    """Colour, shape and geometry of the object in a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = nn.Linear(WIDTH, len(COLOURS) + 1)
        self.shape = nn.Linear(WIDTH, len(SHAPES) + 1)
        self.place = nn.Linear(WIDTH, 4)

    def loss(self, tokens: torch.Tensor, truth: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        """``tokens`` (..., 36, width) against the cells' truth; also accuracies on the cells that show an
        object.
        """
        colour, shown_colour = _classes(self.colour(tokens), truth["colour"], len(COLOURS))
        shape, shown_shape = _classes(self.shape(tokens), truth["shape"], len(SHAPES))
        shown = (truth["colour"] != len(COLOURS)) & (truth["colour"] != IGNORE)
        place = functional.smooth_l1_loss(self.place(tokens)[shown], truth["place"][shown], beta=0.1)
        return colour + shape + 2 * place, {"colour": shown_colour, "shape": shown_shape, "place": place.item()}


class MotionHeads(nn.Module):
    """Action and change since the frame before; the first frame has no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.action = nn.Linear(WIDTH, NOTHING + 1)
        self.change = nn.Linear(WIDTH, 3)

    def loss(self, tokens: torch.Tensor, truth: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        """``tokens`` (B, T, 36, width)."""
        tokens, action, change = tokens[:, 1:], truth["action"][:, 1:], truth["change"][:, 1:]
        loss, accuracy = _classes(self.action(tokens), action, NOTHING)
        shown = (action != NOTHING) & (action != IGNORE)
        moved = functional.smooth_l1_loss(self.change(tokens)[shown], change[shown], beta=0.1)
        return loss + 2 * moved, {"cell_action": accuracy, "change": moved.item()}


def _classes(logits: torch.Tensor, truth: torch.Tensor, none: int) -> tuple[torch.Tensor, float]:
    """Cross entropy in which empty cells, the large majority, weigh a quarter; accuracy on the others."""
    weight = torch.ones(logits.shape[-1])
    weight[none] = 0.25
    loss = functional.cross_entropy(logits.flatten(0, -2), truth.flatten(), weight=weight, ignore_index=IGNORE)
    shown = (truth != none) & (truth != IGNORE)
    accuracy = (logits.argmax(-1) == truth)[shown].float().mean().item() if shown.any() else float("nan")
    return loss, accuracy
