"""Is Label Studio known here under the name that people open it by?"""

from __future__ import annotations

from collections.abc import Iterator

from backend.addresses import AddressError, origin, same_machine, same_place
from backend.db import projects
from backend.doctor.finding import Finding, ok, warn
from backend.doctor.installation import Installation

ABOUT = "names"


def check(installation: Installation) -> Iterator[Finding]:
    """Is Label Studio known by the names under which people open it?"""
    settings = installation.settings
    if installation.database is None or settings.label_studio_url is None:
        return
    with installation.database.read() as session:
        said = projects.names(session)
    known = settings.label_studio_names()
    others = [(name, where) for name, where in said if not any(_same(name, one) for one in known)]
    for name, where in others:
        if where is None:
            yield warn(
                ABOUT,
                f"A Label Studio calls itself {name}, and nobody said which: videos under that name are not fetched "
                f"from {settings.label_studio_url}.",
                f"Run stvg connect again for its projects, or set STVG_LABEL_STUDIO_ALIASES={name}, if it is the same.",
            )
            continue
        if not any(same_place(where, one) for one in known):
            yield warn(
                ABOUT,
                f"A project was connected to Label Studio at {where} ({name}); this service works with "
                f"{settings.label_studio_url}, and tells projects by their numbers alone.",
                "Give that one a service and a database of its own. If it is the same one, add the address to "
                "STVG_LABEL_STUDIO_ALIASES.",
            )
            continue
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
