"""What do the routes work with?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from backend.db.engine import Database
from backend.jobs.answers import Answers


@dataclass(frozen=True)
class Services:
    """The parts that an app was made with."""

    database: Database
    model_version: str
    answers: Answers


def services() -> Services:
    """Those of the app that answers the present request."""
    return cast(Services, current_app.extensions["stvg"])
