"""What does the paper say of each setting? (arXiv 2509.15178; sections, figures and tables are its own.)

Every setting of the method has an entry: the paper's value with the place where it stands, or that the paper leaves it
open. ``stvg settings`` prints them, and :mod:`stvg_core.presets` makes the preset "paper" of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Said:
    """What the paper says of a setting.

    Attributes:
        where: the places in the paper; of what is left open, those that come nearest to it.
        values: what agrees with the paper, what the preset takes first; empty where the paper leaves it open.
        chosen: of what is left open, the value that the preset takes so that the run is one and the same for every
            model, in a tuple; empty leaves it to the model.
        note: what is to be known of the reading, for what is left open: why.
    """

    where: str
    values: tuple[Any, ...] = ()
    chosen: tuple[Any, ...] = field(default=(), kw_only=True)
    note: str = field(default="", kw_only=True)

    @property
    def taken(self) -> tuple[Any, ...]:
        """The values that the preset leaves alone; it sets the first of them in place of any other. Empty: all."""
        return self.values or self.chosen


def _open(where: str, note: str, *chosen: Any) -> Said:
    return Said(where, note=note, chosen=chosen)


SLOTS = 20
"""Of so many the paper keeps the ``top_k`` best; with another number of slots K is scaled."""

PAPER: dict[str, Said] = {
    "locator": Said("3.1, 3.2", ("attention",), note="text-to-visual attention of the model says where and when"),
    "locator_model": _open("4.1", "its locator asks for no words"),
    "shown_per_second": _open("4.1", "as above"),
    "shown_most": _open("4.1", "as above"),
    "shown_side": _open("4.1", "as above"),
    "n_slots": Said("4.3, Figure 6(a); appendix 7.2", (SLOTS,)),
    "fit": _open("4.1", "it names the models, not how they are given frames"),
    "layers": Said("3.1, text-to-visual attention", (None,), note="the mean over all layers and heads"),
    "temporal_heads": Said("3.1, text-to-visual attention", (None,), note="the mean over all heads, in both branches"),
    "lra_steps": Said("appendix 7.2, Table 7 (N_ep)", (1,)),
    "lra_rule": Said("3.3, Algorithm 1", ("plain",)),
    "lra_lr": Said("appendix 7.2, Table 7 (lr)", (8.0,)),
    "lra_guard": Said("Algorithm 1", (False,), note="it has no such check"),
    "lra_branches": Said("3.3, Table 2 (row 5)", (("spatial", "temporal"),)),
    "tas": Said("3.4, Table 2 (row 6)", (True,)),
    "tas_question": Said("3.4, Figure 3", ("query",), note="frames and prompt are reversed, the sentence is not"),
    "v_s_question": Said("3.3, Algorithm 1", ("attribute",)),
    "proposer": Said("4.1, appendix 7.2", ("grounding_dino",), note="thresholds 0.4"),
    "detect_every": Said("4.1, appendix 7.2", (10,)),
    "tracking": Said("4.1", ("all",), note="tracks first, then the choice among them"),
    "detector": _open("4.1", "GroundingDINO; which size is not said"),
    "tracker": _open("4.1, Figure 6(c)", "SAM 2; which size is not said"),
    "decomposer": Said(
        "3.3, appendix 7.3", ("model", "endpoint"),
        note="a language model asked in context, GPT-4o there; who it is, is free",
    ),
    "decomposer_model": _open("4.1", "GPT-4o there, a service with an address and a key of its own"),
    "action_subject": Said("Figures 13 and 14", ("noun",)),
    "second_look": Said("3.2, joint inference in 3.3", (False,), note="it has none"),
    "precision": _open("appendix 7.2", "an A100; the precision is not said"),
    "attention": Said("appendix 7.2, Algorithm 1", ("relative",)),
    "guard": _open("Algorithm 1", "it divides, and says nothing of cells that the neutral prompt ignores", 0.1),
    "role_tokens": Said("3.2, Table 2 (row 2)", ("gti",)),
    "gti_rows": _open("3.2", "whether raw or relative attention chooses the token is not said", "same"),
    "tas_operator": _open("3.4", "the two maps are assembled; how is not said", "mean"),
    "tas_temporal": Said("3.4", (False,), note="the spatial branch alone"),
    "coverage": _open("3.2, Eq. 2", "a box becomes a binary mask; a cell covered in part is not spoken of", "fraction"),
    "ties": _open("3.2, Eq. 2", "the largest attention decides; two of the same are not spoken of", "first"),
    "proposer_weight": Said("3.2, Eq. 2", (0.0,), note="the largest attention alone decides"),
    "interval": Said("3.2", ("top_k",)),
    "top_k": Said("4.3, Figure 6(b)", (7,), note=f"7 of {SLOTS} frames; as large a share of fewer or more"),
    "centre": _open("3.2", "it belongs to our interval rule, which is not the paper's"),
    "snap_ends": Said("3.2", (False,), note="the attention alone sets the ends"),
}  # fmt: skip
