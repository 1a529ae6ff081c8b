"""Which projects are known, and what are their interfaces? Label Studio's, and local ones (``stvg prelabel``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from backend.addresses import same_place
from backend.db.engine import insert_once
from backend.db.errors import UnknownProject
from backend.db.tables import Base, Event, Project
from backend.db.types import plain

_TABLE = Base.metadata.tables[Project.__tablename__]
_INTERFACE = select(_TABLE.c.label_config).where(_TABLE.c.id == bindparam("project"))
_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)


def register(
    session: Session,
    project_id: int,
    label_config: str,
    hostname: str | None = None,
    label_studio_url: str | None = None,
) -> None:
    """Know a project and its present interface; events that came before it was known are looked at again.

    Args:
        hostname: what Label Studio calls itself; None leaves what is known.
        label_studio_url: where that Label Studio was when the project was connected; None where nobody said it.
    """
    label_config = plain(label_config)
    named = {"hostname": hostname, "label_studio_url": label_studio_url} if hostname else {}
    if insert_once(session, Project, "id", id=project_id, label_config=label_config, **named):
        waiting = (Event.project_id == project_id) & (Event.state == "unknown_project")
        session.execute(update(Event).where(waiting).values(state="new", reason=None))
        return
    project = session.get_one(Project, project_id)
    if label_config and project.label_config != label_config:
        project.label_config = label_config
    for column, value in named.items():
        if getattr(project, column) != value:
            setattr(project, column, value)


def interface(session: Session, project_id: int) -> str | None:
    """The interface that is known of a project, None for an unknown project."""
    return session.scalars(_INTERFACE, {"project": project_id}).one_or_none()


def says_new(
    session: Session, project_id: int, label_config: str, hostname: str | None, label_studio_url: str | None = None
) -> bool:
    """Would :func:`register` change anything? A look that takes no lock."""
    columns = select(Project.label_config, Project.hostname, Project.label_studio_url).where(Project.id == project_id)
    known = session.execute(columns).one_or_none()
    if known is None:
        return True
    other_config = bool(label_config) and known.label_config != plain(label_config)
    named = (known.hostname, known.label_studio_url)
    return other_config or (bool(hostname) and named != (hostname, label_studio_url))


def find(session: Session, project_id: int) -> Project | None:
    """The project of this number, None where it is not known."""
    return session.get(Project, project_id)


def names_of(session: Session, addresses: Sequence[str]) -> list[str]:
    """What the Label Studio at these addresses calls itself. Names that another one may have said are left out.

    Args:
        addresses: all that are known to mean it; none: the names are of whichever it is, if it is only one.
    """
    named = names(session)
    if not addresses:
        return sorted({name for name, _ in named}) if len({where for _, where in named}) == 1 else []
    mine = {name for name, where in named if where is not None and any(same_place(where, one) for one in addresses)}
    return sorted(mine)


def names(session: Session) -> list[tuple[str, str | None]]:
    """What any Label Studio calls itself, with the address that it was connected under; None where nobody said it."""
    columns = select(Project.hostname, Project.label_studio_url).distinct().order_by(Project.hostname)
    return [(name, where) for name, where in session.execute(columns).tuples() if name]


def compared_until(session: Session, project_id: int) -> datetime | None:
    """What was saved in Label Studio before this moment (by its clock) is known here; None before the first time."""
    return session.scalar(select(Project.compared_until).where(Project.id == project_id))


def note_compared(session: Session, project_id: int, until: datetime) -> None:
    """A comparison has ended. Where two ran, the later moment stays."""
    older = Project.compared_until.is_(None) | (Project.compared_until < until)
    session.execute(update(Project).where(Project.id == project_id, older).values(compared_until=until))


def titles(session: Session) -> list[tuple[int, str | None]]:
    """The numbers of all known projects with the titles of the local ones, in order."""
    return list(session.execute(select(Project.id, Project.title).order_by(Project.id)).tuples())


def in_label_studio(session: Session) -> list[int]:
    """The numbers of those that Label Studio has, in order: it knows nothing of local ones."""
    return list(session.scalars(select(Project.id).where(Project.id > 0).order_by(Project.id)))


def local(session: Session, title: str, label_config: str) -> Project:
    """The local project of this title, made where there is none; it gets the next free negative number.

    Args:
        label_config: the interface of a new one.

    Raises:
        UnknownProject: the title is empty, or could be a number.
    """
    title = plain(title).strip()
    if not title or _NUMBER.fullmatch(title):
        raise UnknownProject(f"{title!r} is no name for a local project: it needs letters, so that it is no number.")
    while (found := find_local(session, title)) is None:
        lowest = session.scalar(select(func.min(Project.id))) or 0
        # Two processes may want the same number, or the same title under two numbers: one of them looks again.
        insert_once(session, Project, "id", id=min(lowest, 0) - 1, label_config=label_config, title=title)
    return found


def find_local(session: Session, title: str) -> Project | None:
    """By title. Of two that came to have the same title at the same moment, the older one is meant."""
    mine = select(Project).where(Project.id < 0, Project.title == title)
    return session.scalars(mine.order_by(Project.id.desc()).limit(1)).first()


def number_of(session: Session, text: str) -> int:
    """The number of the project that a person names: Label Studio's number, or a local project's title or number.

    Raises:
        UnknownProject: no local project has the title.
    """
    if _NUMBER.fullmatch(text.strip()):
        return int(text)
    found = find_local(session, plain(text).strip())
    if found is None:
        known = session.scalars(select(Project.title).where(Project.id < 0).order_by(Project.title).limit(20))
        names = ", ".join(f'"{title}"' for title in known)
        raise UnknownProject(
            f'No local project is called "{text}"'
            + (f"; there are {names}." if names else ", and there is none at all.")
            + " A project of Label Studio is named by its number."
        )
    return found.id
