"""Draws docs/images/overview.svg and docs/images/architecture.svg.

``python docs/figures/drawings.py`` writes them again. The layers of the backend are read from the import contracts in
pyproject.toml, the packages of the library from its folder, so the drawing cannot tell another story than the code. A
test compares the files with what is drawn here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs/images"
INK, SOFT, LINE = "#1f2937", "#4b5563", "#6b7280"
BLUE, GREEN, AMBER, GREY = "#dbeafe", "#dcfce7", "#fef3c7", "#f3f4f6"


def text(
    x: float, y: float, words: str, *, size: int = 14, bold: bool = False, color: str = INK, at: str = "middle"
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{at}" fill="{color}"{weight}>{escape(words)}</text>'
    )


def box(
    x: float, y: float, width: float, height: float, title: str, lines: Iterable[str] = (), fill: str = BLUE,
    size: int = 13,
) -> str:  # fmt: skip
    """A box with a bold title and smaller lines below it."""
    said = list(lines)
    middle = x + width / 2
    top = y + height / 2 + 5 - 9 * len(said)
    parts = [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" stroke="{LINE}"/>',
        text(middle, top, title, size=size, bold=True),
        *(text(middle, top + 18 * (at + 1), line, size=12, color=SOFT) for at, line in enumerate(said)),
    ]
    return "".join(parts)


def arrow(x1: float, y1: float, x2: float, y2: float, words: str = "", *, above: bool = True) -> str:
    ends = f'x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"'
    line = f'<line {ends} stroke="{LINE}" stroke-width="1.5" marker-end="url(#to)"/>'
    if not words:
        return line
    return line + text((x1 + x2) / 2, (y1 + y2) / 2 + (-7 if above else 16), words, size=12, color=SOFT)


def drawing(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """A whole SVG file on a light ground of its own, so that it can be read on a dark page too."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif"><title>{escape(title)}</title>\n'
        f'<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{LINE}"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def overview() -> str:
    """What the project is for, from videos and sentences to a dataset."""
    return drawing(
        960, 250, "Videos and sentences become tubes, people correct and review them, a dataset leaves",
        [
            box(20, 75, 150, 90, "Videos", ["one sentence for each", "“the man in red", "who sits down”"], GREY),
            arrow(170, 120, 215, 120),
            box(215, 75, 160, 90, "Model proposes", ["a box on every frame,", "from start to end:", "the tube"], BLUE),
            arrow(375, 120, 420, 120),
            box(420, 75, 150, 90, "Annotators correct", ["in Label Studio"], GREEN),
            arrow(570, 120, 615, 120),
            box(615, 75, 150, 90, "Reviewers decide", ["accept, reject,", "send back"], GREEN),
            arrow(765, 120, 810, 120),
            box(810, 75, 130, 90, "Dataset", ["ten formats"], GREY),
            box(215, 195, 550, 40, "Database: every prediction, correction and decision is kept", fill=AMBER),
            arrow(295, 165, 295, 193), arrow(495, 165, 495, 193), arrow(690, 165, 690, 193),
            f'<path d="M690 75 C 690 25, 295 25, 295 71" fill="none" stroke="{LINE}" stroke-width="1.5" '
            'stroke-dasharray="5 4" marker-end="url(#to)"/>',
            text(493, 28, "corrections choose better settings; no weight is trained", size=12, color=SOFT),
        ],
    )  # fmt: skip


