"""Of several boxes in an annotation, which one answers the task's sentence?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

Entry = TypeVar("Entry", bound=Mapping[str, Any])

RULE = (
    "Of several boxes with the first label, the suggestion's own counts, else the one that lasts longest. "
    "Boxes with a sentence of their own answer that one."
)
"""What a person reads where there are several."""

COUNTS = "Counts as the answer while it is a"
"""Beside the proposal's own box in the region list of the labelling page; the label follows."""

COUNTS_ALONE = "Counts as the answer: it is the proposal's own box."
"""The same where boxes have no labels."""

COUNTS_ELSE = "Counts only where the proposal's box is gone and this is the longest"
"""Beside a drawn box that was followed; the label follows."""

OWN_SENTENCE = "This box answers a sentence of its own: it does not count as the task's"
"""In the note of such a region; the label follows."""


def target_entry(tubes: Sequence[Entry], *, label: str | None, region_id: str | None) -> Entry | None:
    """Of several stored regions the one that answers the sentence, None where nothing is drawn.

    That is one with the interface's first ``label``; of those the suggestion's own (``region_id``); of those the
    longest as it was drawn. Objects with a sentence of their own answer that one. Where the reader of the annotation
    has said which one it is, it is that one: ends that the timeline sets do not change it.
    """

    def rank(entry: Entry) -> tuple[bool, bool, bool, int]:
        rows = entry["keyframes"]
        mine = entry.get("label") == label, entry.get("region_id") == region_id
        return bool(entry.get("target")), *mine, int(rows[-1][0]) - int(rows[0][0])

    asked = (entry for entry in tubes if entry.get("keyframes") and not entry.get("sentence"))
    return max(asked, key=rank, default=None)


def rivals(tubes: Sequence[Entry], chosen: Entry | None) -> list[Entry]:
    """The other boxes that could have been the target: of the same label, about the task's sentence."""
    if chosen is None:
        return []
    same = (e for e in tubes if e.get("keyframes") and not e.get("sentence") and e.get("label") == chosen.get("label"))
    return [entry for entry in same if entry is not chosen]
