"""What stands between a command and Label Studio: it counts the requests, and can hold one back."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import httpx

_PATIENCE_S = 240.0


class Between:
    """A server on loopback that passes everything on to ``target``.

    Attributes:
        url: where it listens.
        counted: requests by method and path, numbers as N.
        held: set once an import is held back (:meth:`hold`).
    """

    def __init__(self, target: str) -> None:
        self.counted: Counter[str] = Counter()
        self.held, self._go, self._passed = threading.Event(), threading.Event(), threading.Event()
        self._until, self._dropped = 0, False
        self._http = httpx.Client(base_url=target, timeout=_PATIENCE_S, trust_env=False)
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                between.serve(self)

            do_POST = do_PATCH = do_DELETE = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def hold(self, number: int = 1) -> None:
        """Keep an import from now on, by default the first, until :meth:`let_go` or :meth:`drop`."""
        self.held, self._go, self._passed = threading.Event(), threading.Event(), threading.Event()
        self._until, self._dropped = number, False

    def let_go(self) -> None:
        """Pass the import on, although its sender may be gone, and wait until Label Studio has taken it."""
        self._go.set()
        assert self._passed.wait(_PATIENCE_S)

    def drop(self) -> None:
        """It never arrives."""
        self._dropped = True
        self._go.set()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        path = request.path.partition("?")[0]
        self.counted[f"{request.command} {'/'.join('N' if part.isdigit() else part for part in path.split('/'))}"] += 1
        importing = path.endswith("/import")
        self._until -= importing
        held = importing and self._until == 0
        if held:
            self.held.set()
            assert self._go.wait(_PATIENCE_S)
            if self._dropped:
                request.close_connection = True
                return
        headers = {key: value for key, value in request.headers.items() if key.lower() not in ("host", "connection")}
        try:
            answer = self._http.request(request.command, request.path, content=body, headers=headers)
        except httpx.TransportError:
            request.close_connection = True
            return
        if held:
            self._passed.set()
        try:
            request.send_response(answer.status_code)
            if answer.status_code != 204:
                request.send_header("Content-Type", answer.headers.get("content-type", ""))
                request.send_header("Content-Length", str(len(answer.content)))
            request.end_headers()
            request.wfile.write(answer.content)
        except OSError:
            pass  # who asked is gone

    def __enter__(self) -> Between:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()
