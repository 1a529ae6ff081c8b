"""Fetching: where the token goes, what a redirect may do, how much is read, and what remains of a failure."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest

from backend.media import MediaError, MediaLibrary, MediaUnavailable
from backend.media.cache import MediaCache
from backend.media.download import Downloader

PUBLIC = "93.184.216.34"
Handler = Callable[[httpx.Request], httpx.Response]


def _downloader(handler: Handler, **options: Any) -> Downloader:
    return Downloader(
        label_studio_url="http://127.0.0.1:8080",
        label_studio_headers=lambda: {"Authorization": "Token secret"},
        transport=httpx.MockTransport(handler),
        resolver=options.pop("resolver", lambda host, port: [PUBLIC]),
        **options,
    )


def _redirects(table: dict[str, str], seen: list[httpx.Request]) -> Handler:
    """A web of redirects; every other address answers with a body."""

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        host = request.headers["host"]
        target = table.get(f"{request.url.scheme}://{host}{request.url.raw_path.decode()}")
        return httpx.Response(302, headers={"Location": target}) if target else httpx.Response(200, content=b"video")

    return answer


def test_the_token_goes_to_label_studio_alone() -> None:
    seen: list[httpx.Request] = []
    downloader = _downloader(_redirects({"http://127.0.0.1:8080/data/upload/a.mp4": "https://cdn.example/a.mp4"}, seen))
    assert downloader.fetch("http://127.0.0.1:8080/data/upload/a.mp4", io.BytesIO())[1] == 5
    assert [("authorization" in request.headers) for request in seen] == [True, False]
    seen.clear()
    downloader.fetch("http://127.0.0.1.example:8080/a.mp4", io.BytesIO())
    downloader.fetch("https://127.0.0.1.example/http://127.0.0.1:8080/", io.BytesIO())
    assert not any("authorization" in request.headers for request in seen)


@pytest.mark.parametrize(
    "port_or_scheme", ["http://127.0.0.1:8081/a.mp4", "https://127.0.0.1:8080/a.mp4", "http://127.0.0.1/a.mp4"]
)
def test_another_port_or_scheme_is_not_label_studio(port_or_scheme: str) -> None:
    downloader = _downloader(_redirects({}, []), resolver=lambda host, port: [host])
    with pytest.raises(MediaError, match="not on the public internet"):
        downloader.fetch(port_or_scheme, io.BytesIO())


def test_endless_redirects_end() -> None:
    downloader = _downloader(_redirects({"http://out.example/a": "http://out.example/a"}, []))
    with pytest.raises(MediaError, match="redirects more than"):
        downloader.fetch("http://out.example/a", io.BytesIO())


def test_the_certificate_is_that_of_the_name() -> None:
    """Although its address is connected to."""
    seen: list[httpx.Request] = []
    _downloader(_redirects({}, seen)).fetch("https://videos.example:8443/a.mp4", io.BytesIO())
    assert seen[0].url.host == PUBLIC and seen[0].headers["host"] == "videos.example:8443"
    assert seen[0].extensions["sni_hostname"] == "videos.example"


def test_an_allowed_origin_may_be_private() -> None:
    seen: list[httpx.Request] = []
    downloader = _downloader(
        _redirects({}, seen), allowed_origins=["http://files.intern:8000"], resolver=lambda host, port: ["10.0.0.9"]
    )
    downloader.fetch("http://files.intern:8000/a.mp4", io.BytesIO())
    assert "authorization" not in seen[0].headers
    with pytest.raises(MediaError):
        downloader.fetch("http://files.intern:8001/a.mp4", io.BytesIO())


def test_a_log_in_page_is_not_taken_for_a_video() -> None:
    table = {"http://127.0.0.1:8080/data/upload/a.mp4": "/user/login/?next=/data/upload/a.mp4"}
    with pytest.raises(MediaError, match="STVG_LABEL_STUDIO_TOKEN"):
        _downloader(_redirects(table, [])).fetch("http://127.0.0.1:8080/data/upload/a.mp4", io.BytesIO())


def _library(tmp_path: Path, downloader: Downloader, **options: Any) -> MediaLibrary:
    return MediaLibrary(MediaCache(tmp_path / "media", 1 << 30), downloader, pause_s=0, **options)


def test_server_faults_are_tried_again_and_the_result_is_kept(tmp_path: Path) -> None:
    answers = iter([httpx.Response(503), httpx.Response(502), httpx.Response(200, content=b"video")])
    library = _library(tmp_path, _downloader(lambda request: next(answers)))
    file = library.fetch("https://h.example/clips/a.mp4?sig=1")
    assert file.sha256 == hashlib.sha256(b"video").hexdigest() and file.size_bytes == 5
    assert file.path.name == "a.mp4" and file.path.read_bytes() == b"video"
    assert library.fetch("https://h.example/clips/a.mp4?sig=1") == file  # no request is left to answer


def test_a_local_file_is_hashed_and_not_copied(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.mp4").write_bytes(b"video")
    library = _library(tmp_path, _downloader(lambda r: httpx.Response(500)), document_root=root)
    file = library.fetch("/data/local-files/?d=a.mp4")
    assert file.path == (root / "a.mp4").resolve() and file.sha256 == hashlib.sha256(b"video").hexdigest()
    (root / "a.mp4").write_bytes(b"another")
    assert library.fetch("/data/local-files/?d=a.mp4").sha256 == hashlib.sha256(b"another").hexdigest()


def _fill(cache: MediaCache, url: str, size: int, age_s: float) -> Path:
    def write(file: BinaryIO) -> tuple[str, int]:
        file.write(b"x" * size)
        return hashlib.sha256(url.encode()).hexdigest(), size

    path = cache.store(url, "v.mp4", write).path
    moment = path.stat().st_mtime - age_s
    os.utime(path.parent / ".meta.json", (moment, moment))
    return path


def test_the_longest_unused_videos_go_first_and_those_in_use_stay(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 10_000)
    old, older, used = (_fill(cache, name, 1000, age) for name, age in (("a", 5000), ("b", 9000), ("c", 0)))
    cache.evict(2500)
    assert not older.exists() and old.exists() and used.exists()
    cache.evict(0)
    assert not old.exists() and used.exists() and cache.find("a") is None and cache.find("c") is not None


def test_a_damaged_entry_is_fetched_again(tmp_path: Path) -> None:
    library = _library(tmp_path, _downloader(lambda r: httpx.Response(200, content=b"video")))
    path = library.fetch("https://h.example/a.mp4").path
    path.write_bytes(b"vi")
    assert library.fetch("https://h.example/a.mp4").path.read_bytes() == b"video"
    (path.parent / ".meta.json").write_text("{")
    assert library.fetch("https://h.example/a.mp4").size_bytes == 5


def test_the_next_address_of_a_host_is_asked_where_nobody_answers_at_one() -> None:
    """A name has an address of IPv6 as well, which many networks do not reach."""
    asked: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.host, request.headers.get("range")))
        assert request.headers["host"] == "cdn.example" and request.extensions["sni_hostname"] == "cdn.example"
        if request.url.host == "2606:2800:220:1::1":
            raise httpx.ConnectError("Network is unreachable")
        if request.url.host == "93.184.216.35":
            raise httpx.ConnectTimeout("timed out")
        return httpx.Response(200, content=b"video")

    def fetch(*addresses: str) -> int:
        downloader = _downloader(answer, resolver=lambda host, port: list(addresses))
        return downloader.fetch("https://cdn.example/a.mp4", io.BytesIO())[1]

    every = ("2606:2800:220:1::1", "93.184.216.35", PUBLIC)
    assert fetch(*every) == 5 and tuple(host for host, _ in asked) == every
    with pytest.raises(MediaUnavailable, match="cannot be read: ConnectError"):
        fetch(every[0])
    asked.clear()
    with pytest.raises(MediaError, match="not on the public internet"):
        fetch(PUBLIC, "10.0.0.1")
    assert asked == []
