"""A Label Studio that may be killed at any moment: a journal on disk holds every change that it answered.

    python -m tests.chaos.label_studio PORT JOURNAL WEBHOOK_URL WEBHOOK_TOKEN

It is the fake of ``backend.testing`` behind a socket. Each change is written to the journal before its answer, and
played again at the next start. ``POST /chaos/tasks`` and ``POST /chaos/annotations`` are what a person does on its
pages; an annotation is told to the webhook once, with a second's patience, as the real one does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from backend.testing import FakeLabelStudio
from tests.db.helpers import CONFIG


class Kept:
    """The fake's state, by its journal."""

    def __init__(self, journal: Path) -> None:
        self.fake = FakeLabelStudio(CONFIG)
        self._lock = threading.Lock()
        if journal.exists():
            for line in journal.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):  # the last may have been cut by a kill: it was never answered
                    self._play(json.loads(line))
            whole = journal.read_bytes()
            journal.write_bytes(whole[: whole.rfind(b"\n") + 1])
        self._journal = journal.open("ab")

    def ask(self, method: str, url: str, body: bytes) -> httpx.Response:
        with self._lock:
            if method in ("POST", "PATCH"):
                entry = {"method": method, "url": url, "body": body.decode()}
                self._journal.write(json.dumps(entry).encode() + b"\n")
                self._journal.flush()
                os.fsync(self._journal.fileno())
                return self._play(entry)
            return self.fake(httpx.Request(method, url, content=body))

    def _play(self, entry: dict[str, str]) -> httpx.Response:
        path = httpx.URL(entry["url"]).path
        if path == "/chaos/tasks":
            for task in json.loads(entry["body"]):
                self.fake.add_task(task["id"], **task["data"])
        elif path == "/chaos/annotations":
            saved = json.loads(entry["body"])
            others = [one for one in self.fake.annotations if one["id"] != saved["id"]]
            self.fake.annotations[:] = [*others, saved]
            self.fake.tasks[saved["task"]]["updated_at"] = saved["updated_at"]
        else:
            return self.fake(httpx.Request(entry["method"], entry["url"], content=entry["body"].encode()))
        return httpx.Response(201, json={})


def main(port: int, journal: Path, webhook: str, token: str) -> None:
    kept = Kept(journal)

    def tell(saved: dict[str, Any]) -> None:
        with kept._lock:
            task = dict(kept.fake.tasks[saved["task"]])
        project = {"id": 1, "label_config": CONFIG}
        body = {"action": "ANNOTATION_UPDATED", "annotation": saved, "project": project, "task": task}
        try:
            httpx.post(webhook, json=body, headers={"Authorization": f"Token {token}"}, timeout=1, trust_env=False)
        except httpx.HTTPError:
            print("a webhook was lost", flush=True)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:  # its sender was killed: half a request is none, and must not be in the journal
                self.close_connection = True
                return
            answer = kept.ask(self.command, f"http://label-studio{self.path}", body)
            if self.path == "/chaos/annotations":
                threading.Thread(target=tell, args=(json.loads(body),), daemon=True).start()
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PATCH = _any

        def log_message(self, *args: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
