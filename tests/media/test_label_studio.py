"""Label Studio under a prefix, under several names, and as the way to objects of a storage; what each may open."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.media import MediaError, MediaLibrary, MediaUnavailable
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from backend.media.label_studio import LabelStudioPlace
from backend.media.source import Local, Remote, Stored, find_source
from backend.routes import Owner, climbs, is_media

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.9"
Handler = Callable[[httpx.Request], httpx.Response]
PREFIXED = LabelStudioPlace(
    "http://ls:8080/label-studio", ("https://tools.example/label-studio", "http://localhost:8080")
)
SIGNED = "https://bucket.example/videos/a.mp4?X-Amz-Signature=hush&X-Amz-Credential=hush"


class Web:
    """Answers by host and path, and remembers what was asked."""

    def __init__(self, table: dict[str, httpx.Response | Handler]) -> None:
        self.table, self.asked = table, list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.table.get(request.headers["host"] + request.url.path, httpx.Response(404))
        return answer(request) if callable(answer) else answer

    @property
    def hosts(self) -> list[str]:
        return [request.headers["host"] for request in self.asked]

    @property
    def with_token(self) -> list[bool]:
        return ["authorization" in request.headers for request in self.asked]


def _library(tmp_path: Path, web: Handler, **options: Any) -> MediaLibrary:
    root, aliases = options.pop("document_root", None), options.pop("aliases", ())
    downloader = Downloader(
        label_studio_url=options.pop("url", "http://ls:8080"),
        label_studio_headers=lambda: {"Authorization": "Token secret"},
        label_studio_aliases=lambda: aliases,
        transport=httpx.MockTransport(web),
        resolver=options.pop("resolver", lambda host, port: [PUBLIC]),
        allowed_origins=options.pop("allowed_origins", []),
    )
    return MediaLibrary(MediaCache(tmp_path / "cache", 1 << 30), downloader, document_root=root, tries=1, pause_s=0)


def _video(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b"video of " + request.url.path.encode())


@pytest.mark.parametrize(
    ("ref", "url"),
    [
        ("/data/upload/4/x.mp4", "http://ls:8080/label-studio/data/upload/4/x.mp4"),
        ("/label-studio/data/upload/4/x.mp4", "http://ls:8080/label-studio/data/upload/4/x.mp4"),
        ("/label-studio/data/local-files/?d=a%20b.mp4", "http://ls:8080/label-studio/data/local-files/?d=a%20b.mp4"),
        ("http://ls:8080/label-studio/data/upload/4/x.mp4", "http://ls:8080/label-studio/data/upload/4/x.mp4"),
        ("HTTP://LS:8080/label-studio/data/upload/4/x.mp4", "http://ls:8080/label-studio/data/upload/4/x.mp4"),
        ("https://tools.example/label-studio/data/upload/x", "http://ls:8080/label-studio/data/upload/x"),
        ("https://tools.example:443/label-studio/data/upload/x", "http://ls:8080/label-studio/data/upload/x"),
        ("http://localhost:8080/data/local-files/?d=a.mp4", "http://ls:8080/label-studio/data/local-files/?d=a.mp4"),
        ("https://tools.example/videos/a.mp4", "https://tools.example/videos/a.mp4"),
        ("https://tools.example/label-studio-2/data/upload/x", "https://tools.example/label-studio-2/data/upload/x"),
        ("http://localhost:8081/data/upload/x", "http://localhost:8081/data/upload/x"),
        ("https://localhost:8080/data/upload/x", "https://localhost:8080/data/upload/x"),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_prefix_and_names(ref: str, url: str, slash: str) -> None:
    place = LabelStudioPlace(f"{PREFIXED.url}{slash}", tuple(alias + slash for alias in PREFIXED.aliases))
    found = find_source(ref, place=place, document_root=None)
    assert isinstance(found, Remote) and found.url == url


def test_a_prefix_that_was_never_named_is_taken_off_a_relative_address() -> None:
    place = LabelStudioPlace("http://ls:8080")
    found = find_source("/label-studio/data/upload/4/x.mp4", place=place, document_root=None)
    assert found == Remote("http://ls:8080/data/upload/4/x.mp4", "x.mp4")
    with pytest.raises(MediaError, match="STVG_LABEL_STUDIO_ALIASES"):
        find_source("/other/data/upload/4/x.mp4", place=PREFIXED, document_root=None)


def test_an_ipv6_label_studio_is_one_place_however_it_is_written() -> None:
    place = LabelStudioPlace("http://[::1]:8080")
    found = find_source("http://[0:0:0:0:0:0:0:1]:8080/data/upload/x.mp4", place=place, document_root=None)
    assert found == Remote("http://[::1]:8080/data/upload/x.mp4", "x.mp4")


def test_local_files_under_an_alias_are_read_below_the_root_and_never_left(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.mp4").write_bytes(b"video")
    (tmp_path / "secret.mp4").write_bytes(b"secret")

    def find(ref: str) -> object:
        return find_source(ref, place=PREFIXED, document_root=root)

    assert find("http://localhost:8080/data/local-files/?d=a.mp4") == Local(root / "a.mp4")
    for wanted in ("../secret.mp4", "..%2Fsecret.mp4", f"{tmp_path}/secret.mp4"):
        with pytest.raises(MediaError):
            find(f"http://localhost:8080/data/local-files/?d={wanted}")
    elsewhere = find("http://evil.example/data/local-files/?d=a.mp4")
    assert elsewhere == Remote("http://evil.example/data/local-files/?d=a.mp4", "local-files")


def test_an_alias_opens_media_through_the_configured_address_and_nothing_else(tmp_path: Path) -> None:
    web = Web({"ls:8080/data/upload/x.mp4": _video, "inner:9/data/upload/x.mp4": _video})
    options: dict[str, Any] = {"aliases": ["http://inner:9"], "resolver": lambda host, port: [PRIVATE]}
    library = _library(tmp_path, web, **options)
    assert library.fetch("http://inner:9/data/upload/x.mp4").path.read_bytes() == b"video of /data/upload/x.mp4"
    assert web.hosts == ["ls:8080"] and web.with_token == [True]
    for path in ("/api/current-user/token", "/", "/secret.mp4", "/data/upload/../../secret.mp4", "/data/avatars/1.png"):
        with pytest.raises(MediaError):
            _library(tmp_path, web, **options).fetch(f"http://inner:9{path}")
    for other in ("http://inner:10/data/upload/x.mp4", "https://inner:9/data/upload/x.mp4"):
        with pytest.raises(MediaError, match="not on the public internet"):
            _library(tmp_path, web, **options).fetch(other)
    assert len(web.asked) == 1


def test_a_redirect_to_an_alias_is_checked_like_every_other_host(tmp_path: Path) -> None:
    """An alias names Label Studio; it does not open a private host to whoever redirects there."""
    web = Web({"out.example/a": httpx.Response(302, headers={"Location": "http://inner:9/data/upload/x.mp4"})})
    inner = {"out.example": PUBLIC, "inner": PRIVATE}
    library = _library(tmp_path, web, aliases=["http://inner:9"], resolver=lambda host, port: [inner[host]])
    with pytest.raises(MediaError):
        library.fetch("http://out.example/a")
    assert web.hosts == ["out.example"]


def test_an_origin_that_a_person_allowed_stays_what_it_is(tmp_path: Path) -> None:
    """Label Studio calls itself http://localhost:8080 where nobody gave it a name: a file server may live there."""
    web = Web({"localhost:8080/data/upload/x.mp4": _video})
    library = _library(tmp_path, web, aliases=["http://localhost:8080"], allowed_origins=["http://localhost:8080"])
    library.fetch("http://localhost:8080/data/upload/x.mp4")
    assert web.hosts == ["localhost:8080"] and web.with_token == [False]


