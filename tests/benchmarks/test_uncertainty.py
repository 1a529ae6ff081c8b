"""The figures of the uncertainty benchmark, on rows made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.uncertainty import spearman, summary


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 1000], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3], [1, 3, 2], 0.5),
        ([1, 1, 2, 2], [1, 2, 3, 4], 4 / math.sqrt(20)),  # ranks .5 .5 2.5 2.5 against 0 1 2 3
    ],
)
def test_rank_correlation(a: list[float], b: list[float], expected: float) -> None:
    assert spearman(np.array(a, dtype=float), np.array(b, dtype=float)) == pytest.approx(expected)


def test_what_does_not_vary_has_no_correlation() -> None:
    assert math.isnan(spearman(np.ones(3), np.arange(3.0)))


def test_a_part_that_is_not_known_is_left_out_and_quarters_begin_with_the_uncertain() -> None:
    def row(part: float, certainty: float, truth: float) -> dict[str, float]:
        return {"margin": part, "certainty": certainty, "viou": truth}

    rows = [row(0.1, 0.9, 0.8), row(math.nan, 0.2, 0.1), row(0.3, 0.4, 0.9), row(0.2, 0.6, 0.85)]
    found = summary(rows)
    assert found["margin"] == 1.0 and found["clips"] == 4
    assert found["viou_by_quarter"] == [0.1, 0.9, 0.85, 0.8]
    low, high = found["certainty_95"]
    assert low <= found["certainty"] <= high


def test_with_a_second_look_its_agreement_and_the_mean_are_held_against_the_certainty() -> None:
    def row(agreement: float, certainty: float, truth: float) -> dict[str, float]:
        return {"certainty": certainty, "agreement": agreement, "both": (agreement + certainty) / 2, "viou": truth}

    rows = [row(n / 8, 1 - n / 16, n / 8) for n in range(8)]
    found = summary(rows)
    assert (found["agreement"], found["certainty"]) == (1.0, -1.0)
    assert found["agreement_95"] == [1.0, 1.0] and found["certainty_95"] == [-1.0, -1.0]
    assert found["agreement_lead_95"] == found["both_lead_95"] == [2.0, 2.0] and found["both_95"] == [1.0, 1.0]
    assert "margin" not in found
