"""How much goes into one transaction follows from how long the ones before held their locks."""

from __future__ import annotations

from backend.jobs.pace import Pace


def test_quick_transactions_become_larger_and_slow_ones_smaller() -> None:
    pace = Pace(0.025, fewest=8, most=48)
    seen = [pace.size]
    for _ in range(12):
        pace.took(pace.size, 0.01)
        seen.append(pace.size)
    assert seen == sorted(seen) and (seen[0], seen[1], seen[-1]) == (8, 10, 48)
    pace.took(48, 0.03)
    assert pace.size == 40, "as many as fit into the time"
    pace.took(40, 10.0)
    assert pace.size == 20, "one that was held up by something else does not undo everything"
    for _ in range(9):
        pace.took(pace.size, 10.0)
    assert pace.size == 8


def test_a_small_one_says_nothing_of_a_large_one() -> None:
    pace = Pace(0.025, fewest=8, most=48)
    pace.took(3, 0.001)
    assert pace.size == 8
