"""Fakes for tests: an engine without a model, a Label Studio without a server. Public, so that others can use them."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from backend.jobs.engine import Answers, Progress
from backend.jobs.grounding import part_or_all
from stvg_core.errors import VideoError
from stvg_core.method.evidence import Evidence
from stvg_core.proposals.extending import Extended
from stvg_core.tube import Grounding, Segment, Tube, VideoInfo


@dataclass
class FakeEngine:
    """Answers at once, always the same for the same sentence.

    The sentence "nothing ..." finds no object, "crash ..." raises an unexpected error. A file that begins with
    ``not a video`` is refused. ``calls`` lists what was asked, ``prompts`` the boxes to follow, ``extended``
    those to follow to other frames, ``prepared`` the files that were to be grounded next, ``parts`` those of videos.
    """

    model_version: str = "fake@1/0"
    seconds: float = 0.0
    fps: tuple[int, int] = (25, 1)
    n_frames: int = 50
    calls: list[tuple[str, str]] = field(default_factory=list)
    prompts: list[tuple[int, tuple[float, ...]]] = field(default_factory=list)
    extended: list[tuple[int, tuple[float, ...], int, int]] = field(default_factory=list)
    lost_after: int = 1000
    shared: list[int] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    parts: list[Segment] = field(default_factory=list)

    def become(self, model_version: str) -> bool:
        return model_version == self.model_version

    def prepare(self, path: Path, alive: Callable[[], None], segment: Segment | None = None) -> None:
        alive()
        self.prepared.append(path.name)

    def ground(self, path: Path, query: str, progress: Progress, segment: Segment | None = None) -> Grounding:
        self.calls.append((path.name, query))
        if segment is not None:
            self.parts.append(segment)
        if path.read_bytes().startswith(b"not a video"):
            raise VideoError(f"{path.name} is not a video.")
        if query.startswith("crash"):
            raise RuntimeError("the fake engine was asked to crash")
        began = time.monotonic()
        progress(0.5, "ground")
        while time.monotonic() < began + self.seconds:  # may be shortened meanwhile
            time.sleep(0.02)
            progress(0.5, "ground")
        info = self._info(path)
        tube = None if query.startswith("nothing") else self._tube(query)
        evidence = self._evidence(0 if tube is None else 1)
        if segment is not None:
            tube = None if tube is None else Tube(segment[0], tube.boxes[: segment[1] - segment[0] + 1])
            evidence = replace(evidence, info=evidence.info | {"segment": list(segment)})
        return Grounding(
            query=query,
            attribute_query=query,
            action_query=query,
            video=info,
            tube=tube,
            score=0.0 if tube is None else 0.75,
            model_version=self.model_version,
            timings={"total": self.seconds},
            evidence=evidence,
            segment=segment,
        )

    def ground_many(
        self, path: Path, queries: Sequence[str], progress: Progress, segment: Segment | None = None
    ) -> Answers:
        """One after the other; ``shared`` lists how many sentences came together."""
        self.shared.append(len(queries))
        for query in queries:
            answer: Grounding | Exception
            try:
                answer = self.ground(path, query, progress, **part_or_all(segment))
            except Exception as error:
                answer = error
            yield answer

    def follow(self, path: Path, query: str, frame: int, box: Sequence[float], progress: Progress) -> Grounding:
        """The drawn box, held from five frames before to five frames after the drawn one."""
        found = self.ground(path, query, progress)
        self.prompts.append((frame, tuple(box)))
        first, last = max(0, frame - 5), min(self.n_frames - 1, frame + 5)
        return replace(found, tube=Tube(first, np.tile(np.asarray(box, np.float32), (last - first + 1, 1))))

    def extend(
        self, path: Path, frame: int, box: Sequence[float], first: int, last: int, progress: Progress
    ) -> Extended:
        """The box, a hundredth further down and right on each frame; it is lost after ``lost_after`` frames."""
        self.ground(path, "the box", progress)
        self.extended.append((frame, tuple(box), first, last))
        away = np.clip(np.arange(first, last + 1) - frame, -self.lost_after, self.lost_after)
        tube = Tube(first, np.asarray(box, np.float32) + away[:, None] / np.float32(100))
        seen = max(first, frame - self.lost_after), min(last, frame + self.lost_after)
        return Extended(self._info(path), tube, seen)

    def _info(self, path: Path) -> VideoInfo:
        return VideoInfo(
            path=str(path),
            width=320,
            height=240,
            fps_num=self.fps[0],
            fps_den=self.fps[1],
            n_frames=self.n_frames,
            duration_s=self.n_frames * self.fps[1] / self.fps[0],
        )

    def _tube(self, query: str) -> Tube:
        """A box that moves to the right, starting where the sentence's hash says."""
        seed = hashlib.sha256(query.encode()).digest()
        start, length = seed[0] % 10, 20 + seed[1] % 10
        left = np.linspace(0.1, 0.5, length)
        return Tube(start, np.stack([left, np.full(length, 0.2), left + 0.25, np.full(length, 0.7)], axis=1))

    def _evidence(self, tracks: int) -> Evidence:
        slots = np.arange(0, self.n_frames, 10)
        scores = np.ones(tracks)
        return Evidence(
            slot_frames=slots,
            track_boxes=np.zeros((tracks, len(slots), 4), dtype=np.float32),
            track_scores=scores,
            track_scores_forward=scores,
            track_scores_reversed=scores,
            frame_scores=np.zeros((tracks, len(slots))),
            spatial_map=np.zeros((len(slots), 2, 2), dtype=np.float16),
            temporal_map=np.zeros((len(slots), 2, 2), dtype=np.float16),
            chosen=tracks - 1,
            info={"role_token": np.int64(3), "p_yes": float("nan")},
        )


