"""What does each route take and answer? The part of the OpenAPI description that cannot be read off the routes.

One entry per endpoint; :mod:`backend.http.openapi` adds path, method, parameters of the path, security and the answers
that every route of a kind has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backend.http.dataset import WHAT, choices
from backend.labelstudio.events import DELETED, SAVED, TRAIN
from backend.review.bulk import KINDS
from backend.review.decisions import DECISIONS, LONGEST_COMMENT, REASONS
from backend.review.queue import SORTS, STATES

Schema = dict[str, Any]

JSON, FORM, HTML = "application/json", "application/x-www-form-urlencoded", "text/html"
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer", "minimum": 0}


@dataclass(frozen=True)
class Operation:
    """One endpoint under one method.

    Attributes:
        good: the answer when all is well, by status: media type and schema.
        others: statuses that this one has beside those of its kind.
        query: parameters behind the ``?``.
        body: media type and schema of what is sent.
    """

    good: dict[int, tuple[str, Schema] | None]
    others: tuple[int, ...] = ()
    query: dict[str, Schema] = field(default_factory=dict)
    body: tuple[str, Schema] | None = None


def _object(required: str = "", **properties: Schema) -> Schema:
    found: Schema = {"type": "object", "properties": properties}
    return found | ({"required": required.split()} if required else {})


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _one_of(*values: Any) -> Schema:
    return {"enum": list(values)}


ERROR = _object("error", error=TEXT)
_PROJECT: Schema = {
    "description": "Label Studio's number of the project, alone or with the time of its creation behind a dot.",
    "anyOf": [NUMBER, {"type": "string", "pattern": r"^[0-9]{1,18}(\.[0-9]{1,18})?$"}],
}
_ANY: Schema = {"type": "object"}
_REGION = _object(
    id=TEXT, type=_one_of("videorectangle", "timelinelabels", "choices", "textarea"), from_name=TEXT, to_name=TEXT,
    value=_object(
        framesCount=NUMBER, text=_list(TEXT), labels=_list(TEXT),
        sequence=_list(_object(
            "frame x y width height", frame={"type": "integer", "minimum": 1, "maximum": 10_000},
            enabled={"type": "boolean"}, **{
                name: {"type": "number", "minimum": 0, "maximum": 100} for name in ("x", "y", "width", "height")
            },
        )),
    ),
)  # fmt: skip
_ANNOTATION = _object(
    "id result", id=NUMBER, task=NUMBER, result=_list(_REGION), was_cancelled={"type": "boolean"},
    lead_time={"type": ["number", "null"]}, completed_by={"type": ["integer", "null"], "minimum": 0},
)  # fmt: skip
_SETUP = _object("project", project=_PROJECT, schema=TEXT, hostname=TEXT, access_token=TEXT)
_PREDICT = _object(
    "project tasks", project=_PROJECT, label_config=TEXT,
    tasks=_list(_object("id data", id=NUMBER, data=_ANY), minItems=1),
    params=_object(context={"anyOf": [{"type": "null"}, _object(result=_list(_REGION))]}),
)  # fmt: skip
_EVENT = _object(
    "action", action={"anyOf": [_one_of(*sorted(SAVED | DELETED), TRAIN, "PROJECT_UPDATED"), {**TEXT, "minLength": 1}]},
    project=_object(id=NUMBER, label_config=TEXT), task=_object(id=NUMBER, data=_ANY), annotation=_ANNOTATION,
    annotations=_list(_object("id", id=NUMBER)),
)  # fmt: skip
_STATE = _object("status", status=TEXT, error=TEXT)
_SORTS = (
    "What comes first: the most uncertain suggestion; annotators who disagree most; model versions that disagree most; "
    "the longest in its state; the highest number of an annotator. Tasks without the value come last."
)
_FILTER = {
    "state": _one_of(*STATES), "project": NUMBER, "version": TEXT, "annotator": NUMBER,
    "sort": {**_one_of(*SORTS), "description": _SORTS},
    "order": _one_of("up"), "after": TEXT, "before": TEXT, "search": TEXT,
    "below": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
}  # fmt: skip
_COMPARED = {"a": TEXT, "b": TEXT}
_OF_WORK = {"project": NUMBER, "version": TEXT}
_DAYS = {"from": {**TEXT, "format": "date"}, "to": {**TEXT, "format": "date"}}
_OF_DASHBOARD = {"project": {"type": "integer"}, "annotator": NUMBER, "version": TEXT, **_DAYS}
_OF_AUDIT = {"who": TEXT, "act": TEXT, **_DAYS}
_OF_BULK = {name: _FILTER[name] for name in ("project", "version", "annotator", "after", "before", "search", "below")}
_OF_BULK["state"] = _one_of(*KINDS)
_LOGIN = _object(name=TEXT, password=TEXT, next=TEXT)
_DECISION = _object(
    "decision", decision=_one_of(*DECISIONS), reason=_one_of("", *REASONS),
    comment={**TEXT, "maxLength": LONGEST_COMMENT}, seen=NUMBER,
)  # fmt: skip
_EXPORT = _object(
    "format", format=_one_of(*choices()), project={"type": "integer"}, annotator=_list(NUMBER), split=TEXT,
    since={**TEXT, "format": "date"}, until={**TEXT, "format": "date"},
    what=_one_of(*WHAT), min_score={"type": "number", "minimum": 0, "maximum": 1},
)  # fmt: skip
_PAGE = (HTML, TEXT)
_ELSEWHERE: dict[int, tuple[str, Schema] | None] = {303: None}

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("health.health", "GET"): Operation({200: (JSON, _object("status model_class", status=TEXT, model_class=TEXT))}),
    ("health.ready", "GET"): Operation({200: (JSON, _object("status migration", status=TEXT, migration=TEXT))}),
    ("health.index", "GET"): Operation({200: (JSON, _STATE), 302: None}),
    ("health.versions", "GET"): Operation({200: (JSON, _object("versions", versions=_list(TEXT)))}),
    ("metrics.metrics", "GET"): Operation({200: ("text/plain", TEXT)}),
    ("openapi.openapi", "GET"): Operation({200: (JSON, _ANY)}),
    ("predict.setup", "POST"): Operation(
        {200: (JSON, _object("model_version", model_version=TEXT))}, body=(JSON, _SETUP)
    ),
    ("predict.predict", "POST"): Operation(
        {200: (JSON, _object("results model_version", results=_list({}), model_version=TEXT))},
        others=(404, 422), body=(JSON, _PREDICT),
    ),
    ("webhook.webhook", "POST"): Operation(
        {200: (JSON, _object("status", status=_one_of("stored", "known")))}, others=(404,), body=(JSON, _EVENT)
    ),
    ("login.login", "GET"): Operation({200: _PAGE, **_ELSEWHERE}, query={"next": TEXT}),
    ("login.login", "POST"): Operation(_ELSEWHERE, others=(401, 429), body=(FORM, _LOGIN), query={"next": TEXT}),
    ("login.logout", "POST"): Operation(_ELSEWHERE),
    ("export.page", "GET"): Operation({200: _PAGE}),
    ("export.send", "POST"): Operation(
        {200: ("application/zip", {**TEXT, "format": "binary"})}, others=(400, 507), body=(FORM, _EXPORT)
    ),
    ("audit.page", "GET"): Operation({200: _PAGE}, others=(400,), query={"before": NUMBER, **_OF_AUDIT}),
    ("audit.download", "GET"): Operation({200: ("text/csv", TEXT)}, others=(400,), query=_OF_AUDIT),
    ("dashboard.page", "GET"): Operation({200: _PAGE}, others=(400,), query=_OF_DASHBOARD),
    ("review.queue_page", "GET"): Operation({200: _PAGE}, others=(400,), query=_FILTER),
    ("review.item_page", "GET"): Operation({200: _PAGE}, others=(400, 404), query=_FILTER | _COMPARED),
    ("review.evidence", "GET"): Operation({200: (JSON, _ANY)}, others=(404,), query=_COMPARED),
    ("review.decide", "POST"): Operation(
        _ELSEWHERE, others=(400, 404, 409), body=(FORM, _DECISION), query=_FILTER
    ),
    ("review.undo", "POST"): Operation(_ELSEWHERE, others=(400, 404), query=_FILTER),
    ("review.offer", "POST"): Operation(_ELSEWHERE, others=(400, 404), query=_FILTER),
    ("bulk.preview", "GET"): Operation({200: _PAGE}, others=(400,), query=_OF_BULK),
    ("bulk.accept", "POST"): Operation(
        {200: _PAGE}, others=(400,), body=(FORM, _object("row", row=_list(TEXT))), query=_OF_BULK
    ),
    ("thumbnails.picture", "GET"): Operation(
        {200: ("image/jpeg", {**TEXT, "format": "binary"}), 202: None, 204: None}, others=(304, 404)
    ),
    ("footage.video", "GET"): Operation(
        {200: ("video/*", {**TEXT, "format": "binary"}), 206: ("video/*", {**TEXT, "format": "binary"})},
        others=(304, 404, 416),
    ),
    ("footage.frame", "GET"): Operation(
        {200: ("image/jpeg", {**TEXT, "format": "binary"})}, others=(304, 404), query={"side": NUMBER}
    ),
    ("footage.state", "GET"): Operation(
        {200: (JSON, _object("state", state=TEXT, reason={"type": ["string", "null"]}))}, others=(404,)
    ),
    ("footage.fetch", "POST"): Operation(_ELSEWHERE, others=(404,), body=(FORM, _object(task=NUMBER))),
    ("work.page", "GET"): Operation({200: _PAGE}, others=(400,), query=_OF_WORK),
    ("work.retry", "POST"): Operation(_ELSEWHERE, others=(400,), query=_OF_WORK),
    ("static", "GET"): Operation({200: ("*/*", {**TEXT, "format": "binary"})}, others=(304, 404)),
}  # fmt: skip
