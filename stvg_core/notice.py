"""Whose answers must not be believed? One sentence for the embedded model, wherever an answer of it is shown.

It follows from the model version that is stored with the answer, so it holds for old answers too, whatever the settings
are today. Torch-free: the web process shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

DEMO_NOTICE = "demo model: knows coloured shapes only; its answers on other videos mean nothing"
"""What people read beside every answer of the embedded model."""

EMBEDDED = "llava-onevision-embedded"
"""What :func:`stvg_core.version.model_version` calls the folder of the embedded model."""

REVISIONS = frozenset({"589ea629"})
"""The weights of every embedded model that was ever part of this project: a copy under another name is known, too."""


def notice(model_version: str | None) -> str | None:
    """:data:`DEMO_NOTICE` for a version of the embedded model, None for any other and where there is none."""
    name, _, rest = (model_version or "").partition("@")
    revision = rest.partition("/")[0]
    return DEMO_NOTICE if revision and (name == EMBEDDED or revision in REVISIONS) else None


def notice_of_some(counts: Mapping[str, int], what: str) -> str | None:
    """One line over many answers: "2 of 5 predictions are of the demo model: ..."; None where none of them is.

    Args:
        counts: number of answers by model version.
        what: what they are and the verb, in the plural ("predictions are").
    """
    number = sum(count for version, count in counts.items() if notice(version))
    return f"{number} of {sum(counts.values())} {what} of the {DEMO_NOTICE}" if number else None


def notices(model_versions: Iterable[str | None]) -> list[str]:
    """Each notice once."""
    return list(dict.fromkeys(said for version in model_versions if (said := notice(version))))
