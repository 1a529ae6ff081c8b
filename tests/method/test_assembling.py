"""Two maps become one (method, stage 8), with numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from stvg_core.method.maps import assemble, consistency

FORWARD = torch.tensor([[[2.0, 0.0]], [[1.0, 1.0]]])  # of sum 4: .5, 0, .25, .25
BACKWARD = torch.tensor([[[0.2, 0.0]], [[0.0, 0.2]]])  # of sum .4: .5, 0, 0, .5


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("mean", [0.5, 0, 0.125, 0.375]),
        ("max", [0.4, 0, 0.2, 0.4]),  # .5, 0, .25, .5 of sum 1.25
        ("product", [0.5, 0, 0, math.sqrt(0.125)]),  # the roots of .25, 0, 0, .125, before they are scaled
        ("forward", [0.5, 0, 0.25, 0.25]),
    ],
)
def test_each_is_scaled_to_one_before_and_after(operator: str, expected: list[float]) -> None:
    wanted = torch.tensor(expected).view(2, 1, 2)
    torch.testing.assert_close(assemble(FORWARD, BACKWARD, operator), wanted / wanted.sum())


def test_a_map_without_light_gives_none() -> None:
    dark = torch.zeros(2, 1, 2)
    torch.testing.assert_close(assemble(dark, dark, "mean"), dark)


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError) as error:
        assemble(FORWARD, BACKWARD, "backward")
    assert str(error.value) == "unknown TAS operator 'backward'; use mean, max, product or forward"


def test_consistency_is_the_cosine_of_all_cells() -> None:
    # (2 * .2 + 1 * .2) / (sqrt(6) * sqrt(.08))
    assert consistency(FORWARD, BACKWARD) == pytest.approx(0.6 / math.sqrt(0.48))
    assert consistency(FORWARD, FORWARD * 7) == pytest.approx(1.0)
