"""``/setup`` and ``/predict``, as Label Studio 1.23.2 asks them."""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, jsonify

from backend.db import projects
from backend.http.body import parse_json, raw_body
from backend.http.errors import UnknownProject
from backend.http.services import services
from backend.jobs.answers import Answers
from backend.labelstudio.asking import drawn_regions
from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.payloads import (
    PayloadError,
    PredictRequest,
    asked_sentence,
    own_name,
    parse_predict,
    parse_setup,
)

logger = logging.getLogger(__name__)
blueprint = Blueprint("predict", __name__)


@blueprint.post("/setup")
def setup() -> Response:
    """Know the project and what Label Studio calls itself, answer with the model version.

    The project creator's access token comes along. It is not needed (the worker has a token of its own,
    ``STVG_LABEL_STUDIO_TOKEN``), so it is dropped unread: neither stored nor logged.
    """
    request = parse_setup(parse_json(raw_body()))
    if request.project_id is None:
        raise PayloadError('"project" is missing.')
    if request.schema:
        _config(request.schema)
    hostname = own_name(request.hostname)
    with services().database.read() as session:
        said = hostname, request.label_studio_url
        says_new = projects.says_new(session, request.project_id, request.schema, *said)
        model_version = services().versions.present(session)
    if says_new:  # Label Studio asks this before each /predict
        with services().database.write() as session:
            projects.register(session, request.project_id, request.schema, *said)
    return jsonify(model_version=model_version)


@blueprint.post("/predict")
def predict() -> Response:
    """One entry per task; an empty list makes Label Studio store nothing and ask again later.

    A task whose sentence or address cannot be kept as it is gets an empty list and a failed job that says why; the
    others are answered. Label Studio drops the whole batch where the answer is an error, and shows it to nobody.
    """
    request = parse_predict(parse_json(raw_body(), leave="tasks"))
    if request.project_id is None:
        raise PayloadError('"project" is missing.')
    for task in request.tasks:
        if task.problem is not None:
            logger.warning("task %d of project %d: %s", task.id, request.project_id, task.problem)
    with services().database.read() as session:
        stored = projects.interface(session, request.project_id)
        if stored is None:
            raise UnknownProject(request.project_id)
        label_config = request.label_config or stored
        config, answers = _config(label_config), services().answers(session)
        begun = None if request.interactive else answers.look(session, request.project_id, config, request.tasks)
    if label_config != stored:
        with services().database.write() as session:
            projects.register(session, request.project_id, label_config)
    if request.interactive:
        results: list[Any] = _asked(answers, request.project_id, config, request)
    else:
        results = answers.for_tasks(request.project_id, config, request.tasks, begun=begun)
    return _reply(results, answers.model_version)


def _reply(results: list[Any], model_version: str) -> Response:
    """Written task by task: one long call of the encoder would let no other thread answer meanwhile."""
    entries = ",".join([json.dumps(entry, separators=(",", ":")) for entry in results])
    body = f'{{"results":[{entries}],"model_version":{json.dumps(model_version)}}}'
    return Response(body, mimetype="application/json")


def _asked(answers: Answers, project_id: int, config: LabelConfig, request: PredictRequest) -> list[dict[str, Any]]:
    """What an annotator asks on the page, about the first task; nothing where nothing was typed or drawn."""
    sentence, regions = asked_sentence(request.context, config), drawn_regions(request.context, config)
    if sentence is None and not regions:
        return [{"result": []} for _ in request.tasks]
    return [answers.for_question(project_id, config, task, sentence, regions) for task in request.tasks[:1]]


_config = lru_cache(maxsize=64)(read_config)
"""Read once: every request carries the same text."""