@pytest.mark.parametrize(
    "path",
    [
        "/api/current-user/token", "/api/users/", "/", "/user/account", "/data/avatars/1.png", "/media/upload/x.mp4",
        "/data/upload/../../api/current-user/token", "/data/upload/%2e%2e/%2e%2e/api/current-user/token",
        "/data/upload/%252e%252e/%252e%252e/api/current-user/token", "/data/upload/..%2f..%2fapi/current-user/token",
        "/data/upload/..;/..;/api/current-user/token", "/data/upload\\..\\..\\api", "/tasks/1/presign/../../api/x",
        "/data/uploads/x.mp4", "//data/upload/x.mp4", "/tasks/x/presign/?fileuri=czM6Ly9iL2s=",
    ],
)  # fmt: skip
def test_the_token_goes_to_no_other_path_of_label_studio(tmp_path: Path, path: str) -> None:
    web = Web({f"ls:8080{path}": _video})
    with pytest.raises(MediaError):
        _library(tmp_path, web).fetch(f"http://ls:8080{path}")
    assert web.asked == []


def test_nor_after_a_redirect(tmp_path: Path) -> None:
    away = httpx.Response(302, headers={"Location": "/api/current-user/token"})
    web = Web({"ls:8080/data/upload/x.mp4": away, "ls:8080/api/current-user/token": _video})
    with pytest.raises(MediaError, match="not where it gives out files"):
        _library(tmp_path, web).fetch("/data/upload/x.mp4")
    assert len(web.asked) == 1


