"""Servers that answer every read in time and never end: the deadline holds, and whoever waits can give up."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.media import MediaLibrary, MediaUnavailable
from backend.media.cache import MediaCache
from backend.media.download import Downloader

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


class Drip:
    """A server that sends ``start`` and then one byte after the other, as long as anybody listens."""

    def __init__(self, start: bytes, byte: bytes) -> None:
        self.start, self.byte, self.sent = start, byte, 0
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(4096)
            try:
                connection.sendall(self.start)
                while not self.over.wait(0.02):
                    if self.byte:
                        connection.sendall(self.byte)
                        self.sent += 1
            except OSError:
                return

    def close(self) -> None:
        self.over.set()
        self.listener.close()


@pytest.fixture
def drip() -> Iterator[Callable[[bytes, bytes], Drip]]:
    servers: list[Drip] = []

    def start(head: bytes, byte: bytes) -> Drip:
        servers.append(Drip(head, byte))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


CASES = {
    "in the body": (HEAD, b"x"),
    "in the head": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "not at all": (HEAD, b""),
}


def test_a_server_without_a_byte_did_not_answer_in_time(drip: Callable[[bytes, bytes], Drip]) -> None:
    server = drip(HEAD, b"")
    downloader = Downloader(label_studio_url=server.url, timeout_s=0.3, deadline_s=600)
    with pytest.raises(MediaUnavailable, match="did not answer in time"):
        downloader.fetch(f"{server.url}/data/upload/1/a.mp4", io.BytesIO())


@pytest.mark.parametrize("case", CASES)
def test_whoever_waits_can_give_up_and_nothing_remains(
    case: str, drip: Callable[[bytes, bytes], Drip], tmp_path: Path
) -> None:
    class InVain(Exception):
        pass

    server, looks = drip(*CASES[case]), []

    def alive() -> None:
        looks.append(1)
        if len(looks) > 20:
            raise InVain

    library = MediaLibrary(
        MediaCache(tmp_path, 1 << 30), Downloader(label_studio_url=server.url, timeout_s=600, deadline_s=600)
    )
    with pytest.raises(InVain):
        library.fetch("/data/upload/1/a.mp4", alive=alive)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_pause_between_two_tries_can_be_given_up(tmp_path: Path) -> None:
    class InVain(Exception):
        pass

    def alive() -> None:
        if failed:
            raise InVain

    failed = []

    class Away(Downloader):
        def fetch(self, url: str, file: object, alive: object = None) -> tuple[str, int]:  # type: ignore[override]
            failed.append(url)
            raise MediaUnavailable("away")

    library = MediaLibrary(MediaCache(tmp_path, 1 << 30), Away(label_studio_url="http://ls"), pause_s=3600)
    with pytest.raises(InVain):
        library.fetch("/data/upload/1/a.mp4", alive=alive)


def test_a_name_server_that_does_not_answer_ends_at_the_deadline() -> None:
    never = threading.Event()

    def resolver(host: str, port: int) -> list[str]:
        never.wait()
        return []

    downloader = Downloader(resolver=resolver, deadline_s=0.3)
    with pytest.raises(MediaUnavailable, match="was not complete after"):
        downloader.fetch("http://slow.example/a.mp4", io.BytesIO())
    never.set()
