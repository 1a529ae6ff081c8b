"""Objects of a storage that come through Label Studio: which one is meant, why does it not come, and is it whole?"""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.media import MediaError, MediaUnavailable
from backend.media.label_studio import LabelStudioPlace
from backend.media.source import Stored, find_source
from backend.routes import Owner
from tests.media.pretend_web import PRIVATE, SIGNED, Handler, Web, a_video, library_over


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
            "bucket.example/videos/a.mp4": a_video,
        }
    )
    library = library_over(tmp_path, web, url=url)
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
            "one.example/a.mp4": a_video,
            "two.example/b.mp4": a_video,
        }
    )
    library = library_over(tmp_path, web)
    first = library.fetch("s3://bucket/a.mp4", task=5, project=1)
    assert library.fetch("s3://bucket/a.mp4", task=9, project=2).sha256 != first.sha256


def test_label_studios_own_proxy_address_means_the_object_behind_it(tmp_path: Path) -> None:
    encoded = base64.urlsafe_b64encode(b"s3://bucket/a.mp4").decode()
    for route in ("resolve", "presign"):
        ref = f"http://ls:8080/tasks/7/{route}/?fileuri={encoded}"
        found = find_source(ref, place=LabelStudioPlace("http://ls:8080"), document_root=None)
        assert found == Stored("s3://bucket/a.mp4", "a.mp4", Owner("tasks", 7))
    web = Web({"ls:8080/projects/3/presign/": a_video})
    library = library_over(tmp_path, web)
    library.fetch(f"/projects/3/resolve/?fileuri={encoded}", project=3)
    assert library.fetch("s3://bucket/a.mp4", task=1, project=3).size_bytes and len(web.asked) == 1
    with pytest.raises(MediaError, match="names no object"):
        library.fetch(f"/tasks/3/resolve/?fileuri={base64.urlsafe_b64encode(b'http://10.0.0.1/x').decode()}")


@pytest.mark.parametrize("target", ["http://minio:9000/b/a.mp4?sig=hush", "http://169.254.169.254/latest/meta-data"])
def test_a_signed_address_on_a_private_host_is_refused_until_it_is_allowed(tmp_path: Path, target: str) -> None:
    host = target.split("/")[2]
    web = Web(
        {"ls:8080/tasks/5/presign/": httpx.Response(303, headers={"Location": target}), f"{host}/b/a.mp4": a_video}
    )
    inner = lambda host, port: [PRIVATE if host == "minio" else host]  # noqa: E731
    with pytest.raises(MediaError, match=rf"STVG_MEDIA_ALLOWED_ORIGINS=http://{host}") as caught:
        library_over(tmp_path, web, resolver=inner).fetch("s3://b/a.mp4", task=5)
    assert "hush" not in str(caught.value) and web.hosts == ["ls:8080"]
    if host == "minio:9000":
        library_over(tmp_path, web, resolver=inner, allowed_origins=["http://minio:9000"]).fetch("s3://b/a.mp4", task=5)
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
        library_over(tmp_path, web).fetch("s3://bucket/a.mp4", task=5)
    assert not list((tmp_path / "cache").rglob("*.mp4"))


def test_an_object_needs_a_task_and_a_label_studio(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="STVG_LABEL_STUDIO_URL"):
        library_over(tmp_path, Web({}), url=None).fetch("s3://bucket/a.mp4", task=5)
    with pytest.raises(MediaError, match="only for a task or project"):
        library_over(tmp_path, Web({})).fetch("s3://bucket/a.mp4")


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
    file = library_over(tmp_path, web).fetch("s3://bucket/a.mp4", task=5)
    assert file.path.read_bytes() == content and len(web.asked) == 4 and all(web.with_token)


@pytest.mark.parametrize("options", [{"marks": ('"e"', '"f"')}, {"stuck": True}])
def test_a_part_of_a_video_is_never_taken_for_the_whole(tmp_path: Path, options: dict[str, Any]) -> None:
    web = Web({"ls:8080/tasks/5/presign/": _proxy(b"x" * 9000, 3000, **options)})
    with pytest.raises(MediaUnavailable, match=r"of 9000 bytes|cannot be continued"):
        library_over(tmp_path, web).fetch("s3://bucket/a.mp4", task=5)
    assert not list((tmp_path / "cache").rglob("*.mp4"))
