"""Fetching in a child: the same files, errors and words as here, and what hangs or eats memory costs one process."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from backend.media import MediaError, MediaLibrary, MediaUnavailable
from backend.media.cache import MediaCache
from backend.media.cloud import CloudFiles
from backend.media.cloud_services import Service
from backend.media.download import Downloader
from backend.media.fetching import Source, fetch_here, open_fetching
from backend.media.fetching_child import FetchingProcesses
from backend.media.parts import Part
from tests.faults.servers import VIDEO, Answer, Server, redirect, said, talking_to
from tests.media.test_drip import Drip
from tests.video.test_child import alive

ROOT = Path(__file__).parents[2]
MEMORY = 1 << 30
SHA256 = hashlib.sha256(b"video").hexdigest()


def patient(fetcher: str | None = None, **options: Any) -> FetchingProcesses:
    """Limits that a busy machine does not reach by itself."""
    more = {} if fetcher is None else {"fetcher": f"tests.media.hostile:{fetcher}"}
    return FetchingProcesses(600, MEMORY, 600, **more, **options)


@pytest.fixture(scope="module")
def processes() -> Iterator[FetchingProcesses]:
    found = patient()
    yield found
    found.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One address for all tests, so that one process is used for all of it; the answers are the test's."""
    with Server(VIDEO) as found:
        yield found


def outcome(fetch: Any, source: Source, url: str, folder: Path) -> tuple[Any, ...]:
    """What a fetch gives or raises, and what is in the file then."""
    path = folder / "a.part"
    with path.open("wb") as file:
        try:
            given = fetch(source, url, file, lambda: None)
        except MediaError as error:
            return type(error), str(error)
    return given, path.read_bytes()


def idle(processes: FetchingProcesses) -> list[int]:
    return [child.pid for child in processes._idle]


