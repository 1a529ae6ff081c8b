"""``/review/thumbnails``: a small picture of a tube, with its box, for lists.

A tube's version never changes and neither does its video's content, so a picture is made once: browsers keep it, and so
does this process, some megabytes of them. They have a decoder of their own: a list of videos that cannot be decoded
keeps nobody from the page of a task.
"""

from __future__ import annotations

import io
import time
from typing import Any

from flask import Blueprint, Response, abort, make_response, request
from flask.typing import ResponseReturnValue
from PIL import Image, ImageDraw

from backend.annotations.keyframe_rows import keyframes
from backend.db.tables import Annotation, Prediction
from backend.http import footage, people
from backend.http.services import services
from backend.http.stills import StillsBusy
from backend.media import MediaError
from backend.review import recording
from backend.review.queue_rows import LABEL, SUGGESTION
from stvg_core.errors import VideoError
from stvg_core.keyframes import expand
from stvg_core.tube import Array

blueprint = Blueprint("thumbnails", __name__, url_prefix="/review/thumbnails")

SIDE = 160
_QUALITY = 80
_CACHE = "private, max-age=31536000, immutable"
_NONE = "private, max-age=60"
_AGAIN_S = 600
"""A video that could not be decoded is tried again after so long at most: the machine may have been busy."""
_LAST_ROW = 2**31 - 1
_LINE, _EDGE = (255, 196, 0), (0, 0, 0)


@blueprint.get("/<kind>/<int:number>.jpg")
@people.require("annotator")
def picture(kind: str, number: int) -> ResponseReturnValue:
    """The middle of a label's or a suggestion's tube with its box; 204 where there is none, 202 to ask again."""
    found = _tube(kind, number)
    if found is None:
        return _nothing()
    video_id, frame, box = found
    try:
        file = footage.file_of(video_id)
    except MediaError:
        return _nothing()
    if isinstance(file, str):
        return _nothing()
    name = f"{kind}-{number}-{file.sha256}"
    failed = f"{name} failed {time.monotonic() // _AGAIN_S}"
    pictures = services().thumbnails
    kept = pictures.find(name)
    if kept is None:
        if pictures.find(failed) is not None:
            return _nothing()
        try:
            kept = _draw(pictures.stills.picture(footage.info_of(video_id, file.path), frame, SIDE), box)
        except StillsBusy:
            later = make_response(b"", 202)  # no error: browsers would write each into their console
            later.headers["Retry-After"] = "1"
            return later
        except VideoError:
            pictures.keep(failed, b"")
            return _nothing()
        pictures.keep(name, kept)
    response = make_response(kept)
    response.mimetype = "image/jpeg"
    response.set_etag(name)
    response.headers["Cache-Control"] = _CACHE
    return response.make_conditional(request)


def _tube(kind: str, number: int) -> tuple[int, int, list[float]] | None:
    """Video, frame and box (shares of the picture) in the middle of the tube's longest interval; None without one."""
    if kind not in (LABEL, SUGGESTION) or number > _LAST_ROW:
        abort(404)
    with services().database.read() as session:
        row: Any = session.get(Annotation if kind == LABEL else Prediction, number)
        if row is None:
            abort(404)
        if isinstance(row, Prediction):
            return None if not row.keyframes else (row.video_id, *_middle(row.keyframes))
        video_id = row.video_id or (None if row.task is None else row.task.video_id)
        drawn = recording.answer(row)
        if video_id is None or drawn is None:
            return None
        part = max(drawn.parts(), key=lambda tube: len(tube.boxes))
        half = len(part.boxes) // 2
        return video_id, part.start_frame + half, [float(value) for value in part.boxes[half]]


def _middle(rows: list[Any]) -> tuple[int, list[float]]:
    tube = expand(keyframes(rows))
    half = len(tube.boxes) // 2
    return tube.start_frame + half, [float(value) for value in tube.boxes[half]]


def _draw(pixels: Array, box: list[float]) -> bytes:
    """The picture as JPEG, the box as a light line between two dark ones, to be seen on any ground."""
    image = Image.fromarray(pixels)
    width, height = image.size
    x1, y1, x2, y2 = (value * size for value, size in zip(box, (width, height, width, height), strict=True))
    corners = [max(min(x1, x2), 0), max(min(y1, y2), 0), min(max(x1, x2), width - 1), min(max(y1, y2), height - 1)]
    if corners[0] <= corners[2] and corners[1] <= corners[3]:  # else it lies outside of the picture
        pen = ImageDraw.Draw(image)
        pen.rectangle([corners[0] - 1, corners[1] - 1, corners[2] + 1, corners[3] + 1], outline=_EDGE, width=4)
        pen.rectangle(corners, outline=_LINE, width=2)
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()


def _nothing() -> Response:
    response = make_response(b"", 204)
    response.headers["Cache-Control"] = _NONE
    return response
