"""A Label Studio that serves the list of N annotated tasks page by page, and nothing else that matters."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.scale import bodies, content, regions

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105
PAGE = 100


@dataclass
class Served:
    """What was asked for."""

    url: str
    pages: int = 0
    requests: int = 0


@contextmanager
def label_studio(tasks: int, model_version: str) -> Iterator[Served]:
    """The server on a free port of this machine."""
    served = Served("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.requests += 1
            parts = urlsplit(self.path)
            asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            served.pages += parts.path == "/api/tasks/" and "ordering" not in asked.get("query", "")
            self._reply(*answer(parts.path, asked, tasks, model_version))

        def do_POST(self) -> None:
            self._other()

        def do_PATCH(self) -> None:
            self._other()

        def _other(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            served.requests += 1
            self._reply(404, {"detail": "Not found."})

        def _reply(self, status: int, content: Any) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


def answer(path: str, asked: dict[str, str], tasks: int, model_version: str) -> tuple[int, Any]:
    """Status and body of a GET; bytes are a body that is made already.

    The list is served by page, or by the Data Manager's filters: tasks after a number, tasks changed after a moment.
    """
    parts = path.strip("/").split("/")
    if path == "/api/version":
        return 200, {"release": "1.23.2"}
    if path == "/api/tasks/":
        size = asked.get("page_size")
        query = json.loads(asked.get("query", "{}"))
        if query.get("ordering") == ["-tasks:updated_at"]:
            return 200, {"tasks": [bodies.task(content.task(tasks))], "total": tasks}
        if size != str(PAGE):
            return 400, {"detail": f"This server has pages of {PAGE} only, not {size}."}
        every, wanted = pages(tasks, model_version), int(asked.get("page", "1"))
        if "filters" in query:
            return 200, _filtered(query["filters"]["items"], every, tasks, model_version)
        return (200, every[wanted - 1]) if wanted <= len(every) else (404, {"detail": "Invalid page."})
    if parts[:2] == ["api", "projects"] and len(parts) == 3:
        return 200, {"id": int(parts[2]), "label_config": regions.LABEL_CONFIG, "task_number": tasks}
    if parts[:2] == ["api", "tasks"] and len(parts) >= 3 and 1 <= int(parts[2]) <= tasks:
        one = content.task(int(parts[2]))
        mine = bodies.listed(one, model_version)
        return 200, mine if parts[3:] == ["annotations"] else bodies.task(one) | {"annotations": mine}
    if path in ("/api/predictions/", "/api/dm/views/"):
        return 200, []
    return 404, {"detail": "Not found."}


def _filtered(items: list[dict[str, Any]], every: list[bytes], tasks: int, model_version: str) -> bytes:
    """The first page behind a number; with a moment only tasks that changed after it: each at its number's time."""
    values = {one["filter"].removeprefix("filter:tasks:"): one["value"] for one in items}
    first = int(values.get("id", 0)) + 1
    if "updated_at" in values:
        since = datetime.fromisoformat(values["updated_at"])
        changed = int((since - content.BEGAN).total_seconds() // content.SECONDS_APART) + 1
        first = max(first, changed, 1)
    if first > tasks:
        return json.dumps({"tasks": [], "total": 0, "total_annotations": 0, "total_predictions": 0}).encode()
    if (first - 1) % PAGE == 0:
        return every[(first - 1) // PAGE]
    return _page(first, tasks, model_version)


@lru_cache(maxsize=1)
def pages(tasks: int, model_version: str) -> list[bytes]:
    """All pages, made before the time is taken: a real server's work would be another machine's."""
    return [_page(first, tasks, model_version) for first in range(1, tasks + 1, PAGE)]


def _page(first: int, tasks: int, model_version: str) -> bytes:
    found = []
    for number in range(first, min(first + PAGE, tasks + 1)):
        one = content.task(number)
        mine = bodies.listed(one, model_version)
        found.append(bodies.task(one) | {"annotations": mine, "predictions": [], "drafts": []})
    counts = {"total": tasks, "total_annotations": tasks, "total_predictions": tasks}
    return json.dumps({"tasks": found, **counts}).encode()
