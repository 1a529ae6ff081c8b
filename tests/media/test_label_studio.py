"""Label Studio under a prefix and under several names; what each may open."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.media import MediaError
from backend.media.label_studio import LabelStudioPlace
from backend.media.source import Local, Remote, find_source
from backend.routes import climbs, is_media
from tests.media.pretend_web import PRIVATE, PUBLIC, Web, a_video, library_over

PREFIXED = LabelStudioPlace(
    "http://ls:8080/label-studio", ("https://tools.example/label-studio", "http://localhost:8080")
)


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
    web = Web({"ls:8080/data/upload/x.mp4": a_video, "inner:9/data/upload/x.mp4": a_video})
    options: dict[str, Any] = {"aliases": ["http://inner:9"], "resolver": lambda host, port: [PRIVATE]}
    library = library_over(tmp_path, web, **options)
    assert library.fetch("http://inner:9/data/upload/x.mp4").path.read_bytes() == b"video of /data/upload/x.mp4"
    assert web.hosts == ["ls:8080"] and web.with_token == [True]
    for path in ("/api/current-user/token", "/", "/secret.mp4", "/data/upload/../../secret.mp4", "/data/avatars/1.png"):
        with pytest.raises(MediaError):
            library_over(tmp_path, web, **options).fetch(f"http://inner:9{path}")
    for other in ("http://inner:10/data/upload/x.mp4", "https://inner:9/data/upload/x.mp4"):
        with pytest.raises(MediaError, match="not on the public internet"):
            library_over(tmp_path, web, **options).fetch(other)
    assert len(web.asked) == 1


def test_a_redirect_to_an_alias_is_checked_like_every_other_host(tmp_path: Path) -> None:
    """An alias names Label Studio; it does not open a private host to whoever redirects there."""
    web = Web({"out.example/a": httpx.Response(302, headers={"Location": "http://inner:9/data/upload/x.mp4"})})
    inner = {"out.example": PUBLIC, "inner": PRIVATE}
    library = library_over(tmp_path, web, aliases=["http://inner:9"], resolver=lambda host, port: [inner[host]])
    with pytest.raises(MediaError):
        library.fetch("http://out.example/a")
    assert web.hosts == ["out.example"]


def test_an_origin_that_a_person_allowed_stays_what_it_is(tmp_path: Path) -> None:
    """Label Studio calls itself http://localhost:8080 where nobody gave it a name: a file server may live there."""
    web = Web({"localhost:8080/data/upload/x.mp4": a_video})
    library = library_over(tmp_path, web, aliases=["http://localhost:8080"], allowed_origins=["http://localhost:8080"])
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
    web = Web({f"ls:8080{path}": a_video})
    with pytest.raises(MediaError):
        library_over(tmp_path, web).fetch(f"http://ls:8080{path}")
    assert web.asked == []


def test_nor_after_a_redirect(tmp_path: Path) -> None:
    away = httpx.Response(302, headers={"Location": "/api/current-user/token"})
    web = Web({"ls:8080/data/upload/x.mp4": away, "ls:8080/api/current-user/token": a_video})
    with pytest.raises(MediaError, match="not where it gives out files"):
        library_over(tmp_path, web).fetch("/data/upload/x.mp4")
    assert len(web.asked) == 1


def test_sample_videos_of_label_studio_need_no_token(tmp_path: Path) -> None:
    web = Web({"ls:8080/static/samples/a.mp4": a_video})
    library_over(tmp_path, web, resolver=lambda host, port: [PRIVATE]).fetch("http://ls:8080/static/samples/a.mp4")
    assert web.with_token == [False]


def test_other_paths_of_a_host_that_label_studio_shares_are_ordinary(tmp_path: Path) -> None:
    web = Web({"tools.example/videos/a.mp4": a_video})
    library_over(tmp_path, web, url="https://tools.example/label").fetch("https://tools.example/videos/a.mp4")
    assert web.with_token == [False]
    with pytest.raises(MediaError, match="not on the public internet"):
        library_over(tmp_path, web, url="https://tools.example/label", resolver=lambda host, port: [PRIVATE]).fetch(
            "https://tools.example/videos/b.mp4"
        )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_label_studio_that_moved_is_named(tmp_path: Path, status: int) -> None:
    moved = httpx.Response(status, headers={"Location": "https://ls/data/local-files/?d=a.mp4"})
    web = Web({"ls:8080/data/local-files/": moved})
    with pytest.raises(MediaError, match="redirects to https://ls: use that address"):
        library_over(tmp_path, web).fetch("/data/local-files/?d=a.mp4")
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
        {f"ls:8080{inner}": a_video for inner in ("/data/local-files/", "/data/upload/4/x.mp4", "/tasks/5/presign/")}
    )
    inner = {"resolver": lambda host, port: [PRIVATE]}
    with pytest.raises(MediaError, match=f"set STVG_LABEL_STUDIO_ALIASES={name}\\.$"):
        library_over(tmp_path, web, **inner).fetch(ref)
    assert web.asked == []
    library_over(tmp_path, web, aliases=[name], **inner).fetch(ref)
    assert web.hosts == ["ls:8080"] and web.with_token == [True]


@pytest.mark.parametrize(
    "answer", [httpx.Response(401), httpx.Response(302, headers={"Location": "/user/login/?next=/data/upload/x.mp4"})]
)
def test_nor_is_it_left_at_a_log_in(tmp_path: Path, answer: httpx.Response) -> None:
    web = Web({"studio.example/data/upload/x.mp4": answer})
    with pytest.raises(MediaError, match=r"STVG_LABEL_STUDIO_ALIASES=https://studio\.example"):
        library_over(tmp_path, web).fetch("https://studio.example/data/upload/x.mp4")
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
    web = Web({"127.0.0.1:8080/data/upload/x.mp4": away, "localhost:8080/data/upload/y.mp4": a_video})
    with pytest.raises(MediaError):
        library_over(tmp_path, web, url="http://127.0.0.1:8080", resolver=lambda host, port: ["127.0.0.1"]).fetch(
            "/data/upload/x.mp4"
        )
    assert web.hosts == ["127.0.0.1:8080"]
