"""How is a project named on the command line? By Label Studio's number, or by a local project's title."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Project(click.ParamType):  # type: ignore[type-arg]
    """A text that is no empty one; ``backend.db.projects.number_of`` says which project is meant."""

    name = "project"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "NUMBER_OR_TITLE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.strip():
            self.fail("name a project: Label Studio's number, or the title of a local project", param, ctx)
        return value.strip()


PROJECT = Project()


def project_number(session: Session, project: str | None) -> int | None:
    """The number of the project that was named, None where none was. Raises UnknownProject."""
    from backend.db import projects  # commands that read files alone need no database

    return None if project is None else projects.number_of(session, project)


def in_label_studio(session: Session, project: str) -> int:
    """The number of a project that Label Studio has, and that is known here.

    Raises:
        UnknownProject: no such project is known.
        SettingsError: it is a local one.
    """
    from backend.db import projects
    from backend.settings import SettingsError

    number = projects.number_of(session, project)
    if number < 0:
        raise SettingsError(
            f"Project {project} is local: Label Studio does not know it. Put it there: stvg connect --from ..."
        )
    if projects.find(session, number) is None:
        raise SettingsError(f"Project {number} is not known here. Introduce it: stvg connect --project ...")
    return number
