"""Which Label Studio projects are known, and what are their interfaces?"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.db.engine import insert_once
from backend.db.tables import Event, Project
from backend.db.types import plain


def register(session: Session, project_id: int, label_config: str, *, hostname: str | None = None) -> None:
    """Know a project and its present interface; events that came before it was known are looked at again.

    Args:
        hostname: what Label Studio calls itself; None leaves what is known.
    """
    label_config = plain(label_config)
    if insert_once(session, Project, "id", id=project_id, label_config=label_config, hostname=hostname):
        waiting = (Event.project_id == project_id) & (Event.state == "unknown_project")
        session.execute(update(Event).where(waiting).values(state="new", reason=None))
        return
    project = session.get_one(Project, project_id)
    if label_config and project.label_config != label_config:
        project.label_config = label_config
    if hostname and project.hostname != hostname:
        project.hostname = hostname


def find(session: Session, project_id: int) -> Project | None:
    return session.get(Project, project_id)


def hostnames(session: Session) -> list[str]:
    """What Label Studio calls itself, as its projects said."""
    return [name for name in session.scalars(select(Project.hostname).distinct().order_by(Project.hostname)) if name]


def numbers(session: Session, *, local: bool = True) -> list[int]:
    """The numbers of all known projects, in order; without those that no Label Studio knows where ``local`` is off."""
    query = select(Project.id).order_by(Project.id)
    return list(session.scalars(query if local else query.where(Project.id >= 0)))


def compared_until(session: Session, project_id: int) -> datetime | None:
    """What was saved in Label Studio before this moment (by its clock) is known here; None before the first time."""
    return session.scalar(select(Project.compared_until).where(Project.id == project_id))


def note_compared(session: Session, project_id: int, until: datetime) -> None:
    """A comparison has ended. Where two ran, the later moment stays."""
    older = Project.compared_until.is_(None) | (Project.compared_until < until)
    session.execute(update(Project).where(Project.id == project_id, older).values(compared_until=until))
