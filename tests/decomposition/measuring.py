"""How well do the rules do on the hand-labelled sentences? Prints the table of ``docs/decomposition.md``:

python -m tests.decomposition.measuring
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from stvg_core.decomposition.rules import decompose
from stvg_core.settings import ActionSubject

LABELLED = Path(__file__).parent / "labelled_100.json"
SOURCES = {
    "hcstvg": "HC-STVG v2 sentences",
    "vidstg_caption": "VidSTG captions",
    "vidstg_question": "VidSTG questions",
}


@dataclass(frozen=True)
class Labelled:
    """A real sentence with the attribute phrases and action sentences that a person accepts for it.

    ``phrase`` holds the action sentences that name their subject by the whole phrase, where they are others.
    """

    source: str
    sentence: str
    attribute: list[str]
    action: list[str]
    phrase: list[str] | None = None

    def actions(self, action_subject: ActionSubject) -> list[str]:
        return self.phrase if self.phrase is not None and action_subject == "phrase" else self.action


def labelled() -> list[Labelled]:
    return [Labelled(**row) for row in json.loads(LABELLED.read_text(encoding="utf-8"))]


def normalised(text: str) -> str:
    """Words only, lower case: commas, capitals and the spaces of tokenised annotations do not count."""
    return " ".join(re.findall(r"[\w'’-]+", re.sub(r"\s+(?=['’]s\b)", "", text).lower()))


def counts(action_subject: ActionSubject = "noun") -> dict[str, Counter[str]]:
    """Per source: ``sentences``, and how many have a sensible attribute, action, both, or fell back to the whole."""
    found: dict[str, Counter[str]] = {source: Counter() for source in SOURCES}
    for row in labelled():
        parts = decompose(row.sentence, action_subject)
        attribute = parts.found and normalised(parts.attribute) in map(normalised, row.attribute)
        action = parts.found and normalised(parts.action) in map(normalised, row.actions(action_subject))
        found[row.source].update(
            sentences=1, attribute=attribute, action=action, both=attribute and action, whole=not parts.found
        )
    return found


def table() -> str:
    """Markdown, one row per source."""
    lines = [
        "| source | sentences | attribute sensible | action sensible | both | whole sentence used |",
        "|---|---|---|---|---|---|",
    ]
    total: Counter[str] = Counter()
    for source, count in counts().items():
        total.update(count)
        lines.append(_row(SOURCES[source], count))
    return "\n".join([*lines, _row("all", total)])


def _row(name: str, count: Counter[str]) -> str:
    shares = (f"{count[key] / count['sentences']:.0%}" for key in ("attribute", "action", "both", "whole"))
    return f"| {name} | {count['sentences']} | {' | '.join(shares)} |"


if __name__ == "__main__":
    print(table())