def test_sample_videos_of_label_studio_need_no_token(tmp_path: Path) -> None:
    web = Web({"ls:8080/static/samples/a.mp4": _video})
    _library(tmp_path, web, resolver=lambda host, port: [PRIVATE]).fetch("http://ls:8080/static/samples/a.mp4")
    assert web.with_token == [False]


def test_other_paths_of_a_host_that_label_studio_shares_are_ordinary(tmp_path: Path) -> None:
    web = Web({"tools.example/videos/a.mp4": _video})
    _library(tmp_path, web, url="https://tools.example/label").fetch("https://tools.example/videos/a.mp4")
    assert web.with_token == [False]
    with pytest.raises(MediaError, match="not on the public internet"):
        _library(tmp_path, web, url="https://tools.example/label", resolver=lambda host, port: [PRIVATE]).fetch(
            "https://tools.example/videos/b.mp4"
        )


def _asked_for(request: httpx.Request) -> str:
    return base64.urlsafe_b64decode(request.url.params["fileuri"]).decode()


@pytest.mark.parametrize("url", ["http://ls:8080", "http://ls:8080/label-studio", "http://ls:8080/label-studio/"])
@pytest.mark.parametrize("address", ["s3://bucket/videos/a.mp4", "gs://bucket/a b~ü?#.mp4", "azure-blob://c/a.mp4"])
def test_an_object_of_a_storage_comes_through_label_studio(
    tmp_path: Path, url: str, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="backend")
    prefix = url.removeprefix("http://ls:8080").rstrip("/")
    web = Web(
        {
            f"ls:8080{prefix}/tasks/5/presign/": httpx.Response(303, headers={"Location": SIGNED}),
            "bucket.example/videos/a.mp4": _video,
        }
    )
    library = _library(tmp_path, web, url=url)
    file = library.fetch(address, task=5, project=2)
    assert file.path.read_bytes() == b"video of /videos/a.mp4"
    assert _asked_for(web.asked[0]) == address
    assert web.with_token == [True, False], "the signed address never sees the token"
    assert library.fetch(address, task=6, project=2) == file and len(web.asked) == 2, "known by its storage address"
    assert library.here(address, project=2) == file and library.here(address, project=3) is None
    assert "hush" not in caplog.text and "hush" not in str(file.path)


def test_two_projects_may_mean_two_objects_by_one_address(tmp_path: Path) -> None:
    web = Web(
        {
            "ls:8080/tasks/5/presign/": httpx.Response(303, headers={"Location": "https://one.example/a.mp4"}),
            "ls:8080/tasks/9/presign/": httpx.Response(303, headers={"Location": "https://two.example/b.mp4"}),
            "one.example/a.mp4": _video,
            "two.example/b.mp4": _video,
        }
    )
    library = _library(tmp_path, web)
    first = library.fetch("s3://bucket/a.mp4", task=5, project=1)
    assert library.fetch("s3://bucket/a.mp4", task=9, project=2).sha256 != first.sha256


def test_label_studios_own_proxy_address_means_the_object_behind_it(tmp_path: Path) -> None:
    encoded = base64.urlsafe_b64encode(b"s3://bucket/a.mp4").decode()
    for route in ("resolve", "presign"):
        ref = f"http://ls:8080/tasks/7/{route}/?fileuri={encoded}"
        found = find_source(ref, place=LabelStudioPlace("http://ls:8080"), document_root=None)
        assert found == Stored("s3://bucket/a.mp4", "a.mp4", Owner("tasks", 7))
    web = Web({"ls:8080/projects/3/presign/": _video})
    library = _library(tmp_path, web)
    library.fetch(f"/projects/3/resolve/?fileuri={encoded}", project=3)
    assert library.fetch("s3://bucket/a.mp4", task=1, project=3).size_bytes and len(web.asked) == 1
    with pytest.raises(MediaError, match="names no object"):
        library.fetch(f"/tasks/3/resolve/?fileuri={base64.urlsafe_b64encode(b'http://10.0.0.1/x').decode()}")


