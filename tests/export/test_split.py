"""A video is in one part, and in the same one for ever."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.export.errors import ExportError
from backend.export.split import Split, parse_split

HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(4000)]


def test_the_shares_hold_on_average() -> None:
    split = parse_split("train=0.8, val=0.1,test=0.1")
    parts = [split.part(sha256) for sha256 in HASHES]
    # Three standard deviations of 4000 draws.
    assert parts.count("train") / len(parts) == pytest.approx(0.8, abs=0.019)
    assert parts.count("test") / len(parts) == pytest.approx(0.1, abs=0.015)


def test_the_part_of_a_video_never_changes() -> None:
    split = parse_split("train=0.5,val=0.25,test=0.25")
    # Written down once: another answer would move videos of published datasets between their parts.
    assert "".join(split.part(sha256)[1] for sha256 in HASHES[:12]) == "eaeaaararrar"


@given(st.integers(0, 3999), st.floats(0.1, 0.8), st.floats(0.01, 0.1))
def test_more_training_never_takes_a_video_out_of_it(number: int, share: float, more: float) -> None:
    small, large = (Split((("train", s), ("test", 1 - s))) for s in (share, share + more))
    assert small.part(HASHES[number]) == "test" or large.part(HASHES[number]) == "train"


def test_an_empty_part_gets_nothing() -> None:
    split = parse_split("train=1,test=0")
    assert {split.part(sha256) for sha256 in HASHES} == {"train"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("train", "no part"),
        ("train=0.8,=0.2", "no part"),
        ("train=0.8,../test=0.2", "no part"),
        ("train=nan,test=0.2", "no part"),
        ("train=1.5,test=-0.5", "no part"),
        ("train=0.5,Train=0.5", "twice"),
        ("train=0.8,test=0.1", "sum to 0.9"),
    ],
)
def test_what_is_no_split_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ExportError, match=why):
        parse_split(text)
