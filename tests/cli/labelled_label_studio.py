"""The fake Label Studio with what ``stvg import`` adds to it: predictions and annotations of tasks."""

from __future__ import annotations

import json
import re

import httpx

from tests.labelstudio.fake_label_studio import FakeLabelStudio, Json


class LabelledLabelStudio(FakeLabelStudio):
    """Lists a task with its predictions and annotations, as ``fields=all`` does."""

    def __init__(self) -> None:
        super().__init__()
        self.rows |= {"predictions": {}, "annotations": {}}

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/").strip("/")
        match = re.fullmatch(r"tasks/(\d+)/annotations", path)
        if match is not None and request.method == "POST":
            self.changes.append(f"POST {path}")
            return httpx.Response(201, json=self.add("annotations", task=int(match[1]), **json.loads(request.content)))
        response = super().answer(request)
        if path != "tasks" or request.method != "GET":
            return response
        body = response.json()
        for task in body["tasks"]:
            for kind in ("predictions", "annotations"):
                task[kind] = [row for row in self.all(kind) if row["task"] == task["id"]]
        return httpx.Response(200, json=body)

    def of_task(self, kind: str, number: int) -> list[Json]:
        return [row for row in self.all(kind) if row["task"] == number]
