"""``/webhook`` as Label Studio 1.23.2 calls it: what comes is kept at once and read later."""

from __future__ import annotations

import threading
from threading import Thread
from typing import Any

from flask.testing import FlaskClient

from backend.db.engine import Database
from tests.http.calls import EVENT, predict
from tests.http.conftest import BASIC
from tests.jobs.conftest import make_loop


def test_the_webhook_answers_while_the_worker_grounds(
    connected: FlaskClient, sqlite_database: Database, tmp_path: Any
) -> None:
    """Label Studio waits one second and never sends again: the answer must not wait for the worker."""
    predict(connected, 1)
    loop = make_loop(sqlite_database, tmp_path)
    begun, go_on, ground = threading.Event(), threading.Event(), loop.engine.ground

    def held(path: Any, query: str, progress: Any) -> Any:
        begun.set()
        go_on.wait()
        return ground(path, query, progress)

    loop.engine.ground = held  # type: ignore[method-assign]
    working = Thread(target=loop.worker.drain)
    working.start()
    begun.wait()
    assert connected.post("/webhook", json=EVENT, auth=BASIC).status_code == 200
    go_on.set()
    working.join()
    assert loop.job().state == "done"
