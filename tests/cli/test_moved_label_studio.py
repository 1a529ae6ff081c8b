"""A Label Studio that sends every command to https, answers nothing, or shows a page: one sentence, exit status 1."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend.cli import main
from backend.db import projects
from backend.db.engine import Database
from tests.datasets.small import hcstvg_entry
from tests.db.helpers import CONFIG
from tests.video.painted import write_painted

ANSWERS = {
    "moved": (301, {"Location": "https://{host}{path}"}, b""),
    "moved for good": (308, {"Location": "https://{host}{path}"}, b""),
    "elsewhere": (302, {"Location": "https://sso.example/login?next=hush"}, b""),
    "nothing": (200, {}, b""),
    "page": (200, {"Content-Type": "text/html"}, b"<html><title>Sign in</title></html>"),
}


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    class Answer(BaseHTTPRequestHandler):
        def do(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = ANSWERS[self.server.kind]  # type: ignore[attr-defined]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.format(host=self.headers["Host"], path=self.path))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = do

        def log_message(self, *given: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join(5)


@pytest.mark.parametrize("command", ["connect", "import", "sync", "queue push"])
@pytest.mark.parametrize("kind", list(ANSWERS))
def test_every_command_says_what_to_do(
    server: ThreadingHTTPServer, sqlite_database: Database, sqlite_url: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, kind: str,
) -> None:  # fmt: skip
    server.kind = kind  # type: ignore[attr-defined]
    videos = tmp_path / "root" / "videos"
    videos.mkdir(parents=True)
    write_painted(videos / "a.mp4", 10)
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"a.mp4": hcstvg_entry(1, 5, img_num=10)}))
    words = {
        "connect": ["connect", "--project", "clips", "--videos", str(videos)],
        "import": ["import", str(labels), "--format", "hcstvg", "--project", "clips", "--videos", str(videos)],
        "sync": ["sync"],
        "queue push": ["queue", "push", "--project", "1"],
    }
    with sqlite_database.write() as session:
        projects.register(session, 1, CONFIG)
    environment = {
        "LABEL_STUDIO_URL": f"http://127.0.0.1:{server.server_port}",
        "LABEL_STUDIO_TOKEN": "5ec4e7" * 5,
        "DATABASE_URL": sqlite_url,
        "DATA_DIR": str(tmp_path),
        "USERNAME": "u",
        "PASSWORD": "p",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"STVG_{name}", value)
    monkeypatch.setattr("sys.argv", ["stvg", *words[command]])
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1 and "Traceback" not in said and "hush" not in said and "5ec4e7" not in said
    expected = {
        "moved": f"redirects to https://127.0.0.1:{server.server_port}: use that address",
        "moved for good": f"redirects to https://127.0.0.1:{server.server_port}: use that address",
        "elsewhere": "to https://sso.example/login, which is not followed",
        "nothing": "an empty answer",
        "page": 'a page ("Sign in")',
    }
    assert expected[kind] in said
