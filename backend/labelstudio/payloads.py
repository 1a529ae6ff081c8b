"""What crosses the wire. Is a request from Label Studio well formed, and is what we push to it?

Label Studio validates no pushed prediction: a bad row is dropped or stored in silence, or breaks the whole project's
export later. So everything is checked here first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.addresses import AddressError, is_loopback, origin, without_secrets
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.result import KEYFRAME_KEYS
from backend.labelstudio.values import LARGEST_ID, PayloadError, check_body, check_regions, kept, number_of

__all__ = ["PayloadError"]


@dataclass(frozen=True)
class TaskPayload:
    """A task as ``/predict`` carries it.

    Attributes:
        problem: why its data could not be kept as they came; they are here as far as they can be.
    """

    id: int
    data: dict[str, Any]
    predictions: tuple[dict[str, Any], ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class PredictRequest:
    """Body of ``POST /predict``. ``context`` is set when an annotator asks from the page, None otherwise."""

    tasks: tuple[TaskPayload, ...]
    project_id: int | None
    label_config: str
    context: dict[str, Any] | None

    @property
    def interactive(self) -> bool:
        return self.context is not None


WHERE = "label_studio_url"
"""The key in a model backend's extra parameters under which ``stvg connect`` says where it found Label Studio."""


@dataclass(frozen=True)
class SetupRequest:
    """Body of ``POST /setup``. The token is the project creator's own: never logged, never stored in clear.

    ``label_studio_url`` is where ``stvg connect`` called this Label Studio; None where it was not connected so.
    """

    project_id: int | None
    schema: str
    hostname: str
    access_token: str = field(repr=False)
    label_studio_url: str | None = None


def parse_predict(body: object) -> PredictRequest:
    """Read ``/predict``; raises PayloadError.

    Whether the tasks' data can be kept is looked at here, task by task. To an annotator's own question, about one task,
    it is an error; of a batch, the task has it as its ``problem``.
    """
    fields = mapping(body, "the request")
    tasks = fields.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        raise PayloadError('"tasks" must be a list with at least one task.')
    params = mapping(fields.get("params") or {}, '"params"')
    context = params.get("context")
    return PredictRequest(
        tasks=tuple(_task(task, position, strict=context is not None) for position, task in enumerate(tasks)),
        project_id=project_number(fields.get("project")),
        label_config=text(fields.get("label_config"), '"label_config"'),
        context=None if context is None else mapping(context, '"params.context"'),
    )


def parse_setup(body: object) -> SetupRequest:
    """Read ``/setup``; raises PayloadError."""
    fields = mapping(body, "the request")
    if fields.get("project") is None:
        raise PayloadError('"project" is missing.')
    return SetupRequest(
        project_id=project_number(fields["project"]),
        schema=text(fields.get("schema"), '"schema"'),
        hostname=text(fields.get("hostname"), '"hostname"'),
        access_token=text(fields.get("access_token"), '"access_token"'),
        label_studio_url=_connected_at(fields.get("extra_params")),
    )


def _connected_at(extra_params: object) -> str | None:
    """What ``stvg connect`` left there; anything may stand there where somebody else made the model backend."""
    if isinstance(extra_params, str):
        try:
            extra_params = json.loads(extra_params)
        except (ValueError, RecursionError):
            return None
    url = extra_params.get(WHERE) if isinstance(extra_params, dict) else None
    try:
        origin(url if isinstance(url, str) else "")
    except AddressError:
        return None
    return without_secrets(str(url)).rstrip("/")


def own_name(hostname: str) -> str | None:
    """What Label Studio calls itself, where that holds on other machines.

    Without LABEL_STUDIO_HOST it sends http://localhost:8080, whatever its port, and writes that into no task.
    """
    try:
        _, host, _ = origin(hostname)
    except AddressError:
        return None
    return None if is_loopback(host) else without_secrets(hostname).rstrip("/")


def asked_sentence(context: Mapping[str, Any] | None, config: LabelConfig) -> str | None:
    """The sentence that an annotator typed into the smart TextArea, None where the context holds none."""
    for region in _context_regions(context):
        if region.get("type") != "textarea" or region.get("from_name") == config.counts_name:
            continue
        if config.ask_name in (None, region.get("from_name")):
            texts = region["value"].get("text") if isinstance(region.get("value"), dict) else None
            lines = texts if isinstance(texts, list) else [texts]
            return next((line for line in reversed(lines) if isinstance(line, str) and line), None)
    return None


