"""How long do the commands take that read everything, and how much memory?"""

from __future__ import annotations

from typing import Any

from benchmarks.scale.label_studio import TOKEN, label_studio, pages
from benchmarks.scale.target import Target

EXPORTS = {
    "hcstvg1": ["--format", "hcstvg1"],
    "labelstudio": ["--format", "labelstudio"],
    "suggestions": ["--format", "hcstvg1", "--suggestions"],
}


def export(target: Target) -> dict[str, Any]:
    """Two formats of all labels, and the suggestions."""
    found: dict[str, Any] = {}
    for name, options in EXPORTS.items():
        out = target.folder / f"export-{name}"
        ran = target.code.run(["export", *options, "--out", str(out), "--overwrite"], limit=target.limit).check()
        found[name] = ran.figures() | {"written_mb": round(out.stat().st_size / 1e6, 1) if out.is_file() else 0.0}
    return found


def effort(target: Target) -> dict[str, Any]:
    """``stvg report effort`` over all corrections."""
    ran = target.code.run(["report", "effort", "--json"], limit=target.limit).check()
    return ran.figures()


def reconcile(target: Target) -> dict[str, Any]:
    """``stvg sync`` against a Label Studio that holds nothing new: the first time, and once more after that."""
    before, every = target.count("annotation"), len(pages(target.tasks, target.model_version))
    with label_studio(target.tasks, target.model_version) as served:
        code = target.code.with_env(STVG_LABEL_STUDIO_URL=served.url, STVG_LABEL_STUDIO_TOKEN=TOKEN)
        ran = code.run(["sync"], limit=target.limit).check()
        read = served.pages
        again = None if ran.over else code.run(["sync"], limit=target.limit).check()
    added = target.count("annotation") - before
    if added:
        raise RuntimeError(f"there was nothing new, but {added} versions were added: {ran.output}")
    once_more = {} if again is None else {"again_s": round(again.seconds, 2)}
    return ran.figures() | {"pages_read": read, "pages": every} | once_more
