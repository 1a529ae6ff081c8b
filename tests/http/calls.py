"""What Label Studio 1.23.2 sends, with the fields that matter here, and what is stored then."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend.db.engine import Database
from backend.db.tables import Base
from tests.db.helpers import CONFIG
from tests.http.conftest import BASIC


def predict(
    web: FlaskClient, *numbers: int, context: object = None, query: str = "the red box", project: int = 1
) -> Any:
    """The request as Label Studio sends it, with the fields that matter here."""
    tasks = [
        {
            "id": number,
            "data": {"video": "/data/local-files/?d=a.mp4", "query": query, "fps": 25},
            "meta": {},
            "is_labeled": False,
            "project": project,
            "annotations": [],
            "predictions": [],
        }
        for number in numbers
    ]
    body = {
        "tasks": tasks,
        "project": f"{project}.1795344595",
        "label_config": CONFIG,
        "params": {"login": None, "password": None, "context": context},
    }
    return web.post("/predict", json=body, auth=BASIC)


def typed(sentence: str) -> dict[str, Any]:
    """The context of a submitted smart TextArea."""
    region = {"value": {"text": [sentence]}, "id": "Ler5", "from_name": "ask", "to_name": "video", "type": "textarea"}
    return {"result": [{**region, "origin": "manual"}]}


def count(database: Database, table: type[Base]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


EVENT = {
    "action": "ANNOTATION_CREATED",
    "annotation": {"id": 8, "task": 13, "result": [], "was_cancelled": True, "updated_at": "2026-11-22T11:12:33Z"},
    "project": {"id": 1, "label_config": CONFIG, "label_config_hash": -(2**63), "control_weights": {"conf": 1.0}},
    "task": {"id": 13, "data": {"video": "/data/local-files/?d=a.mp4", "query": "i2", "fps": 25}},
}