def drawn_boxes(context: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The box regions that an annotator sent along with the question."""
    return [region for region in _context_regions(context) if region.get("type") == "videorectangle"]


def validate_prediction(payload: object, config: LabelConfig) -> None:
    """Check a body for ``POST /api/predictions``; raises PayloadError with the first thing that is wrong."""
    fields = mapping(payload, "the prediction")
    if not _is_int(fields.get("task")):
        raise PayloadError('A prediction needs the number of its "task".')
    if not isinstance(fields.get("model_version"), str) or not fields["model_version"]:
        raise PayloadError('A prediction needs a "model_version", or Label Studio asks for it again and again.')
    _unit_number(fields.get("score"), '"score"')
    result = fields.get("result")
    if not isinstance(result, list):
        raise PayloadError('"result" must be a list of regions.')
    seen: set[str] = set()
    lines: set[str] = set()
    for region in result:
        entry = mapping(region, "a region")
        region_id = entry.get("id")
        # A line is no region: it stands with the region whose id it has.
        known = lines if entry.get("type") == "textarea" else seen
        if not isinstance(region_id, str) or not region_id or region_id in known:
            raise PayloadError(f"Every region needs an id of its own, got {region_id!r}.")
        known.add(region_id)
        _check_region(entry, config)
    if lines - seen:
        raise PayloadError(f"A line of text is for a region, and none is called {min(lines - seen)!r}.")


def mapping(value: object, what: str) -> dict[str, Any]:
    """``value`` as a JSON object, or PayloadError."""
    if not isinstance(value, dict):
        raise PayloadError(f"{what[:1].upper()}{what[1:]} must be a JSON object.")
    return value


def text(value: object, what: str) -> str:
    """``value`` as a string ("" for null), or PayloadError."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PayloadError(f"{what} must be text.")
    return value


def project_number(value: object) -> int | None:
    """The id in Label Studio's ``"<id>.<creation time>"`` (or a plain number), None where there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        head = value.split(".", 1)[0]
        digits = head.isascii() and head.isdigit() and len(head) <= len(str(LARGEST_ID))
        value = int(head) if digits else head
    return number_of(value, '"project"')


def _task(value: object, position: int, *, strict: bool) -> TaskPayload:
    fields, problem = mapping(value, f"task {position + 1} of the request"), None
    number = number_of(fields.get("id"), f'"id" of task {position + 1} of the request')
    try:
        check_body(value, ("tasks", position))
    except PayloadError as error:
        if strict:
            raise
        fields, problem = kept(fields), str(error)
    predictions = fields.get("predictions")
    return TaskPayload(
        id=number,
        data=mapping(fields.get("data"), f'"data" of task {number}'),
        predictions=tuple(e for e in predictions if isinstance(e, dict)) if isinstance(predictions, list) else (),
        problem=problem,
    )


def _context_regions(context: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    result = (context or {}).get("result")
    regions = [region for region in result if isinstance(region, dict)] if isinstance(result, list) else []
    return check_regions(regions, "the question", labels=False)


def _check_region(region: Mapping[str, Any], config: LabelConfig) -> None:
    if region.get("to_name") != config.video_name:
        raise PayloadError(f'Region {region["id"]} is for "{region.get("to_name")}", not "{config.video_name}".')
    kind, value = region.get("type"), mapping(region.get("value"), f"the value of region {region['id']}")
    known = {
        "videorectangle": config.box_name,
        "timelinelabels": config.timeline_name,
        "choices": config.verdict_name,
        "textarea": config.counts_name,
    }
    if kind not in known or region.get("from_name") != known[kind]:
        raise PayloadError(f'The interface has no "{region.get("from_name")}" for a {kind} region.')
    if kind == "videorectangle":
        _check_boxes(value, config)
    elif kind == "timelinelabels":
        _check_values(value.get("timelinelabels"), config.timeline_labels, "timeline label")
        _check_ranges(value.get("ranges"))
    elif kind == "textarea":
        if not (isinstance(texts := value.get("text"), list) and texts and all(isinstance(t, str) for t in texts)):
            raise PayloadError('A line of text needs "text", a list of strings.')
    else:
        _check_values(value.get("choices"), config.verdicts, "verdict")


def _check_boxes(value: Mapping[str, Any], config: LabelConfig) -> None:
    if "labels" in value:
        _check_values(value["labels"], config.labels, "label")
    sequence, count = value.get("sequence"), value.get("framesCount")
    if not _is_int(count) or not isinstance(sequence, list) or not sequence:
        raise PayloadError('A box region needs "framesCount" and at least one keyframe in "sequence".')
    assert isinstance(count, int)
    before = 0
    for entry in sequence:
        keyframe = mapping(entry, "a keyframe")
        missing = [key for key in KEYFRAME_KEYS if key not in keyframe]
        if missing:
            raise PayloadError(f"A keyframe lacks {', '.join(missing)}.")
        frame = keyframe["frame"]
        if not _is_int(frame) or not before < frame <= count:
            raise PayloadError(f"Keyframes must rise within frames 1 to {count}, got {frame!r} after {before}.")
        before = frame
        if not isinstance(keyframe["enabled"], bool):
            raise PayloadError('"enabled" of a keyframe must be true or false.')
        for key in ("x", "y", "width", "height", "rotation", "time"):
            _finite(keyframe[key], f'"{key}" of the keyframe at frame {frame}')
        for corner, size in (("x", "width"), ("y", "height")):
            low, high = keyframe[corner], keyframe[corner] + keyframe[size]
            if low < -0.001 or high > 100.001 or keyframe[size] < 0:
                raise PayloadError(f"The box at frame {frame} leaves the picture.")
    if sequence[-1]["enabled"]:
        raise PayloadError("The last keyframe must be off, or the tube is drawn to the end of the video.")


def _check_values(values: object, known: Sequence[str], what: str) -> None:
    if not isinstance(values, list) or not values or any(value not in known for value in values):
        raise PayloadError(f"The interface does not offer the {what} {values!r}.")


def _check_ranges(ranges: object) -> None:
    if not isinstance(ranges, list) or not ranges:
        raise PayloadError('A span needs "ranges".')
    for entry in ranges:
        start, end = mapping(entry, "a range").get("start"), entry.get("end")
        if not (isinstance(start, int) and isinstance(end, int) and 1 <= start <= end):
            raise PayloadError(f"A span's frames must satisfy 1 <= start <= end, got {start!r} and {end!r}.")


def _finite(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise PayloadError(f"{what} must be a finite number.")
    return float(value)


def _unit_number(value: object, what: str) -> None:
    if not 0 <= _finite(value, what) <= 1:
        raise PayloadError(f"{what} must lie between 0 and 1.")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
