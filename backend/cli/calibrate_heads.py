"""``stvg calibrate --heads``: which attention heads would have found the corrected intervals better?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from backend.bootstrap import open_grounder, open_label_studio, open_media
from backend.db.engine import Database
from backend.jobs.versions import Versions
from backend.settings import Settings, SettingsError


def look(
    settings: Settings, database: Database, versions: Versions, project_id: int | None,
    progress: Callable[[float], None],
) -> dict[str, Any]:  # fmt: skip
    """The report as JSON has it; nothing is written.

    Raises:
        SettingsError: the locator has no attention heads.
        ModelError: the model is missing or cannot be used.
    """
    if versions.method.locator != "attention":
        raise SettingsError(
            f"--heads chooses among attention heads, and the locator {versions.method.locator} asks for words: there "
            "are none. Set locator=attention."
        )
    from backend.jobs.head_choice import choose  # torch is imported there

    media = open_media(settings, open_label_studio(settings), database)
    found = choose(
        database, versions, media, lambda: open_grounder(settings, cache=settings.data_dir / "proposals"),
        project_id=project_id, progress=progress,
    )  # fmt: skip
    with database.read() as session:
        base = versions.present(session)
    chosen = found.chosen
    state = "would help" if chosen.adopted else "would be refused"
    heads = replace(versions.method, temporal_heads=chosen.heads) if chosen.adopted else None
    return {
        "state": state, "base": base, "model_version": None if heads is None else versions.name(heads),
        "set": None if heads is None else f"temporal_heads={','.join(chosen.heads)}", **found.to_json(),
    }  # fmt: skip


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report for a person."""
    yield f"{report['items']} corrected items of {report['videos']} videos, looked at again as {report['base']}"
    for reason, number in sorted(report["left_out"].items()):
        yield f"{number} left out: {reason}"
    if report["before"] is not None:
        low, high = report["interval"]
        yield f"first looks' m_tIoU, held out: {report['before']:.3f} before, {report['after']:.3f} after"
        yield f"gain in m_tIoU: {report['gain']:+.3f} (95 % interval {low:+.3f} to {high:+.3f} over videos)"
    for name in report["heads"]:
        share = report["stability"].get(name, 0.0)
        yield f"- head {name}: AUC {report['separation'][name]:.3f} (in {share:.0%} of the folds)"
    if report["reason"]:
        yield f"Not recommended: {report['reason']}"
        return
    yield f'These heads hold. To look with them, put {report["set"]} into STVG_SET: STVG_SET="{report["set"]}"'
    yield f"(or --set {report['set']} on commands that have it), for web and workers alike."
    yield (
        f"That is a new model version, {report['model_version']}: every video is asked again, and an adopted "
        "calibration does not hold for it."
    )