@pytest.mark.parametrize("target", ["http://minio:9000/b/a.mp4?sig=hush", "http://169.254.169.254/latest/meta-data"])
def test_a_signed_address_on_a_private_host_is_refused_until_it_is_allowed(tmp_path: Path, target: str) -> None:
    host = target.split("/")[2]
    web = Web(
        {"ls:8080/tasks/5/presign/": httpx.Response(303, headers={"Location": target}), f"{host}/b/a.mp4": _video}
    )
    inner = lambda host, port: [PRIVATE if host == "minio" else host]  # noqa: E731
    with pytest.raises(MediaError, match=rf"STVG_MEDIA_ALLOWED_ORIGINS=http://{host}") as caught:
        _library(tmp_path, web, resolver=inner).fetch("s3://b/a.mp4", task=5)
    assert "hush" not in str(caught.value) and web.hosts == ["ls:8080"]
    if host == "minio:9000":
        _library(tmp_path, web, resolver=inner, allowed_origins=["http://minio:9000"]).fetch("s3://b/a.mp4", task=5)
        assert web.with_token == [True, True, False]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(404), "Cloud Storage settings"),
        (httpx.Response(403), "may not see"),
        (httpx.Response(401), "STVG_LABEL_STUDIO_TOKEN"),
        (httpx.Response(424, json={"error": "x"}), "cannot be read"),
        (httpx.Response(303, headers={"Location": "s3://bucket/a.mp4"}), "no http"),
        (httpx.Response(302, headers={"Location": "/user/login/?next=x"}), "STVG_LABEL_STUDIO_TOKEN"),
        (httpx.Response(303), "answered 303"),
        (httpx.Response(200), "empty file"),
        (httpx.Response(200, html="<html>Sign in</html>"), "log-in page"),
    ],
)
def test_why_an_object_does_not_come(tmp_path: Path, answer: httpx.Response, said: str) -> None:
    web = Web({"ls:8080/tasks/5/presign/": answer})
    with pytest.raises(MediaError, match=said):
        _library(tmp_path, web).fetch("s3://bucket/a.mp4", task=5)
    assert not list((tmp_path / "cache").rglob("*.mp4"))


def test_an_object_needs_a_task_and_a_label_studio(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="STVG_LABEL_STUDIO_URL"):
        _library(tmp_path, Web({}), url=None).fetch("s3://bucket/a.mp4", task=5)
    with pytest.raises(MediaError, match="only for a task or project"):
        _library(tmp_path, Web({})).fetch("s3://bucket/a.mp4")


def _proxy(content: bytes, part: int, *, marks: tuple[str, ...] = ('"e"',), stuck: bool = False) -> Handler:
    """As Label Studio's storage proxy: ends early without a word, and gives parts when asked for more."""
    calls: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(1)
        wanted = request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-")
        start = int(wanted)
        body = b"" if stuck and start else content[start : start + part]
        headers = {
            "Content-Range": f"bytes {start}-{start + len(body) - 1}/{len(content)}",
            "ETag": marks[min(len(calls), len(marks)) - 1],
            "Transfer-Encoding": "chunked",
        }
        return httpx.Response(206 if "range" in request.headers else 200, headers=headers, content=iter([body]))

    return answer


