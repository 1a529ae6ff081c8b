"""``/review/videos``: the bytes and the single pictures of a stored video, where this machine has it.

Only videos that belong to a task known here are given, and only while the file is still the one that was grounded.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, abort, jsonify, make_response, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue
from PIL import Image
from sqlalchemy import func, select

from backend.db.tables import Task, Video
from backend.http import people
from backend.http.audit import record
from backend.http.errors import answer
from backend.http.fetching import Fetching
from backend.http.services import services
from backend.http.stills import StillsBusy
from backend.media import MediaError, MediaFile
from stvg_core.errors import VideoError
from stvg_core.tube import VideoInfo

blueprint = Blueprint("footage", __name__)

HERE, FETCHING, AWAY, FAILED = "here", "being fetched", "away", "failed"
_NOT_HERE = "The video is not on this machine yet. Let it be fetched on the page of its task."
_CACHE = "private, max-age=31536000, immutable"
_SMALLEST, _LARGEST = 32, 1920
_LAST_ROW = 2**31 - 1
_QUALITY = 85


@blueprint.get("/review/videos/<int:video_id>")
@people.require("annotator")
def video(video_id: int) -> ResponseReturnValue:
    """The file, whole or in ranges; 404 with the reason where it is not here."""
    file = file_of(video_id)
    if isinstance(file, str):
        return answer(file, 404)
    response = send_file(
        file.path, mimetype=media_type(file.path), conditional=True, etag=file.sha256, max_age=None,
        download_name=file.path.name,
    )  # fmt: skip
    response.headers["Cache-Control"] = "private, no-cache"  # asked again each time, answered by the content's hash
    return response


@blueprint.get("/review/videos/<int:video_id>/frames/<int:number>.jpg")
@people.require("annotator")
def frame(video_id: int, number: int) -> ResponseReturnValue:
    """One picture, 0-based; ``?side=160`` shrinks its longer side."""
    side = request.args.get("side", _LARGEST, type=int)
    side = min(max(side, _SMALLEST), _LARGEST)
    file = file_of(video_id)
    if isinstance(file, str):
        return answer(file, 404)
    response = make_response()
    response.set_etag(f"{file.sha256}-{number}-{side}")
    response.headers["Cache-Control"] = _CACHE
    if request.if_none_match.contains(f"{file.sha256}-{number}-{side}"):
        return response.make_conditional(request)
    info = info_of(video_id, file.path)
    if number >= info.n_frames:
        return answer(f"The video has {info.n_frames} frames; they count from 0.", 404)
    try:
        pixels = services().stills.picture(info, number, side)
    except StillsBusy as error:
        busy = answer(str(error), 503)
        busy.headers["Retry-After"] = "2"
        return busy
    except VideoError as error:
        return answer(str(error), 404)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=_QUALITY)
    response.set_data(written.getvalue())
    response.mimetype = "image/jpeg"
    return response


@blueprint.get("/review/videos/<int:video_id>/state.json")
@people.require("annotator")
def state(video_id: int) -> Response:
    """Is the video here?"""
    found, reason = where(video_id)
    return jsonify(state=found, reason=reason)


@blueprint.post("/review/videos/<int:video_id>/fetch")
@people.require("annotator")
def fetch(video_id: int) -> ResponseReturnValue:
    """Let the video be fetched in the background; back to the page of the task that asked."""
    named = _refs(video_id)[0]
    with services().database.write() as session:
        record(session, "fetch video", f"video {video_id}")
    _fetching().start(named.ref, task=named.task, project=named.project)
    task_id = request.form.get("task", type=int)
    return redirect(
        url_for("review.queue_page") if task_id is None else url_for("review.item_page", task_id=task_id), 303
    )


def where(video_id: int) -> tuple[str, str | None]:
    """``HERE``, ``FETCHING``, ``AWAY`` or ``FAILED`` with the reason in a person's words."""
    try:
        file = file_of(video_id)
    except MediaError as error:
        return FAILED, str(error)
    if not isinstance(file, str):
        return HERE, None
    for named in _refs(video_id):
        if _fetching().running(named.ref):
            return FETCHING, None
        failure = _fetching().failure(named.ref)
        if failure is not None:
            return FAILED, failure
    return (AWAY, None) if file == _NOT_HERE else (FAILED, file)


def media_type(path: Path) -> str:
    """By what the file is, not by its name: browsers play mp4 (mov too) and webm, of Matroska some."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[:4] == b"OggS":
        return "video/ogg"
    if head[:4] == b"RIFF":
        return "video/x-msvideo"
    return "video/mp2t" if head[:1] == b"\x47" else "application/octet-stream"


@dataclass(frozen=True)
class Named:
    """The address of a video in a project's tasks, and Label Studio's number of one of them."""

    ref: str
    project: int
    task: int


def _refs(video_id: int) -> list[Named]:
    """The addresses under which tasks name the video; 404 where there is none."""
    if video_id > _LAST_ROW:
        abort(404)
    with services().database.read() as session:
        columns = Task.video_ref, Task.project_id
        query = select(*columns, func.min(Task.ls_task_id)).where(Task.video_id == video_id)
        refs = [Named(*row) for row in session.execute(query.group_by(*columns).order_by(*columns))]
    if not refs:
        abort(404)
    return refs


def file_of(video_id: int) -> MediaFile | str:
    """The file on this machine, or why there is none. Raises MediaError where the address is refused."""
    refs = _refs(video_id)
    with services().database.read() as session:
        sha256 = session.get_one(Video, video_id).sha256
    refused: MediaError | None = None
    for named in refs:
        try:
            file = services().media.here(named.ref, project=named.project)
        except MediaError as error:
            refused = error
            continue
        if file is not None and file.sha256 == sha256:
            return file
        if file is not None:
            return "At the video's address lies another file than the one that was grounded. Predict the task again."
    return _NOT_HERE if refused is None else str(refused)


def info_of(video_id: int, path: Path) -> VideoInfo:
    """What the probe said when the video was stored: probing again for each picture would take longer than the
    picture."""
    with services().database.read() as session:
        row = session.get_one(Video, video_id)
        times = row.times()
    return VideoInfo(
        str(path), row.width, row.height, row.fps_num, row.fps_den, row.n_frames, row.duration_s, row.variable_rate,
        tuple(row.warnings), times,
    )  # fmt: skip


def _fetching() -> Fetching:
    return services().fetching
