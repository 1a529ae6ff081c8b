"""How do numbers and moments read on the pages?"""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint

from backend.db.types import now
from backend.review.queue import video_name
from stvg_core.notice import notice

TONES = {
    "to review": "accent", "suggested": "suggestion", "accepted": "good", "rejected": "bad", "sent back": "warn",
    "sent to another": "warn", "failed": "bad", "undone": "muted",
}  # fmt: skip
"""Which colour a state or a decision has; all others have none."""

SORTS = {
    "uncertainty": "uncertainty", "disagreement": "disagreement", "versions": "model versions disagree", "age": "age",
    "annotator": "annotator",
}  # fmt: skip
"""The orders of the queue, as a person chooses among them."""

AGREE = 0.5
"""From this vIoU on two tubes agree, as those of people who leave a third apart (``backend.review.agreement``)."""

_STEPS = ((86400 * 365.25, "y"), (86400 * 7, "w"), (86400, "d"), (3600, "h"), (60, "min"))


def age(moment: datetime) -> str:
    """How long ago, in one unit: "3 d"."""
    seconds = (now() - moment).total_seconds()
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"


def moment(at: datetime) -> str:
    """A moment to the minute, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def share(value: float | None, digits: int = 2) -> str:
    """A number in [-1, 1] without its leading zero: ".87"; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def versions_agree(viou: float) -> str:
    """What model versions do, by the mean vIoU of the newest suggestion with the others: "agree: vIoU .83"."""
    return f"{'agree' if round(viou, 2) >= AGREE else 'disagree'}: vIoU {share(viou)}"


def shift(frames: int | None) -> str:
    """A shift with its sign: "+3"."""
    return "–" if frames is None else "0" if frames == 0 else f"{frames:+d}".replace("-", "−")


def seconds(value: float | None) -> str:
    """Seconds to read: "0.42 s", "95 s", "12 min"."""
    if value is None:
        return "–"
    if value >= 600:
        return f"{value / 60:.0f} min"
    return f"{value:.0f} s" if value >= 10 else f"{value:.2f} s"


def duration(value: float) -> str:
    """A long time to read, in its two largest units: "2 d 5 h", "3 h 20 min", "40 s"."""
    if value < 60:
        return f"{value:.0f} s"
    minutes = round(value / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (rest, "min")) if number]
    return " ".join(parts[:2])


def shown_frame(frame: int) -> int:
    """A frame as people read it: counted from 1, as Label Studio does; inside they count from 0."""
    return frame + 1


def tone(name: str) -> str:
    """The colour class of a state, "plain" for one without."""
    return TONES.get(name, "plain")


def install(blueprint: Blueprint) -> None:
    """Make them filters of the templates."""
    for function in (
        age,
        moment,
        share,
        versions_agree,
        shift,
        seconds,
        duration,
        tone,
        video_name,
        notice,
        shown_frame,
    ):
        blueprint.add_app_template_filter(function)
