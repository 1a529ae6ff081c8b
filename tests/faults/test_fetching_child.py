"""Faults 8 to 10 again, where a process of its own fetches: it hangs, eats memory or is killed."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from backend.jobs.lease import Stopping
from backend.media import MediaLibrary, MediaUnavailable
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from backend.media.fetching import Source, fetch_here
from backend.media.fetching_child import FetchingProcesses
from backend.media.watch import Alive
from tests.faults import naive_cache
from tests.faults.fault import fault
from tests.faults.patience import StillWaiting, patience
from tests.faults.servers import Server, redirect, said, talking_to
from tests.faults.service import Service
from tests.faults.without import hour, nothing, yes
from tests.media.hostile import HELD_BYTES
from tests.media.test_drip import CASES, Drip

FAULTS = (2, 8, 9, 10)

NEVER = float("inf")


def fetching(service: Service, processes: FetchingProcesses, downloader: Downloader | None = None) -> MediaLibrary:
    """The service's library, with these processes; one try at each address."""
    media = MediaLibrary(
        MediaCache(service.cache, 1 << 30), downloader or service.downloader, document_root=service.videos,
        fetch=processes.fetch, tries=1,
    )  # fmt: skip
    service.loop.worker.media = media
    return media


@fault(2, guard="backend.media.download.FOLLOW_REDIRECTS", without=True, children=True)
@fault(2, guard="backend.media.address.is_public", without=yes, children=True)
def test_the_process_that_fetches_checks_each_hop(service: Service) -> None:
    with Server(said(200, b"secret")) as inner, Server(redirect("/on"), redirect(f"{inner.url}/a")) as outer:
        service.downloader.allowed_origins = [outer.url]
        fetching(service, FetchingProcesses(600, 0, 600))
        job = service.ground(f"{outer.url}/a.mp4")
        assert job.state == "failed" and "not on the public internet" in str(job.reason)
        assert len(outer.asked) == 2 and inner.asked == []


@fault(8, guard="stvg_core.children.child.Child._deadline", without=lambda child: NEVER, by=StillWaiting)
def test_a_fetch_that_hangs_is_ended_with_its_process(service: Service) -> None:
    processes = FetchingProcesses(0.5, 0, 600, fetcher="tests.media.hostile:hangs")
    media = fetching(service, processes)
    with pytest.raises(MediaUnavailable, match=r"nothing came for 0.5 s, and fetching it was ended"):
        media.fetch("http://videos.example/a.mp4", alive=patience(12))
    assert service.kept() == [] and processes._idle == []


def _here(self: FetchingProcesses, source: Source, url: str, file: BinaryIO, alive: Alive | None) -> tuple[str, int]:
    return fetch_here(source, url, file, alive)


@fault(8, guard="backend.media.fetching_child.FetchingProcesses.fetch", without=_here, hangs_s=3.0)
def test_a_worker_that_is_told_to_end_does_not_wait_for_a_handshake(service: Service) -> None:
    """OpenSSL waits for as long as it may; meanwhile no code of ours runs in that process."""
    silent = Drip(b"", b"")
    url = silent.url.replace("http", "https")
    media = fetching(service, FetchingProcesses(600, 0, 600), Downloader(allowed_origins=[url], timeout_s=600))

    def look() -> None:
        if talking_to(silent.port):
            raise Stopping

    try:
        with pytest.raises(Stopping):
            media.fetch(f"{url}/a.mp4", alive=look)
    finally:
        silent.close()
    assert service.kept() == []


@fault(
    8,
    guard="backend.media.watch.Watch.left",
    without=hour,
    also={"backend.media.fetching_child._GRACE_S": 3600.0},
    children=True,
    by=StillWaiting,
)
@pytest.mark.parametrize("case", ["in the body", "not at all"])
def test_a_source_that_drips_ends_at_the_deadline_in_its_process_too(case: str, service: Service) -> None:
    server = Drip(*CASES[case])
    downloader = Downloader(label_studio_url=server.url, timeout_s=600, deadline_s=0.4)
    media = fetching(service, FetchingProcesses(600, 0, 0.4), downloader)
    try:
        with pytest.raises(MediaUnavailable, match=r"not complete after 0.4 s"):
            media.fetch("/data/upload/1/a.mp4", alive=patience(40))
    finally:
        server.close()
    assert service.kept() == []


@fault(9, guard="stvg_core.children.serving._limit", without=nothing, children=True)
def test_a_fetch_that_eats_memory_fails_its_job_and_the_next_is_done(service: Service) -> None:
    fetching(service, FetchingProcesses(600, HELD_BYTES // 2, 600, fetcher="tests.media.hostile:needs_memory"))
    job = service.ground("http://videos.example/a.mp4")
    assert (job.state, job.attempts) == ("failed", 1) and "needs more than 1024 MiB of memory" in str(job.reason)
    assert service.kept() == []
    (service.videos / "good.mp4").write_bytes(b"video")
    assert service.ground("/data/local-files/?d=good.mp4").state == "done"


@fault(
    10,
    guard="backend.media.cache.MediaCache.store",
    without=naive_cache.store,
    also={"backend.media.cache.MediaCache.find": naive_cache.find},
)
def test_a_kill_of_the_process_that_fetches_is_said_and_its_part_is_no_video(service: Service) -> None:
    killed = threading.Event()

    def half(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(150_000))
        while not any(file.stat().st_size for file in service.kept()):
            killed.wait(0.02)
        for one in talking_to(source.port):
            one.kill()
        killed.set()

    with Server(half, said(200, b"video" * 40_000)) as source:
        service.downloader.allowed_origins = [source.url]
        media: Any = fetching(service, FetchingProcesses(600, 0, 600))
        job = service.ground(f"{source.url}/a.mp4")
        assert killed.is_set() and (job.state, job.attempts) == ("queued", 1), "a try is left"
        assert f"Fetching {source.url}/a.mp4 was ended by the system" in str(job.reason)
        assert media.here(f"{source.url}/a.mp4") is None and service.kept() == []
        service.work()
        assert service.loop.job(job.id).state == "done"
        found = media.here(f"{source.url}/a.mp4")
    assert found is not None and Path(found.path).read_bytes() == b"video" * 40_000
