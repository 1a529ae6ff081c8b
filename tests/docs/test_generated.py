"""The pages that are made from the program, and the drawings that are made from its import contracts."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from backend.cli.main import COMMANDS
from backend.settings import Settings
from docs.site import commands, modules, routes, variables
from docs.site.docstrings import markdown
from tests.docs.pages import ROOT, anchors, split


def _drawings() -> ModuleType:
    spec = importlib.util.spec_from_file_location("drawings", ROOT / "docs/figures/drawings.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("name", ["overview.svg", "architecture.svg"])
def test_the_drawings_are_those_of_the_contracts(name: str) -> None:
    drawn = _drawings().DRAWINGS[name]()
    stored = (ROOT / "docs/images" / name).read_text(encoding="utf-8")
    assert stored == drawn, "run: python docs/figures/drawings.py"


def test_every_layer_of_the_drawing_says_what_it_is_for() -> None:
    found = _drawings()
    assert set(found.layers()) == set(found.SAYS)
    named = {name for names, _ in found.LIBRARY for name in names.split(", ")}
    assert named <= {folder.parent.name for folder in (ROOT / "stvg_core").glob("*/__init__.py")}


def test_every_command_has_a_heading() -> None:
    page = commands.page()
    for name in COMMANDS:
        assert f"stvg-{name}" in anchors(page)
    assert "stvg-jobs-retry" in anchors(page) and "| `--accepted-only` |" in page


def test_every_route_has_a_heading_and_every_body_is_there() -> None:
    page = routes.page()
    assert "### POST /predict\n" in page and "### GET /openapi.json\n" in page and '"context"' in page
    assert len(re.findall(r"^### ", page, re.MULTILINE)) == sum(map(len, routes.described()["paths"].values()))


def test_every_setting_has_a_row_that_says_what_it_is() -> None:
    rows = re.findall(r"^\| `STVG_(\w+)` \| (.*) \| (.*) \| (.*) \|$", variables.page(), re.MULTILINE)
    assert [name.lower() for name, *_ in rows] == list(Settings.model_fields)
    silent = {name for name, *_, said in rows if not said.strip()} - {"LOG_LEVEL"}
    assert silent == set()
    assert not [row for row in rows if str(ROOT) in " ".join(row)], "a path of this machine"


def test_what_the_python_page_shows_exists_and_has_docstrings() -> None:
    page = modules.page()
    for module, names in modules.SHOWN.items():
        assert f"## {module}\n" in page
        for name in names:
            assert f"\n### {name}\n" in page
    outside = split(page)[0]
    assert ":func:" not in outside and ":meth:" not in outside and "``" not in outside
    parts = [part.partition("\n") for part in re.split(r"^#{3,5} ", outside, flags=re.MULTILINE)[1:]]
    silent = [heading for heading, _, below in parts if not below.strip()]
    assert silent == [], "names without a docstring"


def test_a_docstring_becomes_markdown() -> None:
    text = """Find :func:`a.b` with ``x``.

    >>> f(1)  # doctest: +SKIP

    Args:
        one, two: what they are,
            on two lines.
        three: ``z``.

    Raises: as :meth:`other`.
    """
    assert markdown(text) == (
        "Find `a.b` with `x`.\n\n```pycon\n>>> f(1)\n```\n\n**Args**\n\n- `one`, `two`: what they are, on two lines.\n"
        "- `three`: `z`.\n\n**Raises**: as `other`."
    )