_LONG_AGO = "2026-01-01T00:00:00.000000Z"


class FakeLabelStudio:
    """The few routes of Label Studio that a worker calls, in memory.

    Use ``httpx.MockTransport(fake)`` as a client's transport. ``away`` makes every call fail to connect;
    ``lose_answers`` makes that many pushes arrive while their answers are lost; ``instead`` answers everything, as a
    proxy in front does.
    """

    def __init__(self, label_config: str) -> None:
        self.label_config = label_config
        self.tasks: dict[int, dict[str, Any]] = {}
        self.predictions: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self.views: dict[int, dict[str, Any]] = {}
        self.backends: dict[int, dict[str, Any]] = {}
        self.user: dict[str, Any] = {"id": 1, "email": "ann@example.org"}
        self.gone_projects: set[int] = set()
        self.away = False
        self.lose_answers = 0
        self.instead: httpx.Response | None = None
        self.requests: list[str] = []

    @property
    def annotations(self) -> list[dict[str, Any]]:
        """Those of all tasks. Taking some away changes their tasks, as deleting does there."""
        return self._annotations

    @annotations.setter
    def annotations(self, entries: list[dict[str, Any]]) -> None:
        left = {entry["id"] for entry in entries}
        for number in {entry["task"] for entry in self._annotations if entry["id"] not in left} & self.tasks.keys():
            later = datetime.fromisoformat(self.changed(number)) + timedelta(hours=1)
            self.tasks[number]["updated_at"] = later.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._annotations = entries

    def add_task(self, number: int, *, project: int = 1, **data: Any) -> dict[str, Any]:
        self.tasks[number] = {"id": number, "project": project, "data": data}
        return self.tasks[number]

    def of_task(self, number: int) -> list[dict[str, Any]]:
        """The predictions that a task has."""
        return [entry for entry in self.predictions if entry["task"] == number]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("away", request=request)
        if self.instead is not None:
            return self.instead
        path, method = request.url.path, request.method
        self.requests.append(f"{method} {path}")
        if path == "/api/predictions/":
            return self._predictions(request)
        if path == "/api/tasks/":
            body = self._list(request)
            return httpx.Response(200, content=json.dumps(body))  # escapes what cannot be encoded, as a server does
        if path.startswith("/api/dm/views/"):
            return self._views(request)
        if path == "/api/version":
            return httpx.Response(200, json={"release": "1.23.2"})
        if path == "/api/current-user/whoami":
            return httpx.Response(200, json=self.user)
        if path == "/api/ml":
            mine = int(request.url.params["project"])
            return httpx.Response(200, json=[row for row in self.backends.values() if row["project"] == mine])
        backend = re.fullmatch(r"/api/ml/(\d+)", path)
        if backend is not None and int(backend[1]) in self.backends:
            return httpx.Response(200, json=self.backends[int(backend[1])])
        project = re.fullmatch(r"/api/projects/(\d+)/", path)
        if project is not None and int(project[1]) not in self.gone_projects:
            return httpx.Response(200, json=self._project(int(project[1])))
        found = re.fullmatch(r"/api/tasks/(\d+)/(annotations/)?", path)
        if found is None or int(found[1]) not in self.tasks:
            return httpx.Response(404, json={"detail": "Not found."})
        number = int(found[1])
        if method == "PATCH":
            self.tasks[number]["data"] = json.loads(request.content)["data"]
        return httpx.Response(200, json=self._full(number)["annotations"] if found[2] else self._full(number))

    def _project(self, number: int) -> dict[str, Any]:
        mine = [entry for entry in self.annotations if self.tasks.get(entry["task"], {}).get("project") == number]
        skipped = sum(bool(entry.get("was_cancelled")) for entry in mine)
        counts = {"total_annotations_number": len(mine) - skipped, "skipped_annotations_number": skipped}
        return {"id": number, "label_config": self.label_config, **counts}

    def _list(self, request: httpx.Request) -> dict[str, Any]:
        """By id, or the one that changed last; with the Data Manager's filters on id and time of the last change."""
        asked = json.loads(request.url.params.get("query", "{}"))
        found = [self._full(number) | {"updated_at": self.changed(number)} for number in sorted(self.tasks)]
        for one in asked.get("filters", {}).get("items", []):
            column = one["filter"].removeprefix("filter:tasks:")
            found = [task for task in found if task[column] > one["value"]]
        if asked.get("ordering") == ["-tasks:updated_at"]:
            found.sort(key=lambda task: str(task["updated_at"]), reverse=True)
        size = int(request.url.params.get("page_size", len(found) or 1))
        return {"tasks": found[:size], "total": len(found)}

    def changed(self, number: int) -> str:
        """When a task or one of its annotations changed last, as Label Studio writes it."""
        mine = [str(entry.get("updated_at") or "") for entry in self.annotations if entry["task"] == number]
        return max([*mine, str(self.tasks[number].get("updated_at") or _LONG_AGO)])

    def _full(self, number: int) -> dict[str, Any]:
        mine = [entry for entry in self.annotations if entry["task"] == number]
        return {**self.tasks[number], "annotations": mine, "predictions": self.of_task(number)}

    def _views(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            mine = int(request.url.params["project"])
            return httpx.Response(200, json=[view for view in self.views.values() if view["project"] == mine])
        number = int(request.url.path.split("/")[4]) if request.method == "PATCH" else 1 + len(self.views)
        self.views[number] = {"id": number, **json.loads(request.content)}
        return httpx.Response(200, json=self.views[number])

    def _predictions(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=self.of_task(int(request.url.params["task"])))
        stored = {"id": 100 + len(self.predictions), **json.loads(request.content)}
        self.predictions.append(stored)
        if self.lose_answers:
            self.lose_answers -= 1
            raise httpx.ReadError("the answer was lost", request=request)
        return httpx.Response(201, json=stored)
