"""Servers on loopback that count what they are asked, and a name service of the test's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import psutil

VIDEO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nvideo"
Answer = bytes | Callable[[socket.socket], None]


def redirect(target: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def said(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def talking_to(port: int) -> list[psutil.Process]:
    """The children of this process that have a connection to a port."""
    found = []
    for one in psutil.Process().children():
        with suppress(psutil.Error):  # it has ended meanwhile
            if any(place.status == "ESTABLISHED" and place.raddr.port == port for place in one.net_connections()):
                found.append(one)
    return found


class Server:
    """Gives one answer after the other, and the last one from then on.

    Args:
        answers: the bytes of an answer, or what is done with the connection.

    Attributes:
        asked: the heads of the requests that came.
    """

    def __init__(self, *answers: Answer, host: str = "127.0.0.1", port: int = 0) -> None:
        self.answers, self.asked = list(answers), list[str]()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            try:
                while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
                    head += piece
                self.asked.append(head.decode("latin-1"))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)
            except OSError:
                return


class Names:
    """A name service whose names answer differently each time they are asked; addresses mean themselves.

    Attributes:
        asked: the names that were asked for.
    """

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self.answers, self.asked = answers, list[str]()
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host: Any, port: Any, *more: Any, **options: Any) -> list[Any]:
        """In place of ``socket.getaddrinfo``."""
        if host not in self.answers:
            options["flags"] = socket.AI_NUMERICHOST | options.get("flags", 0)  # no name is asked for outside
            return list(self._real(host, port, *more, **options))
        self.asked.append(host)
        found = self.answers[host]
        return list(self._real(found.pop(0) if len(found) > 1 else found[0], port, *more, **options))