def layers() -> list[str]:
    """The layers of the backend, the topmost first, as the import contract has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [found] = [list(contract["layers"]) for contract in contracts if contract["type"] == "layers"]
    return found


SAYS = {
    "cli": "one file per command",
    "benchmarking | demo | doctor | up": "whole runs, checks of a set-up",
    "http": "Flask: Label Studio's calls, review pages",
    "bootstrap": "settings become database, media, engine",
    "evaluation | runs": "scores; workers here or in a cluster",
    "jobs | export | importing | prelabel": "queue, worker, datasets",
    "review": "diffs, agreement, uncertainty",
    "annotations": "what an annotator left becomes one tube",
    "db | media | labelstudio | language": "tables, videos, clients",
    "settings | logs": "the only reader of the environment",
    "addresses | processes | routes": "plain helpers",
}
LIBRARY = (
    ("video", "one reader: frame i is the i-th picture a player shows"),
    ("children", "work in processes with limits"),
    ("proposals", "candidate tracks, masks, following a box"),
    ("decomposition", "attribute and action sub-queries"),
    ("mllm", "one model in front of one video"),
    ("method", "the paper: look, LRA, maps, tracks, interval"),
    ("locating", "the seam: which track, from when to when"),
    ("calibration, evaluation, datasets", "settings, measures, formats"),
    ("drawing, demo", "pictures; the embedded model and its clips"),
)


def library() -> list[tuple[str, str]]:
    """The packages of the library with what they are for; those that nobody described yet stand at the end."""
    known = {name for names, _ in LIBRARY for name in names.split(", ")}
    there = {folder.parent.name for folder in (ROOT / "stvg_core").glob("*/__init__.py")}
    further = ", ".join(sorted(there - known))
    return [*LIBRARY, *([(further, "")] if further else [])]


def architecture() -> str:
    """The way of the data above, the rooms below."""
    parts = [text(30, 34, "The way of the data", size=16, bold=True, at="start")]
    steps = [
        ("video + query", GREY), ("reader", BLUE), ("proposals", BLUE), ("locator", BLUE), ("refine", BLUE),
        ("tube + scores", BLUE), ("database", AMBER),
    ]  # fmt: skip
    for at, (name, fill) in enumerate(steps):
        x = 30 + at * 133
        parts.append(box(x, 50, 113, 44, name, fill=fill, size=12))
        if at:
            parts.append(arrow(x - 20, 72, x, 72))
    back = [
        ("export", GREY), ("review", GREEN), ("diff", AMBER), ("one tube", AMBER), ("annotation", AMBER),
        ("annotator", GREEN), ("Label Studio", GREEN),
    ]  # fmt: skip
    for at, (name, fill) in enumerate(back):
        x = 30 + at * 133
        parts.append(box(x, 124, 113, 44, name, fill=fill, size=12))
        if at:
            parts.append(arrow(x, 146, x - 20, 146))
    parts.append(arrow(30 + 6 * 133 + 56, 94, 30 + 6 * 133 + 56, 122))
    parts += [
        text(30, 212, "Rooms: who may import whom", size=16, bold=True, at="start"),
        text(30, 234, "Backend. A layer imports from layers below it only;", size=12, color=SOFT, at="start"),
        text(30, 250, "rooms that share a layer do not know each other.", size=12, color=SOFT, at="start"),
        text(585, 234, "stvg_core is a library. It imports nothing of the backend,", size=12, color=SOFT, at="start"),
        text(585, 250, "no Flask, no SQLAlchemy, no httpx.", size=12, color=SOFT, at="start"),
    ]
    for at, names in enumerate(layers()):
        y = 264 + at * 40
        parts.append(f'<rect x="30" y="{y}" width="480" height="34" rx="4" fill="{GREEN}" stroke="{LINE}"/>')
        parts.append(text(42, y + 22, names, size=12, bold=True, at="start"))
        parts.append(text(500, y + 22, SAYS.get(names, ""), size=11, color=SOFT, at="end"))
    for at, (name, said) in enumerate(library()):
        y = 264 + at * 44
        parts.append(f'<rect x="585" y="{y}" width="355" height="38" rx="4" fill="{BLUE}" stroke="{LINE}"/>')
        parts.append(text(597, y + 16, name, size=13, bold=True, at="start"))
        parts.append(text(597, y + 31, said, size=11, color=SOFT, at="start"))
    bottom = 264 + 40 * len(layers())
    parts.append(arrow(510, 440, 582, 440))
    parts.append(text(546, 430, "imports", size=11, color=SOFT))
    parts.append(text(585, 264 + 44 * len(library()) + 22, "backend.http and what it needs run without torch.", size=12,
                      color=SOFT, at="start"))  # fmt: skip
    parts.append(text(585, 264 + 44 * len(library()) + 40, "Only backend.runs.ray_cluster imports Ray.", size=12,
                      color=SOFT, at="start"))  # fmt: skip
    return drawing(970, bottom + 16, "The way of the data, and the rooms of the project with their imports", parts)


DRAWINGS = {"overview.svg": overview, "architecture.svg": architecture}

if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        (IMAGES / name).write_text(draw(), encoding="utf-8")
