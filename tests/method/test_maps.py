from __future__ import annotations

import pytest
import torch

from stvg_core.method.maps import grounding_token, pick_map, relative_attention


def test_a_sink_that_both_prompts_see_disappears() -> None:
    neutral = torch.full((1, 2, 2, 2), 0.01)
    neutral[0, 0, 0, 0] = 0.5  # the sink
    rows = neutral.clone()
    rows[0, 1, 1, 1] = 0.05  # what the question looks at
    relative = relative_attention(rows, neutral, guard=0.01)
    assert int(rows.argmax()) == 0
    assert int(relative.argmax()) == 7


def test_the_guard_is_relative_to_the_rows_scale() -> None:
    torch.manual_seed(0)
    rows, neutral = torch.rand(2, 3, 2, 2), torch.rand(2, 3, 2, 2)
    neutral[0, 0, 0, 0] = 0.0
    plain = relative_attention(rows, neutral, guard=0.1)
    assert torch.isfinite(plain).all()
    torch.testing.assert_close(relative_attention(rows * 1e-6, neutral * 1e-6, guard=0.1), plain)


def test_the_token_with_the_highest_maximum_wins_and_is_counted_from_the_end() -> None:
    rows = torch.full((3, 1, 2, 2), 0.1)
    rows[1, 0, 1, 0] = 0.9
    assert grounding_token(rows) == 1
    neutral = torch.full((4, 1, 2, 2), 0.1)  # one more token: the neutral prompt ends in a full stop
    chosen, token = pick_map(rows, neutral, attention="relative", guard=0.1, role_tokens="gti")
    assert token == 2
    assert int(chosen.argmax()) == 2
    mean, token = pick_map(rows, neutral, attention="raw", guard=0.1, role_tokens="mean")
    torch.testing.assert_close(mean, rows.mean(dim=0))
    assert token == -1


def test_more_rows_than_the_neutral_prompt_has_are_cut_from_the_front() -> None:
    rows = torch.rand(5, 1, 2, 2)
    chosen, _ = pick_map(rows, torch.ones(4, 1, 2, 2), attention="raw", guard=0.1, role_tokens="mean")
    torch.testing.assert_close(chosen, rows[1:].mean(dim=0))


@pytest.mark.parametrize(("name", "row", "token"), [("token-1", 3, 1), ("token-3", 1, 3), ("token-9", 0, 4)])
def test_a_fixed_token_is_counted_from_the_end(name: str, row: int, token: int) -> None:
    rows = torch.rand(4, 2, 2, 2)
    chosen, number = pick_map(rows, torch.ones(4, 2, 2, 2), attention="raw", guard=0.1, role_tokens=name)
    torch.testing.assert_close(chosen, rows[row])
    assert number == token


@pytest.mark.parametrize(
    ("attention", "gti_rows", "token"),
    [
        ("relative", "same", 1), ("relative", "relative", 1), ("relative", "raw", 2),
        ("raw", "same", 2), ("raw", "raw", 2), ("raw", "relative", 1),
    ],
)  # fmt: skip
def test_the_token_is_chosen_by_the_rows_that_are_asked_for(attention: str, gti_rows: str, token: int) -> None:
    """The first token looks hard at what it looks at anyway, the last one more than usual at another cell."""
    rows = torch.tensor([[0.8, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.4]]).view(2, 1, 2, 2)
    neutral = torch.tensor([[0.8, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1]]).view(2, 1, 2, 2)
    chosen, number = pick_map(
        rows,
        neutral,
        attention=attention,
        guard=0.1,
        role_tokens="gti",
        gti_rows=gti_rows,  # type: ignore[arg-type]
    )
    maps = relative_attention(rows, neutral, 0.1) if attention == "relative" else rows
    assert number == token
    assert torch.equal(chosen, maps[2 - token]), "the map is made of the rows that attention names"


def test_left_open_the_token_is_chosen_by_its_map() -> None:
    """Of two tokens, the first looks harder, and the last one harder than usual."""
    rows, neutral = torch.tensor([0.8, 0.4]).view(2, 1, 1, 1), torch.tensor([0.8, 0.1]).view(2, 1, 1, 1)
    by = {"neutral": neutral, "guard": 0.0, "role_tokens": "gti"}
    assert pick_map(rows, attention="relative", **by)[1] == 1  # type: ignore[arg-type]
    assert pick_map(rows, attention="raw", **by)[1] == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("role_tokens", ["mean", "token-1"])
def test_a_token_that_is_not_chosen_by_gti_does_not_depend_on_its_rows(role_tokens: str) -> None:
    torch.manual_seed(0)
    rows, neutral = torch.rand(3, 2, 2, 2), torch.rand(3, 2, 2, 2)
    same, raw = (
        pick_map(rows, neutral, attention="relative", guard=0.1, role_tokens=role_tokens, gti_rows=by)  # type: ignore[arg-type]
        for by in ("same", "raw")
    )
    assert torch.equal(same[0], raw[0]) and same[1] == raw[1]
