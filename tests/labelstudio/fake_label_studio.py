"""The part of Label Studio that ``stvg connect`` touches, in memory behind an httpx transport."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import httpx

from backend.labelstudio.client import LabelStudioClient

Json = dict[str, Any]


class FakeLabelStudio:
    """Projects, model backends, webhooks, storages and tasks with the rules seen in 1.23.2.

    Attributes:
        changes: every request that was not a GET, as "METHOD path".
        refuse: status and body for every change of a model backend, as when the service is unreachable.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, Json]] = {
            kind: {} for kind in ("projects", "ml", "webhooks", "storages/localfiles", "tasks")
        }
        self.changes: list[str] = []
        self.refuse: tuple[int, Json] | None = None

    def client(self) -> LabelStudioClient:
        return LabelStudioClient("http://ls.test", "token", transport=httpx.MockTransport(self.answer), pause=0)

    def add(self, kind: str, **fields: Any) -> Json:
        number = max(self.rows[kind], default=0) + 1
        self.rows[kind][number] = {"id": number, **fields}
        return self.rows[kind][number]

    def all(self, kind: str) -> list[Json]:
        return list(self.rows[kind].values())

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/").rstrip("/")
        body = json.loads(request.content) if request.content else {}
        if request.method != "GET":
            self.changes.append(f"{request.method} {path}")
        if path == "current-user/whoami":
            return httpx.Response(200, json={"id": 1, "email": "a@example.org"})
        if path == "dm/actions":
            return httpx.Response(200, json={"processed_items": len(self.rows["tasks"])})
        if path.endswith("validate"):
            return httpx.Response(204)
        if path.endswith("/import"):
            for entry in body:
                self.add("tasks", project=int(path.split("/")[1]), data=entry["data"])
            return httpx.Response(201, json={"task_count": len(body)})
        match = re.fullmatch(r"(.+?)(?:/(\d+))?", path)
        assert match is not None
        kind, number = match[1], match[2]
        if number is None and request.method == "GET":
            return self._list(kind, request.url.params)
        if request.method == "POST":
            return self._create(kind, body)
        row = self.rows[kind].get(int(number))
        if row is None:
            return httpx.Response(404, json={"detail": "Not found."})
        if request.method == "DELETE":
            del self.rows[kind][int(number)]  # a backend's webhook stays, as in the real one
            return httpx.Response(204)
        if request.method == "PATCH" and kind == "ml" and self.refuse is not None:
            return httpx.Response(self.refuse[0], json=self.refuse[1])
        if request.method == "PATCH":
            row.update(body)
        return httpx.Response(200, json=_shown(row))

    def _list(self, kind: str, params: httpx.QueryParams) -> httpx.Response:
        project = params.get("project")
        rows = [_shown(row) for row in self.all(kind) if project is None or row["project"] == int(project)]
        if kind == "projects":
            return httpx.Response(200, json={"results": rows, "next": None})
        if kind == "tasks":
            return httpx.Response(200, json={"tasks": rows, "total": len(rows)})
        return httpx.Response(200, json=rows)

    def _create(self, kind: str, body: Json) -> httpx.Response:
        if kind == "ml":
            if self.refuse is not None:
                return httpx.Response(self.refuse[0], json=self.refuse[1])
            url = f"{body['url']}/webhook"
            if not any(hook["url"] == url and hook["project"] == body["project"] for hook in self.all("webhooks")):
                # Label Studio's own: for all events, without the header that the service asks for.
                self.add(
                    "webhooks", project=body["project"], url=url, headers={}, send_for_all_actions=True, actions=[]
                )
        return httpx.Response(201, json=_shown(self.add(kind, **body)))


def _shown(row: Json) -> Json:
    """Label Studio never shows a backend's password again."""
    return {key: value for key, value in row.items() if key != "basic_auth_pass"}


def urls(rows: Iterable[Json]) -> list[str]:
    return [row["url"] for row in rows]