CASES: dict[str, tuple[Answer, str]] = {
    "a video": (VIDEO, "/a.mp4"),
    "forbidden": (said(403), "/a.mp4?sig=hush"),
    "not there": (said(404), "/a.mp4"),
    "busy": (said(503), "/a.mp4"),
    "to an inner address": (redirect("http://127.0.0.1:9/a.mp4"), "/a.mp4"),
    "to another scheme": (redirect("file:///etc/passwd"), "/a.mp4"),
    "in a circle": (redirect("/a.mp4"), "/a.mp4"),
    "a page": (said(200, b"<html>", "Content-Type: text/html"), "/a.mp4"),
    "compressed": (said(200, b"video", "Content-Encoding: gzip"), "/a.mp4"),
    "empty": (said(200), "/a.mp4"),
    "too large": (said(200, bytes(1 << 20)), "/a.mp4"),
    "cut off": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nvideo", "/a.mp4"),
    "no HTTP": (b"220 mail.example ESMTP\r\n", "/a.mp4"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_comes_of_it_as_here(case: str, processes: FetchingProcesses, server: Server, tmp_path: Path) -> None:
    answer, path = CASES[case]
    server.answers[:] = [answer]
    source = Downloader(allowed_origins=[server.url], max_bytes=1 << 19, timeout_s=600, deadline_s=600)
    here = outcome(fetch_here, source, server.url + path, tmp_path)
    assert outcome(processes.fetch, source, server.url + path, tmp_path) == here
    assert here == ((SHA256, 5), b"video") or issubclass(here[0], MediaError)
    assert "hush" not in str(here)


@pytest.mark.parametrize(
    ("source", "url"),
    [
        (Downloader(), "http://127.0.0.1:9/a.mp4"),
        (Downloader(), "http://[::ffff:127.0.0.1]/a.mp4"),
        (Downloader(), "ftp://host.example/a.mp4"),
        (Downloader(allowed_origins=["http://127.0.0.1:1"]), "http://127.0.0.1:1/a.mp4"),
        (Downloader(label_studio_url="http://127.0.0.1:1"), "http://127.0.0.1:1/api/current-user/token"),
        (CloudFiles(), "s3://bucket"),
        (CloudFiles(), "s3://key:hush@bucket/a.mp4"),
    ],
)
def test_what_is_refused_here_is_refused_there(
    source: Source, url: str, processes: FetchingProcesses, tmp_path: Path
) -> None:
    here = outcome(fetch_here, source, url, tmp_path)
    assert outcome(processes.fetch, source, url, tmp_path) == here and issubclass(here[0], MediaError)


def test_a_handshake_that_hangs_is_no_answer_in_time(processes: FetchingProcesses, tmp_path: Path) -> None:
    silent = Drip(b"", b"")
    url = silent.url.replace("http", "https") + "/a.mp4"
    source = Downloader(allowed_origins=[url.rpartition("/")[0]], timeout_s=0.3)
    try:
        found = outcome(processes.fetch, source, url, tmp_path)
    finally:
        silent.close()
    assert found[0] is MediaUnavailable and "did not answer in time" in found[1]


def test_label_studios_token_comes_over_the_pipe_and_goes_to_media_alone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STVG_LABEL_STUDIO_TOKEN", "hush")
    asked: list[int] = []

    def headers() -> dict[str, str]:
        asked.append(1)
        return {"Authorization": f"Token hush{len(asked)}"}

    processes = patient()
    with Server(VIDEO) as store:
        server.answers[:] = [redirect(f"{store.url}/a.mp4?sig=hush")]
        del server.asked[:]
        source = Downloader(
            label_studio_url=server.url, label_studio_headers=headers, allowed_origins=[store.url], timeout_s=600
        )
        for _ in range(2):
            assert outcome(processes.fetch, source, f"{server.url}/data/upload/1/a.mp4", tmp_path)[0] == (SHA256, 5)
        server.answers[:] = [VIDEO]
        assert outcome(processes.fetch, source, f"{server.url}/static/a.mp4", tmp_path)[0] == (SHA256, 5)
        assert [("hush" in head.partition("\r\n\r\n")[0].partition("\r\n")[2]) for head in store.asked] == [False] * 2
    tokens = [next((line for line in head.split("\r\n") if "hush" in line), None) for head in server.asked]
    assert tokens == ["Authorization: Token hush1", "Authorization: Token hush2", None], "a fresh one each time"
    [pid] = idle(processes)
    for name in ("cmdline", "environ"):
        assert b"hush" not in Path(f"/proc/{pid}/{name}").read_bytes()
    processes.close()
    assert "hush" not in "".join(capfd.readouterr())


def test_a_token_that_cannot_be_had_is_said_as_here(
    processes: FetchingProcesses, server: Server, tmp_path: Path
) -> None:
    def headers() -> dict[str, str]:
        raise MediaUnavailable("Label Studio does not answer.")

    source = Downloader(label_studio_url=server.url, label_studio_headers=headers)
    url = f"{server.url}/data/upload/1/a.mp4"
    here = outcome(fetch_here, source, url, tmp_path)
    assert here == (MediaUnavailable, "Label Studio does not answer.")
    assert outcome(processes.fetch, source, url, tmp_path) == here


def test_a_process_is_used_again_for_the_same_server_only(server: Server, tmp_path: Path) -> None:
    processes, pids = patient(), []
    with Server(VIDEO) as other:
        source = Downloader(allowed_origins=[server.url, other.url], timeout_s=600)
        for answer, url in ((VIDEO, server.url), (said(404), server.url), (VIDEO, server.url), (VIDEO, other.url)):
            server.answers[:] = [answer]
            outcome(processes.fetch, source, f"{url}/a.mp4", tmp_path)
            pids += idle(processes)
    assert len(pids) == 4 and pids[0] == pids[1] == pids[2] != pids[3]
    assert not alive(pids[0]) and alive(pids[3]), "one waits at most"
    processes.close()
    assert not alive(pids[3])


def test_an_object_of_a_storage_is_fetched_there(tmp_path: Path) -> None:
    processes = patient("from_memory")
    size = 3 << 20
    given, content = outcome(processes.fetch, CloudFiles(), "s3://bucket/clips/3072", tmp_path)
    assert given == (hashlib.sha256(bytes(size)).hexdigest(), size) and content == bytes(size)
    found = outcome(processes.fetch, CloudFiles(max_bytes=1 << 20), "s3://bucket/clips/1025", tmp_path)
    assert found[0] is MediaError and "s3://bucket/clips/1025 is larger than 1 MiB" in found[1]
    assert len(idle(processes)) == 1
    processes.close()


def test_the_cache_looks_whether_all_fits_while_another_process_writes(server: Server, tmp_path: Path) -> None:
    looked: list[int] = []
    with Part(tmp_path / "parts", lambda: looked.append(os.fstat(part.file.fileno()).st_size)) as part:
        patient("from_memory").fetch(CloudFiles(), f"s3://bucket/{130 << 10}", part.file, None)
    assert len(looked) == 3 and looked[0] == 0 and looked[1] >= 64 << 20 and looked[2] >= 128 << 20


def test_a_disk_that_is_full_is_not_the_servers_fault(processes: FetchingProcesses, server: Server) -> None:
    server.answers[:] = [VIDEO]
    with Path("/dev/full").open("wb") as file, pytest.raises(OSError, match="No space left") as raised:
        processes.fetch(Downloader(allowed_origins=[server.url], timeout_s=600), f"{server.url}/a.mp4", file, None)
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("fetcher", "kind", "reason"),
    [
        ("crashes", MediaError, r"The process that fetched s3://b/a crashed \(SIGSEGV\)"),
        ("is_killed", MediaUnavailable, "Fetching s3://b/a was ended by the system"),
        ("needs_memory", MediaError, r"s3://b/a needs more than 1024 MiB of memory.*STVG_FETCH_MEMORY_BYTES"),
        ("lies_about_the_size", MediaUnavailable, "was fetched as 4 bytes, and 5 of them are on the disk"),
        ("lies_about_the_name", MediaUnavailable, "s3://b/a was fetched as 5 bytes"),
        ("tells", MediaError, r"loaded \[\], settings \[\]"),
    ],
)
def test_what_becomes_of_a_process_is_said_and_nothing_is_kept(
    fetcher: str, kind: type[MediaError], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STVG_LABEL_STUDIO_TOKEN", "hush")
    library = MediaLibrary(MediaCache(tmp_path, 1 << 30), Downloader(), fetch=patient(fetcher).fetch, tries=1)
    with pytest.raises(MediaError, match=reason) as raised:
        library.fetch("s3://b/a", project=-1)
    assert type(raised.value) is kind
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_defect_is_no_fault_of_the_video(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"the fetching process failed at s3://b/a:(.|\n)*KeyError: 'a defect'"):
        outcome(patient("fails").fetch, CloudFiles(), "s3://b/a", tmp_path)


@pytest.mark.parametrize("fetcher", ["hangs", "drips"])
def test_a_process_that_does_not_keep_the_deadline_is_ended(
    fetcher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.media.fetching_child._GRACE_S", 0.0)
    processes = FetchingProcesses(600, MEMORY, 1.0, fetcher=f"tests.media.hostile:{fetcher}")
    found = outcome(processes.fetch, CloudFiles(), "s3://b/a", tmp_path)
    assert found == (MediaUnavailable, "s3://b/a was not complete after 1 s.")


def test_a_process_in_which_something_goes_on_is_not_used_again(tmp_path: Path) -> None:
    processes = patient("gives_up")
    assert outcome(processes.fetch, CloudFiles(), "s3://b/a", tmp_path) == (MediaUnavailable, "given up")
    assert idle(processes) == []


def test_a_process_that_needed_much_memory_is_not_used_again(tmp_path: Path) -> None:
    """Its peak would be taken for the reason when a later address does not answer."""
    processes = patient("needs_nearly_all")
    assert outcome(processes.fetch, CloudFiles(), "s3://b/small", tmp_path)[0] == (SHA256, 5)
    assert len(idle(processes)) == 1
    assert outcome(processes.fetch, CloudFiles(), "s3://b/large", tmp_path)[0] == (SHA256, 5)
    assert idle(processes) == []


def test_what_cannot_be_told_to_another_process_is_an_error_and_not_left_out(
    processes: FetchingProcesses, tmp_path: Path
) -> None:
    for source in (
        Downloader(transport=httpx.MockTransport(lambda request: httpx.Response(200))),
        Downloader(resolver=lambda host, port: ["93.184.216.34"]),
        CloudFiles(services={"s3": Service("memory", "fsspec")}),
    ):
        with pytest.raises(TypeError, match="cannot be told to another process"):
            outcome(processes.fetch, source, "s3://b/a.mp4", tmp_path)


def test_without_a_limit_of_seconds_this_process_fetches() -> None:
    assert open_fetching(0, MEMORY, 600) is fetch_here


class InVain(Exception):
    pass


def test_whoever_waits_can_give_up_while_a_handshake_hangs(tmp_path: Path) -> None:
    silent = Drip(b"", b"")
    url, processes = silent.url.replace("http", "https"), patient()
    taken: list[int] = []

    def look() -> None:
        taken.extend(one.pid for one in talking_to(silent.port))
        if taken:
            raise InVain

    library = MediaLibrary(
        MediaCache(tmp_path, 1 << 30), Downloader(allowed_origins=[url], timeout_s=600), fetch=processes.fetch
    )
    try:
        with pytest.raises(InVain):
            library.fetch(f"{url}/a.mp4", alive=look)
    finally:
        silent.close()
    assert not alive(taken[0])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


PARENT = """
import sys
from pathlib import Path
from backend.media.cloud import CloudFiles
from backend.media.fetching_child import FetchingProcesses
fetcher = f"tests.media.hostile:{sys.argv[2]}"
with Path(sys.argv[1]).open("wb") as file:
    FetchingProcesses(600, 1 << 30, 600, fetcher=fetcher).fetch(CloudFiles(), "s3://b/a", file, None)
"""


@pytest.mark.parametrize("fetcher", ["hangs", "drips"])
def test_a_process_does_not_outlive_its_parent(fetcher: str, tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(path), fetcher], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        while not (path.exists() and path.stat().st_size):
            assert parent.poll() is None
            time.sleep(0.05)
        [child] = psutil.Process(parent.pid).children()
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    while alive(child.pid):
        time.sleep(0.05)
