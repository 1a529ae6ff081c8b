"""What do the routes work with?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from flask import current_app
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.http.fetching import Fetching
from backend.http.kept_pictures import KeptPictures
from backend.http.names import Names
from backend.http.stills import Stills
from backend.jobs.answers import Answers
from backend.jobs.versions import Versions
from backend.media import MediaLibrary
from backend.settings import Settings


@dataclass(frozen=True)
class Services:
    """The parts that an app was made with."""

    database: Database
    versions: Versions
    answering: Answers
    settings: Settings
    media: MediaLibrary
    fetching: Fetching
    stills: Stills
    thumbnails: KeptPictures
    names: Names

    @property
    def model_version(self) -> str:
        """The present one, asked of the database each time: a calibration changes it without a restart."""
        with self.database.read() as session:
            return self.versions.present(session)

    def answers(self, session: Session) -> Answers:
        """What answers ``/predict`` as the present version; take it once per request."""
        return replace(self.answering, model_version=self.versions.present(session))


def services() -> Services:
    """Those of the app that answers the present request."""
    return cast(Services, current_app.extensions["stvg"])
