"""Faults 7 to 11: a source that refuses, fails, lies or is cut off while a video is fetched."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import h11
import httpx
import pytest

from backend.media import MediaFile, MediaUnavailable
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from backend.media.parts import Part
from backend.media.watch import Alive, Watch
from tests.faults import naive_cache
from tests.faults.fault import ROOT, fault
from tests.faults.servers import VIDEO, Answer, Server, said
from tests.faults.service import Service
from tests.faults.without import hour, no, nothing, yes
from tests.media.test_drip import CASES, Drip

FAULTS = range(7, 12)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def reset(connection: socket.socket) -> None:
    """End the connection as a crashed server does, in the middle of its answer."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nvid")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@fault(7, guard="backend.media.download.may_pass", without=yes)
@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
def test_a_refusal_fails_the_job_at_once(service: Service, status: int) -> None:
    with Server(said(status)) as source:
        service.downloader.allowed_origins = [source.url]
        job = service.ground(f"{source.url}/a.mp4?sig=hush")
        assert (job.state, job.attempts, len(source.asked)) == ("failed", 1, 1)
    assert f"answered {status}" in str(job.reason) and "hush" not in str(job.reason)
    assert service.kept() == []
    (service.videos / "good.mp4").write_bytes(b"video")
    assert service.ground("/data/local-files/?d=good.mp4").state == "done", "the next job is worked on"


def _once(self: Any, url: str, file: BinaryIO, alive: Alive | None) -> tuple[str, int]:
    return self._downloader.fetch(url, file, alive)  # type: ignore[no-any-return]


@fault(8, guard="backend.media.library.MediaLibrary._download", without=_once)
@fault(8, guard="backend.media.download.may_pass", without=no)
@pytest.mark.parametrize(
    "problems", [(said(503), said(429)), (said(500), reset), (reset, said(408))], ids=["busy", "ends", "begins"]
)
def test_what_may_pass_is_tried_again(service: Service, problems: tuple[Answer, ...]) -> None:
    with Server(*problems, VIDEO) as source:
        service.downloader.allowed_origins = [source.url]
        job = service.ground(f"{source.url}/a.mp4")
        assert (job.state, job.attempts, len(source.asked)) == ("done", 1, 3)


def _at_once(first_s: float, attempt: int) -> float:
    return 0.0


