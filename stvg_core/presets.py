"""Settings under a name: the paper's, and the rows of the ablation.

A preset lies over a model's own (``stvg.json``) and below what is set one by one. What it does not name stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from stvg_core import setting_text
from stvg_core.errors import StvgError
from stvg_core.paper import PAPER, SLOTS
from stvg_core.settings import GroundingSettings

PAPERS = "paper"
ABLATION = "ablation:"
_MODELS_WORD = ("decomposer",)
"""A model's own preset says what it is able to do: the embedded one writes no text, so it cannot split sentences."""


class UnknownPreset(StvgError):
    """There is no preset of this name; the message says the nearest."""


def presets() -> dict[str, str]:
    """Every name with a sentence about it."""
    said = {PAPERS: "Every setting that the paper names, with the paper's value."}
    return said | {name: f'Row "{row}" of the ablation.' for name, row, _ in _steps()}


def check(name: str) -> str:
    """The name. Raises :class:`UnknownPreset` where there is no such preset."""
    if name != PAPERS and name not in (known := presets()):
        raise UnknownPreset(f"There is no preset {name!r}. {setting_text.nearest(name, known)}.")
    return name


def preset_values(name: str, below: GroundingSettings, models_own: Mapping[str, Any]) -> dict[str, Any]:
    """What a preset sets.

    Args:
        below: the settings that it lies over. Where the paper allows several values and one of them is there, it stays.
        models_own: what the model's own preset names. Who splits the sentence stays where that says it.

    Raises:
        UnknownPreset: there is no such preset.
    """
    if check(name) != PAPERS:
        return next(dict(changes) for other, _, changes in _steps() if other == name)
    found = {}
    for setting, said in PAPER.items():
        kept = setting in _MODELS_WORD and setting in models_own
        if said.taken and not kept and getattr(below, setting) not in said.taken[1:]:
            found[setting] = said.taken[0]
    return found


def scaled(settings: GroundingSettings) -> GroundingSettings:
    """The paper's K = 7 of 20 as the same share of another number of slots, at least 1."""
    return replace(settings, top_k=max(1, int(settings.top_k * settings.n_slots / SLOTS + 0.5)))  # halves go up


def papers(setting: str) -> str:
    """The paper's value in words, for a table; "" where nothing is known of the setting."""
    said = PAPER.get(setting)
    if said is None:
        return ""
    return " or ".join(setting_text.shown(value) for value in said.values) or "open"


def sentence(setting: str) -> str:
    """What a setting is, in one sentence: the first of its docstring."""
    for half in GroundingSettings.__mro__:
        for names, text in _described(half.__doc__ or ""):
            if setting in names:
                return text
    return ""


def _described(docstring: str) -> Iterator[tuple[list[str], str]]:
    """The names and the first sentence of each entry under "Attributes:"."""
    attributes = re.sub(r"\s*\n {9,}", " ", docstring.partition("Attributes:\n")[2])
    for names, text in re.findall(r"^ +([a-z_0-9, ]+): (.+)$", attributes, re.MULTILINE):
        first = re.split(r"\. (?=[A-Z])", text)[0].rstrip(".").replace("``", "`")
        yield names.split(", "), f"{first[:1].upper()}{first[1:]}."


def _steps() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, row and settings of the ablation's rows that are settings and nothing else."""
    from stvg_core.demo.ablation.steps import STEPS

    known = {field.name for field in fields(GroundingSettings)}
    for step in STEPS:
        if set(step.changes) <= known:
            yield ABLATION + "-".join(re.findall(r"[a-z0-9_]+", step.name.lower())), step.name, dict(step.changes)
