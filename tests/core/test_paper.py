"""Setting by setting: what the paper says, and where."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from stvg_core.paper import PAPER
from stvg_core.presets import papers, preset_values, sentence
from stvg_core.settings import GroundingSettings

OPEN = "the paper leaves it open"
SAID: dict[str, tuple[Any, str]] = {
    "locator": ("attention", "3.1, 3.2"),
    "locator_model": (OPEN, "4.1"),
    "shown_per_second": (OPEN, "4.1"),
    "shown_most": (OPEN, "4.1"),
    "shown_side": (OPEN, "4.1"),
    "n_slots": (20, "4.3, Figure 6(a); appendix 7.2"),
    "fit": (OPEN, "4.1"),
    "layers": (None, "3.1"),
    "temporal_heads": (None, "3.1"),
    "lra_steps": (1, "Table 7"),
    "lra_rule": ("plain", "Algorithm 1"),
    "lra_lr": (8.0, "Table 7"),
    "lra_guard": (False, "Algorithm 1"),
    "lra_branches": (("spatial", "temporal"), "3.3, Table 2"),
    "tas": (True, "3.4, Table 2"),
    "tas_question": ("query", "3.4, Figure 3"),
    "v_s_question": ("attribute", "3.3"),
    "proposer": ("grounding_dino", "4.1, appendix 7.2"),
    "detect_every": (10, "4.1, appendix 7.2"),
    "tracking": ("all", "4.1"),
    "detector": (OPEN, "4.1"),
    "tracker": (OPEN, "4.1, Figure 6(c)"),
    "decomposer": ("model", "appendix 7.3"),
    "decomposer_model": (OPEN, "4.1"),
    "action_subject": ("noun", "Figures 13 and 14"),
    "second_look": (False, "3.2"),
    "precision": (OPEN, "appendix 7.2"),
    "attention": ("relative", "appendix 7.2, Algorithm 1"),
    "guard": (OPEN, "Algorithm 1"),
    "role_tokens": ("gti", "3.2, Table 2"),
    "gti_rows": (OPEN, "3.2"),
    "tas_operator": (OPEN, "3.4"),
    "tas_temporal": (False, "3.4"),
    "coverage": (OPEN, "Eq. 2"),
    "ties": (OPEN, "Eq. 2"),
    "proposer_weight": (0.0, "Eq. 2"),
    "interval": ("top_k", "3.2"),
    "top_k": (7, "4.3, Figure 6(b)"),
    "centre": (OPEN, "3.2"),
    "snap_ends": (False, "3.2"),
}
FIXED = {"guard": 0.1, "gti_rows": "same", "tas_operator": "mean", "coverage": "fraction", "ties": "first"}
"""Left open by the paper, and set by its preset, so that the run is one and the same for every model."""
NAMES = [field.name for field in fields(GroundingSettings)]


def test_every_setting_has_an_entry() -> None:
    missing = set(NAMES) - set(PAPER)
    assert not missing, f"say in stvg_core/paper.py what the paper says of {missing}: its value and place, or _open"
    assert set(PAPER) == set(NAMES), "an entry of a setting that is gone"
    assert set(SAID) == set(NAMES), "this list names them all"


@pytest.mark.parametrize("name", NAMES)
def test_the_papers_value_and_its_place(name: str) -> None:
    value, where = SAID[name]
    said = PAPER[name]
    assert where in said.where or all(part in said.where for part in where.split(", "))
    if value is OPEN:
        assert not said.values and said.note and papers(name) == "open", "why it is open is said"
    else:
        assert said.values[0] == value and type(said.values[0]) is type(value)


def test_the_preset_sets_what_the_paper_names_and_nothing_else() -> None:
    named = {name: value for name, (value, _) in SAID.items() if value is not OPEN}
    other = GroundingSettings(
        n_slots=8, layers=(1,), lra_steps=0, lra_rule="token_norm", lra_lr=1.0, lra_branches=(), tas=False,
        tas_question="attribute", decomposer="rules", action_subject="phrase", second_look=True, attention="raw",
        guard=0.5, role_tokens="mean", tas_operator="max", tas_temporal=True, coverage="peak", proposer_weight=1.0,
        interval="segment", top_k=3, centre=0.1, v_s_question="sentence", detect_every=5, gti_rows="raw",
        snap_ends=True, temporal_heads=("1.0",),
    )  # fmt: skip
    assert preset_values("paper", other, {}) == named | FIXED
    GroundingSettings(**preset_values("paper", other, {}))


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_described_in_one_sentence(name: str) -> None:
    said = sentence(name)
    assert said.endswith(".") and len(said) > 15, "its docstring has an entry under Attributes"
    assert ". " not in said.replace("e.g. ", "") and "\n" not in said
