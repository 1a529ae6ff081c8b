"""Is Label Studio known here under the name that people open it by?"""

from __future__ import annotations

from collections.abc import Iterator

from backend.addresses import AddressError, origin, same_machine
from backend.db import projects
from backend.doctor.finding import Finding, ok, warn
from backend.doctor.installation import Installation

ABOUT = "names"


def check(installation: Installation) -> Iterator[Finding]:
    settings = installation.settings
    if installation.database is None or settings.label_studio_url is None:
        return
    with installation.database.read() as session:
        said = projects.hostnames(session)
    known = [settings.label_studio_url, *settings.aliases()]
    others = [name for name in said if not any(_same(name, one) for one in known)]
    for name in others:
        yield warn(
            ABOUT,
            f"Label Studio calls itself {name} (LABEL_STUDIO_HOST), and links from the review pages go to "
            f"{settings.public_label_studio_url()}.",
            f"Set STVG_LABEL_STUDIO_ALIASES={name}, if that is where people open it.",
        )
    if not others:
        yield ok(ABOUT, f"Label Studio is known as {', '.join(known)}.")


def _same(one: str, other: str) -> bool:
    try:
        return same_machine(origin(one), origin(other))
    except AddressError:
        return one == other
