"""Settings as text and as JSON, by the annotations of whatever class holds them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import pytest

from stvg_core.setting_text import NotAllowed, accept, accept_all, allowed, kinds, nearest, parse, parse_all, shown
from stvg_core.settings import GroundingSettings


@dataclass(frozen=True)
class Some:
    """Every kind of annotation that a setting may come to have."""

    whole: int = 1
    number: float = 0.5
    switch: bool = False
    word: Literal["a", "b"] = "a"
    size: Literal[1, 2] = 1
    text: str = ""
    perhaps: float | None = None
    numbers: tuple[int, ...] | None = None
    words: tuple[Literal["s", "t"], ...] = ("s",)
    pair: tuple[int, float] = (1, 0.5)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("whole", "2", 2), ("whole", " -3 ", -3), ("number", "2", 2.0), ("number", ".5", 0.5),
        ("number", "1e-3", 0.001), ("switch", "true", True), ("switch", "Yes", True), ("switch", "on", True),
        ("switch", "off", False),
        ("word", "b", "b"), ("size", "2", 2), ("text", "none", "none"), ("text", "a=b", "a=b"), ("text", "", ""),
        ("perhaps", "none", None), ("perhaps", "1.5", 1.5), ("numbers", "none", None), ("numbers", "3,4", (3, 4)),
        ("numbers", "(3, 4)", (3, 4)), ("numbers", "3", (3,)), ("words", "s,t", ("s", "t")), ("words", "", ()),
        ("pair", "2,1.5", (2, 1.5)),
    ],
)  # fmt: skip
def test_a_text_means(name: str, text: str, value: Any) -> None:
    found = parse_all(Some, [f"{name}={text}"])[name]
    assert found == value and type(found) is type(value)
    assert parse(kinds(Some)[name], shown(found)) == found, "what is shown is read as the same"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("whole", "2.0", "a whole number"), ("whole", "two", "a whole number"), ("whole", "9" * 30, "a whole number"),
        ("whole", "1_000", "a whole number"), ("number", "nan", "a number"), ("number", "inf", "a number"),
        ("number", "1e999", "a number"), ("number", "1_0", "a number"), ("switch", "2", "true or false"),
        ("word", "c", "a or b"), ("size", "3", "1 or 2"), ("perhaps", "x", "none, or a number"),
        ("numbers", "3,x", "none, or whole numbers with commas in between"), ("numbers", "3,,4", "whole numbers"),
        ("words", "s,u", "several of s or t"), ("pair", "1", "a whole number; a number with commas in between"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_with_what_is(name: str, text: str, said: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        parse_all(Some, [f"{name}={text}"])
    assert str(caught.value).startswith(f"{name}: ") and said in str(caught.value)


def test_names() -> None:
    assert parse_all(Some, ["whole=2", "word = b", "whole=2"]) == {"whole": 2, "word": "b"}
    with pytest.raises(NotAllowed, match=r"no setting 'wohle'\. The nearest: whole"):
        parse_all(Some, ["wohle=2"])
    with pytest.raises(NotAllowed, match="There are: whole, number"):
        parse_all(Some, ["zzz=2"])
    with pytest.raises(NotAllowed, match="'whole' is not NAME=VALUE"):
        parse_all(Some, ["whole"])
    with pytest.raises(NotAllowed, match="whole is set twice: 2 and 3"):
        parse_all(Some, ["whole=2", "whole=3"])
    assert nearest("Whole", ["whole", "word"]).startswith("The nearest: whole")


def test_values_from_json() -> None:
    assert accept_all(Some, {"numbers": [3, 4], "number": 8, "perhaps": None, "words": ["t"]}) == {
        "numbers": (3, 4), "number": 8, "perhaps": None, "words": ("t",),
    }  # fmt: skip
    wrong: list[tuple[str, Any]] = [
        ("whole", 2.5), ("whole", True), ("switch", 1), ("switch", "true"), ("word", "c"), ("numbers", "34"),
        ("number", float("nan")), ("numbers", [1.5]), ("text", 3), ("size", True),
    ]  # fmt: skip
    for name, value in wrong:
        with pytest.raises(NotAllowed, match=f"^{name}: "):
            accept_all(Some, {name: value})
    assert type(accept(float, 8)) is int, "digests are made of the JSON: 8 must not become 8.0"


@pytest.mark.parametrize("name", [field.name for field in fields(GroundingSettings)])
def test_every_setting_of_the_method_can_be_written_and_read(name: str) -> None:
    """A new field of the settings needs no line of its own, unless its annotation is of a new kind."""
    default = getattr(GroundingSettings(), name)
    assert parse(kinds(GroundingSettings)[name], shown(default)) == default
    assert accept(kinds(GroundingSettings)[name], default) == default
    assert allowed(kinds(GroundingSettings)[name])