def test_what_label_studios_proxy_ends_early_is_continued(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    web = Web({"ls:8080/tasks/5/presign/": _proxy(content, 3000)})
    file = _library(tmp_path, web).fetch("s3://bucket/a.mp4", task=5)
    assert file.path.read_bytes() == content and len(web.asked) == 4 and all(web.with_token)


@pytest.mark.parametrize("options", [{"marks": ('"e"', '"f"')}, {"stuck": True}])
def test_a_part_of_a_video_is_never_taken_for_the_whole(tmp_path: Path, options: dict[str, Any]) -> None:
    web = Web({"ls:8080/tasks/5/presign/": _proxy(b"x" * 9000, 3000, **options)})
    with pytest.raises(MediaUnavailable, match=r"of 9000 bytes|cannot be continued"):
        _library(tmp_path, web).fetch("s3://bucket/a.mp4", task=5)
    assert not list((tmp_path / "cache").rglob("*.mp4"))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_label_studio_that_moved_is_named(tmp_path: Path, status: int) -> None:
    moved = httpx.Response(status, headers={"Location": "https://ls/data/local-files/?d=a.mp4"})
    web = Web({"ls:8080/data/local-files/": moved})
    with pytest.raises(MediaError, match="redirects to https://ls: use that address"):
        _library(tmp_path, web).fetch("/data/local-files/?d=a.mp4")
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    "path", ["/data/upload/a/./b", "/data/upload/%2E%2e/b", "/a/..;/b", "/a\\b", "/%2525252525252e%2525252525252e/b"]
)
def test_paths_that_climb(path: str) -> None:
    assert climbs(path) and not is_media(path)


@pytest.mark.parametrize("path", ["/data/local-files/", "/label/data/upload/4/x.mp4", "/tasks/5/resolve/"])
def test_an_unknown_name_of_label_studio_is_refused_with_advice_that_is_true(tmp_path: Path, path: str) -> None:
    name = "http://studio.intern:8080" + ("/label" if path.startswith("/label") else "")
    ref = f"http://studio.intern:8080{path}"
    encoded = base64.urlsafe_b64encode(b"s3://bucket/a.mp4").decode()
    ref += {"/data/local-files/": "?d=a.mp4", "/tasks/5/resolve/": f"?fileuri={encoded}"}.get(path, "")
    web = Web(
        {f"ls:8080{inner}": _video for inner in ("/data/local-files/", "/data/upload/4/x.mp4", "/tasks/5/presign/")}
    )
    inner = {"resolver": lambda host, port: [PRIVATE]}
    with pytest.raises(MediaError, match=f"set STVG_LABEL_STUDIO_ALIASES={name}\\.$"):
        _library(tmp_path, web, **inner).fetch(ref)
    assert web.asked == []
    _library(tmp_path, web, aliases=[name], **inner).fetch(ref)
    assert web.hosts == ["ls:8080"] and web.with_token == [True]


@pytest.mark.parametrize(
    "answer", [httpx.Response(401), httpx.Response(302, headers={"Location": "/user/login/?next=/data/upload/x.mp4"})]
)
def test_nor_is_it_left_at_a_log_in(tmp_path: Path, answer: httpx.Response) -> None:
    web = Web({"studio.example/data/upload/x.mp4": answer})
    with pytest.raises(MediaError, match=r"STVG_LABEL_STUDIO_ALIASES=https://studio\.example"):
        _library(tmp_path, web).fetch("https://studio.example/data/upload/x.mp4")
    assert web.with_token == [False]


@pytest.mark.parametrize("configured", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("named", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_names_of_this_machine_are_one_place(configured: str, named: str) -> None:
    place = LabelStudioPlace(f"http://{configured}:8080")
    found = find_source(f"http://{named}:8080/data/local-files/?d=a.mp4", place=place, document_root=None)
    assert found == Remote(f"http://{configured}:8080/data/local-files/?d=a.mp4", "a.mp4")
    other = find_source(f"http://{named}:8081/data/upload/a.mp4", place=place, document_root=None)
    assert isinstance(other, Remote) and named.lower() in other.url.lower() and ":8081" in other.url


def test_the_token_goes_to_the_name_that_was_configured_only(tmp_path: Path) -> None:
    """Where 127.0.0.1 was configured, a redirect to localhost is another host and is checked like one."""
    away = httpx.Response(302, headers={"Location": "http://localhost:8080/data/upload/y.mp4"})
    web = Web({"127.0.0.1:8080/data/upload/x.mp4": away, "localhost:8080/data/upload/y.mp4": _video})
    with pytest.raises(MediaError):
        _library(tmp_path, web, url="http://127.0.0.1:8080", resolver=lambda host, port: ["127.0.0.1"]).fetch(
            "/data/upload/x.mp4"
        )
    assert web.hosts == ["127.0.0.1:8080"]
