"""The Flask app: which routes are there, and what do they work with?"""

from __future__ import annotations

from threading import Semaphore

from flask import Flask, Response, request

from backend import bootstrap
from backend.db.engine import Database
from backend.http import (
    audit_page,
    auth,
    bulk,
    csrf,
    dashboard,
    errors,
    export_page,
    footage,
    health,
    layout,
    login,
    metrics,
    openapi,
    pages,
    people,
    predict,
    request_ids,
    review,
    sessions,
    thumbnails,
    webhook,
    work,
)
from backend.http.fetching import Fetching
from backend.http.kept_pictures import KeptPictures, small_stills
from backend.http.names import Names
from backend.http.services import Services
from backend.http.stills import Stills
from backend.jobs.answers import Answers
from backend.media.decoding import open_decoding
from backend.settings import Settings, load_settings

_STILL_S = 60.0


def create_app(
    settings: Settings | None = None, *, database: Database | None = None, model_version: str | None = None
) -> Flask:
    """An app over the given settings (those of the environment by default).

    Raises:
        SettingsError: a setting cannot be read, or nobody could log in.
        ModelError: there is no such model.
    """
    settings = settings or load_settings()
    bootstrap.require_credentials(settings)
    database = database or bootstrap.open_database(settings)
    versions = bootstrap.open_versions(settings, base=model_version)
    answers = Answers(
        database,
        versions.base,
        handout_s=settings.handout_seconds,
        wait_s=settings.interactive_wait_s,
        pushes=settings.label_studio_url is not None and settings.label_studio_token is not None,
        waiters=Semaphore(max(1, settings.web_threads // 2)),
    )
    label_studio = bootstrap.open_label_studio(settings)
    media = bootstrap.open_media(settings, label_studio, database)
    # A person waits for a picture: it is given up sooner than a job is.
    patience = min(settings.decode_seconds, _STILL_S)
    stills = Stills(lambda: open_decoding(patience, settings.decode_memory_bytes, idle=0, in_all_s=patience))
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    small = KeptPictures(small_stills(settings.decode_seconds, settings.decode_memory_bytes))
    app.extensions["stvg"] = Services(
        database, versions, answers, settings, media, Fetching(media), stills, small, Names(label_studio)
    )  # fmt: skip
    request_ids.install(app)
    metrics.install(app, database)
    auth.install(app, settings)
    layout.install(app, database.engine)
    sessions.install(app, settings)
    people.install(app)
    csrf.install(app)
    errors.install(app)
    pages_ = (login, export_page, audit_page, review, footage, work, dashboard, bulk, thumbnails)
    for module in (health, predict, webhook, metrics, openapi, *pages_):
        app.register_blueprint(module.blueprint)

    @app.after_request
    def harden(response: Response) -> Response:
        pages.harden(request, response)
        return response

    return app
