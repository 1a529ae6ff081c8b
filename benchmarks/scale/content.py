"""What is in the database that is measured? The rows of task ``n``, always the same for the same number.

The rows are those of migration 0006, written out here and not taken from the tables' classes: the layout of the program
may change, the database to upgrade from may not. Of all tasks 3 % have no job, 3 % a failed one. Of the others 62 % are
annotated: 5 % of these by two people; 10 % of the annotations have two or three versions, 5 % a further object with a
sentence of its own, 4 % are skips, 3 % were deleted. Four tasks share a video. Every 50th prediction keeps evidence of
about 50 KB, the others of about 3 KB.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.scale import labels
from benchmarks.scale.evidence import LARGE, SMALL

PROJECT, SEED = 1, 20_261_129
TASKS_PER_VIDEO, FRAMES, FPS = 4, 150, 25
LARGE_EVERY = 50
PEOPLE = range(1, 21)
BEGAN = datetime(2025, 11, 1, tzinfo=UTC)
SECONDS_APART = 20
NO_JOB, FAILED, DONE = "no job", "failed", "done"

Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What is decided of a task before its rows are written."""

    number: int
    kind: str
    sentence: str
    at: datetime

    @property
    def video(self) -> int:
        return (self.number - 1) // TASKS_PER_VIDEO + 1

    @property
    def data(self) -> dict[str, Any]:
        return {"video": video_address(self.video), "query": self.sentence, "fps": FPS}

    def rng(self, part: str) -> random.Random:
        return random.Random(f"{SEED} {part} {self.number}")


def task(number: int) -> Task:
    """The task of a number from 1; the same whatever the size of the database."""
    share = random.Random(f"{SEED} kind {number}").random()
    kind = NO_JOB if share < 0.03 else FAILED if share < 0.06 else DONE
    sentence = f"the person in colour {number % 97} who picks up box {number}"
    return Task(number, kind, sentence, BEGAN + timedelta(seconds=SECONDS_APART * number))


def video_name(video: int) -> str:
    return f"clips/{video:06d}.mp4"


def video_address(video: int) -> str:
    return f"/data/local-files/?d={video_name(video)}"


def video_bytes(video: int) -> bytes:
    """What the file holds: the fake engine reads no picture, but the worker takes the hash of the file."""
    return f"scale benchmark, clip {video}".encode()


def video_row(video: int) -> Row:
    return {
        "id": video, "sha256": hashlib.sha256(video_bytes(video)).hexdigest(), "width": 320, "height": 240,
        "fps_num": FPS, "fps_den": 1, "n_frames": FRAMES, "duration_s": FRAMES / FPS,
        "size_bytes": len(video_bytes(video)), "variable_rate": False, "warnings": [], "frame_times": None,
        "created_at": BEGAN,
    }  # fmt: skip


def rows(number: int, model_version: str) -> Iterator[tuple[str, Row]]:
    """``(table, row)`` of everything about one task; the video is not among them."""
    one = task(number)
    yield "task", {
        "id": number, "project_id": PROJECT, "ls_task_id": number, "video_ref": video_address(one.video),
        "query": one.sentence, "data": one.data, "video_id": one.video if one.kind == DONE else None, "warning": None,
        "created_at": one.at, "updated_at": one.at,
    }  # fmt: skip
    if one.kind == NO_JOB:
        return
    if one.kind == DONE:
        yield "prediction", _prediction(one, model_version)
    yield "job", _job(one, model_version)
    if one.kind == DONE:
        yield "delivery", _delivery(one)
        yield from labels.rows(one, suggested(one), region_id(one, model_version))


def suggested(one: Task) -> list[list[float]]:
    """The suggestion's keyframes, ``[frame, x1, y1, x2, y2]``; none for a video without a candidate (4 %)."""
    rng = one.rng("suggestion")
    return [] if rng.random() < 0.04 else labels.tube(rng, rng.randrange(10, 40), rng.randrange(70, FRAMES - 10))


def identity(one: Task, model_version: str) -> str:
    """As the service knows a prediction: by the video's content, the sentence and the model version."""
    return labels.digest(["prediction", video_row(one.video)["sha256"], one.sentence, model_version])


def region_id(one: Task, model_version: str) -> str:
    return "tube-" + hashlib.sha256(identity(one, model_version).encode()).hexdigest()[:10]


def _prediction(one: Task, model_version: str) -> Row:
    rng, keyframes = one.rng("score"), suggested(one)
    return {
        "id": one.number, "identity": identity(one, model_version), "video_id": one.video, "query": one.sentence,
        "attribute_query": one.sentence, "action_query": one.sentence, "model_version": model_version,
        "region_id": region_id(one, model_version), "score": round(rng.random(), 4) if keyframes else 0.0,
        "start_frame": int(keyframes[0][0]) if keyframes else None,
        "end_frame": int(keyframes[-1][0]) if keyframes else None, "keyframes": keyframes or None,
        "timings": {"decode": 0.4, "propose": 0.9, "look": 2.1, "total": 3.5},
        "evidence": LARGE if one.number % LARGE_EVERY == 0 else SMALL, "evidence_chosen": 0,
        "evidence_consistency": 0.8, "evidence_info": {"p_yes": 0.7, "spatial_token": 3, "looks": "0" * 8},
        "prompt": None, "uncertainty": round(rng.random(), 4) if keyframes else 1.0, "created_at": one.at,
    }  # fmt: skip


def _job(one: Task, model_version: str) -> Row:
    done = one.kind == DONE
    address = video_address(one.video)
    return {
        "id": one.number, "identity": labels.digest(["job", PROJECT, one.number, address, one.sentence, model_version]),
        "task_id": one.number, "video_ref": address, "query": one.sentence, "model_version": model_version,
        "prompt": None, "deliver": True, "priority": 0, "state": "done" if done else "failed", "attempts": 1,
        "run_after": one.at, "leased_by": None, "lease_until": None, "progress": 1.0 if done else 0.2, "stage": "",
        "reason": None if done else "The video cannot be read.", "prediction_id": one.number if done else None,
        "created_at": one.at, "started_at": one.at, "finished_at": one.at + timedelta(seconds=5),
    }  # fmt: skip


def _delivery(one: Task) -> Row:
    return {
        "id": one.number, "prediction_id": one.number, "task_id": one.number, "state": "delivered", "attempts": 1,
        "next_attempt_at": one.at, "leased_by": None, "handed_at": None, "ls_prediction_id": one.number,
        "reason": None, "created_at": one.at, "delivered_at": one.at + timedelta(seconds=6),
    }  # fmt: skip
