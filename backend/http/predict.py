"""``/setup`` and ``/predict``, as Label Studio 1.23.2 asks them."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from backend.db import projects
from backend.http.body import parse_json, raw_body
from backend.http.errors import UnknownProject
from backend.http.services import services
from backend.labelstudio.asking import drawn_regions
from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import PayloadError, asked_sentence, own_name, parse_predict, parse_setup

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
        read_config(request.schema)
    hostname = own_name(request.hostname)
    if not _is_known(request.project_id, request.schema, hostname):
        with services().database.write() as session:
            projects.register(session, request.project_id, request.schema, hostname=hostname)
    return jsonify(model_version=services().model_version)


@blueprint.post("/predict")
def predict() -> Response:
    """One entry per task; an empty list makes Label Studio store nothing and ask again later."""
    request = parse_predict(parse_json(raw_body()))
    if request.project_id is None:
        raise PayloadError('"project" is missing.')
    with services().database.read() as session:
        project = projects.find(session, request.project_id)
        stored = "" if project is None else project.label_config
    if project is None:
        raise UnknownProject(request.project_id)
    label_config = request.label_config or stored
    config = read_config(label_config)
    if label_config != stored:
        with services().database.write() as session:
            projects.register(session, request.project_id, label_config)
    answers = services().answers
    model_version = answers.model_version
    if not request.interactive:
        results: list[object] = list(answers.for_tasks(request.project_id, config, request.tasks))
        return jsonify(results=results, model_version=model_version)
    sentence, regions = asked_sentence(request.context, config), drawn_regions(request.context, config)
    if sentence is None and not regions:
        return jsonify(results=[{"result": []} for _ in request.tasks], model_version=model_version)
    found = [answers.for_question(request.project_id, config, task, sentence, regions) for task in request.tasks[:1]]
    return jsonify(results=found, model_version=model_version)


def _is_known(project_id: int, label_config: str, hostname: str | None) -> bool:
    """Has the project said all of this before? Label Studio says it again whenever somebody looks at its settings."""
    with services().database.read() as session:
        project = projects.find(session, project_id)
    if project is None:
        return False
    return label_config in ("", project.label_config) and hostname in (None, project.hostname)
