"""Can the pages be read? The contrast of every text colour on every ground, light and dark (WCAG 2.1)."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from backend import http

STATIC = Path(http.__path__[0]) / "static"
CSS = (STATIC / "style.css").read_text()
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)
)
TEXTS = ("text", "muted", "accent", "suggestion", "correction", "consensus", "good", "warn", "bad")
GROUNDS = ("bg", "surface", "raised")


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_knows_black_and_white() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21) and contrast("#777777", "#ffffff") == pytest.approx(
        4.48, abs=0.01
    )


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(colours: dict[str, str]) -> None:
    assert colours.keys() >= {*TEXTS, *GROUNDS, "on-strong", "line", "edge"}
    pairs = [*product(TEXTS, GROUNDS), *product(("on-strong",), ("accent", "good", "bad"))]
    low = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert not {pair: value for pair, value in low.items() if value < 4.5}
    assert all(contrast(colours["edge"], colours[ground]) >= 3 for ground in ("bg", "surface")), "borders of controls"


def test_every_colour_is_named_once() -> None:
    """A colour written elsewhere would have no dark counterpart."""
    outside = re.sub(r":root \{.*?\}", "", CSS, flags=re.S)
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", outside)
    assert set(re.findall(r"var\(--([\w-]+)\)", CSS)) <= {*LIGHT, "radius", "shadow", "mono"}


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "a name, not an address")
        assert "://" not in text and "@import" not in text and "url(" not in text, path.name
