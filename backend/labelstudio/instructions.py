"""What annotators are told in Label Studio. Which words are ours to change, and which are the lead's?

Our text carries a mark: a class with a digest of the words. The text that still has the words of its mark was never
edited, so a newer one may take its place. Everything else was written by somebody and stays.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from html import escape, unescape

from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import LabelConfig

_MARK = re.compile(r'class="stvg-([0-9a-f]{12})"')
_TAG = re.compile(r"<[^>]*>")


def instructions(config: LabelConfig) -> str:
    """Our instructions in HTML, with the names of the project's own interface.

    At most six lines; what the interface has no tag for is left out.
    """
    lines = "".join(f"<li><b>{escape(name)}:</b> {escape(text, quote=False)}</li>" for name, text in _lines(config))
    return f'<ol class="stvg-{_digest(lines)}">{lines}</ol>'


def ensure_instructions(client: LabelStudioClient, project_id: int, config: LabelConfig) -> list[str]:
    """Give a project our instructions where it has none, or an older text of ours that nobody edited.

    They are shown to annotators when they are first given. Whoever switches that off keeps it off.

    Returns:
        What was done, one sentence each.
    """
    # Read just now: a lead may have written some while the project was being connected.
    current = _text(client.project(project_id))
    ours = instructions(config)
    mark = _MARK.search(current)
    if not current:
        client.update_project(project_id, expert_instruction=ours, show_instruction=True)
        return ["wrote the instructions for annotators"]
    if mark is None or mark[1] != _digest(current):
        return ["the project keeps its own instructions for annotators"]
    if mark[1] == _digest(ours):
        return ["the instructions for annotators are as they should be"]
    client.update_project(project_id, expert_instruction=ours)
    return ["renewed the instructions for annotators"]


def replace_instructions(client: LabelStudioClient, project_id: int, text: str) -> list[str]:
    """Give a project a text of its own (HTML), whatever it had; what was done, one sentence each.

    It has no mark of ours, so that :func:`ensure_instructions` keeps it from then on.
    """
    current = client.project(project_id)
    if _text(current) == text.strip():
        return ["the instructions for annotators are those of the file"]
    client.update_project(project_id, expert_instruction=text.strip(), show_instruction=True)
    had = "replaced" if _text(current) else "wrote"
    return [f"{had} the instructions for annotators: those of the file"]


def _lines(config: LabelConfig) -> Iterator[tuple[str, str]]:
    label = next(iter(config.labels), None)
    match = next(iter(config.timeline_labels), None)
    absent = next((verdict for verdict in config.verdicts if verdict.lower() == "absent"), None)
    yield "Accept", "play the video once. If object, time and boxes are right, press Submit."
    if match is not None:
        yield (
            "Move an end",
            f"drag the left or right end of {match} on the timeline (out of sight? click {match} in the regions).",
        )
    yield (
        "Move a box",
        "go to the frame where it is worst, click the box's line on the timeline, drag the box or its corners.",
    )
    if config.ask_name is not None:
        yield (
            "Ask again",
            "switch on Auto-Annotation (bottom of the page), type a sentence above the video, press Enter.",
        )
    if label is not None:
        yield (
            "Draw and follow",
            "switch on Auto-Annotation, delete the wrong tube, draw a box without a label, click into it, "
            f"then click {label}.",
        )
    if absent is not None:
        yield "Absent", f'what the sentence says is not in the video: leave the tube, tick "{absent}", press Submit.'
    else:
        yield "Absent", "what the sentence says is not in the video: delete the tube, press Submit."


def _text(project: Json) -> str:
    return str(project.get("expert_instruction") or "").strip()


def _digest(html: str) -> str:
    """Of the words alone: Label Studio writes tags and entities its own way."""
    words = " ".join(unescape(_TAG.sub(" ", html)).split())
    return hashlib.sha256(words.encode()).hexdigest()[:12]