@fault(8, guard="backend.jobs.worker.pause", without=_at_once)
@fault(8, guard="backend.media.library.pause", without=_at_once)
@fault(8, guard="backend.jobs.worker.Worker._another_try", without=yes)
@pytest.mark.parametrize("problem", [said(502), reset], ids=["status", "reset"])
def test_a_source_that_stays_away_fails_the_job_after_some_tries(
    service: Service, problem: Answer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(Watch, "wait", lambda self, seconds: rests.append(seconds))
    service.loop.worker.media._pause_s = 1.0  # type: ignore[attr-defined]
    with Server(problem) as source:
        service.downloader.allowed_origins = [source.url]
        job = service.ground(f"{source.url}/a.mp4")
        states = [job.state]
        for _ in range(2):
            assert service.loop.worker.run_once() == 0, "not before its pause is over"
            service.work()
            states.append(service.loop.job(job.id).state)
        assert states == ["queued", "queued", "failed"] and len(source.asked) == 9
    assert "127.0.0.1" in str(service.loop.job(job.id).reason)
    assert rests == [1.0, 2.0] * 3, "longer each time"
    assert [text for text in ("in 60 s", "in 240 s") if text not in caplog.text] == []
    assert service.kept() == []


@fault(8, guard="backend.media.watch.Watch.left", without=hour, hangs_s=2.0)
@pytest.mark.parametrize("case", CASES)
def test_a_source_that_drips_ends_at_the_deadline(case: str, tmp_path: Path) -> None:
    """Each read is answered in time, and the whole never comes."""
    server = Drip(*CASES[case])
    downloader = Downloader(label_studio_url=server.url, timeout_s=600, deadline_s=0.4)
    try:
        with (tmp_path / "a").open("wb") as file, pytest.raises(MediaUnavailable, match=r"not complete after 0.4 s"):
            downloader.fetch(f"{server.url}/data/upload/1/a.mp4", file)
    finally:
        server.close()


def chunks(count: int) -> bytes:
    """A body of so many KiB that says no length."""
    return CHUNKED + (b"400\r\n" + bytes(1024) + b"\r\n") * count + b"0\r\n\r\n"


LARGE = {
    "no length": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(64 << 10),
    "chunked": chunks(64),
    "true length": said(200, bytes(64 << 10)),
}


@fault(9, guard="backend.media.download.Downloader._refuse_more", without=nothing)
@pytest.mark.parametrize("body", LARGE)
def test_a_body_over_the_cap_is_refused_and_nothing_of_it_is_kept(service: Service, body: str) -> None:
    service.downloader.max_bytes = 4 << 10
    with Server(LARGE[body]) as source:
        service.downloader.allowed_origins = [source.url]
        job = service.ground(f"{source.url}/a.mp4")
        assert job.state == "failed" and "is larger than" in str(job.reason) and len(source.asked) == 1
    assert service.kept() == []


def _whole(self: Any) -> h11.EndOfMessage:
    """What lenient HTTP libraries make of a connection that ends too early."""
    return h11.EndOfMessage()


SHORT = {
    "ContentLengthReader": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nvideo",
    "ChunkedReader": CHUNKED + b"5\r\nvideo\r\n",
}


@fault(9, guard="h11._readers.ChunkedReader.read_eof", without=_whole)
@fault(9, guard="h11._readers.ContentLengthReader.read_eof", without=_whole)
def test_a_body_that_ends_before_its_length_is_not_taken(service: Service) -> None:
    for body in SHORT.values():
        with Server(body) as source:
            service.downloader.allowed_origins = [source.url]
            job = service.ground(f"{source.url}/a.mp4")
            assert job.state == "queued" and "cannot be read" in str(job.reason) and len(source.asked) == 3
    assert service.kept() == []


def _close(self: Part, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
    self.file.close()


@fault(9, guard="backend.media.parts.Part.__exit__", without=_close)
@pytest.mark.parametrize("answer", [*SHORT.values(), chunks(64), reset], ids=["length", "chunks", "large", "reset"])
def test_what_came_of_a_body_that_failed_is_removed(service: Service, answer: Answer) -> None:
    service.downloader.max_bytes = 4 << 10
    with Server(answer) as source:
        service.downloader.allowed_origins = [source.url]
        assert service.ground(f"{source.url}/a.mp4").state in ("queued", "failed")
    assert service.kept() == []


@fault(9, guard="backend.media.download._refuse_compressed", without=nothing)
@pytest.mark.parametrize("times", [1, 2])
def test_a_compressed_body_is_not_unpacked(service: Service, times: int) -> None:
    """32 MiB of zeros, packed once or twice; a third time would make terabytes of it."""
    body = bytes(32 << 20)
    for _ in range(times):
        body = gzip.compress(body, 1)
    service.downloader.max_bytes = 1 << 20
    with Server(said(200, body, f"Content-Encoding: {', '.join(['gzip'] * times)}")) as source:
        service.downloader.allowed_origins = [source.url]
        tracemalloc.start()
        try:
            job = service.ground(f"{source.url}/a.mp4")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 8 << 20
    assert job.state == "failed" and "is sent compressed" in str(job.reason) and service.kept() == []


class Parts:
    """Label Studio's storage proxy: a piece of a file, and more of it when asked; the file may change meanwhile."""

    def __init__(self, *versions: bytes, piece: int) -> None:
        self.versions, self.piece = list(versions), piece

    def __call__(self, request: httpx.Request) -> httpx.Response:
        content = self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        body = content[start : start + self.piece]
        headers = {"Content-Range": f"bytes {start}-{start + len(body) - 1}/{len(content)}"}
        return httpx.Response(206 if start else 200, headers=headers, content=iter([body]))


@fault(9, guard="backend.media.download._refuse_another", without=nothing)
@pytest.mark.parametrize("size", [70, 90], ids=["shrinks", "grows"])
def test_a_file_that_changes_between_two_requests_is_not_put_together(size: int, tmp_path: Path) -> None:
    url = "http://ls.example:8080"
    parts = Parts(b"a" * 80, b"b" * size, piece=50)
    downloader = Downloader(label_studio_url=url, transport=httpx.MockTransport(parts))
    with (tmp_path / "a").open("wb") as file, pytest.raises(MediaUnavailable, match="changed while it was fetched"):
        downloader.fetch(f"{url}/data/upload/1/a.mp4", file)


FETCH = """
import sys
from pathlib import Path
from backend.media.cache import MediaCache
from backend.media.download import Downloader
downloader = Downloader(allowed_origins=[sys.argv[2]])
MediaCache(Path(sys.argv[1]), 1 << 30).store(sys.argv[2], "a.mp4", lambda file: downloader.fetch(sys.argv[2], file))
"""


@fault(
    10,
    guard="backend.media.cache.MediaCache.store",
    without=naive_cache.store,
    also={"backend.media.cache.MediaCache.find": naive_cache.find},
    children=True,
)
def test_a_kill_in_the_middle_of_a_download_leaves_no_part_of_it_for_a_video(tmp_path: Path) -> None:
    sent, over = threading.Event(), threading.Event()

    def half(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(150_000))
        sent.set()
        over.wait()

    with Server(half, said(200, b"v" * 200_000)) as source:
        path = os.pathsep.join(part for part in (os.environ.get("PYTHONPATH", ""), str(ROOT)) if part)
        child = subprocess.Popen(
            [sys.executable, "-c", FETCH, str(tmp_path), source.url], env={**os.environ, "PYTHONPATH": path}
        )
        try:
            while not any(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()):
                assert child.poll() is None
                sent.wait(0.02)
        finally:
            child.kill()
            child.wait()
            over.set()
        cache, downloader = MediaCache(tmp_path, 1 << 30), Downloader(allowed_origins=[source.url])
        assert cache.find(source.url) is None
        found = cache.find_or_store(
            source.url, "a.mp4", lambda file: downloader.fetch(source.url, file), lambda: pytest.fail("a dead lock")
        )
    assert found.path.read_bytes() == b"v" * 200_000
    files = {file.stat().st_ino for file in tmp_path.rglob("*") if file.is_file() and file.name != ".meta.json"}
    assert len(files) == 1, "nothing is left of the first one"


def _by_name(self: MediaCache, url: str) -> Path:
    return self.folder / url.rpartition("/")[2].partition("?")[0].partition("#")[0]


@fault(11, guard="backend.media.cache.MediaCache._entry", without=_by_name)
def test_two_addresses_with_one_file_name_are_two_videos(tmp_path: Path) -> None:
    bodies = iter(f"video {number}".encode() for number in range(100))
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=next(bodies)))
    downloader = Downloader(transport=transport, resolver=lambda host, port: ["93.184.216.34"])
    cache = MediaCache(tmp_path, 1 << 30)
    places = ("1/a.mp4", "2/a.mp4", "1/a.mp4?v=1", "1/a.mp4?v=2", "A.mp4", "1%2Fa.mp4")
    urls = [f"https://videos.example/{place}" for place in places]
    urls += ["https://other.example/1/a.mp4", "http://videos.example/1/a.mp4"]
    found: dict[str, MediaFile] = {
        url: cache.find_or_store(url, "a.mp4", lambda file, url=url: downloader.fetch(url, file), lambda: None)
        for url in urls
    }
    assert len({file.path for file in found.values()}) == len({file.sha256 for file in found.values()}) == len(urls)
    assert all(cache.find(url) == file for url, file in found.items())
