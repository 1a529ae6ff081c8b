"""Tables and videos in a bucket or on the web: what is fetched, how often, and what is said where it is refused?"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest

from backend.media import MediaError
from backend.media.download import Downloader
from backend.prelabel.errors import Reason, SourceError
from backend.prelabel.item import Item, Problem
from backend.prelabel.opening import table_download
from backend.prelabel.sources import open_source
from tests.prelabel.given import CLOUD, clips, everything, items, only, written

# Other machines


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def test_a_table_and_videos_in_a_bucket(memory: Any, tmp_path: Path) -> None:
    clips(tmp_path, "local.mp4")
    rows = f"video,query\nv/a b.mp4,x\ngone.mp4,x\n../up.mp4,x\n{tmp_path / 'local.mp4'},x\n"
    memory.pipe("/bucket/set/videos.csv", rows.encode())
    memory.pipe("/bucket/set/v/a b.mp4", b"12345")
    memory.pipe("/bucket/up.mp4", b"1")
    for text in ("memory://bucket/set", "memory://bucket/set/", "memory://bucket/set/videos.csv"):
        found = everything(open_source(text, cloud=CLOUD))
        assert [(one.video_ref, one.size_bytes) for one in only(Item, found)] == [("memory://bucket/set/v/a b.mp4", 5)]
        assert only(Item, found)[0].where == "memory://bucket/set/videos.csv, line 2 (record 1)"
        said = [one.said for one in only(Problem, found)]
        assert "no video gone.mp4 in memory://bucket/set" in said[0]
        assert "leads out of the folder" in said[1]
        assert "a file of this machine, and the source comes from another one" in said[2]


def test_a_bucket_is_listed_once_and_searched(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("0001/a.mp4", "0002/b.mkv", "0003/b.mkv"):
        memory.pipe(f"/bucket/{name}", b"1")
    path = written(tmp_path / "t.csv", "video,query\na,x\na,y\nb,x\nc,x\n")
    listed: list[str] = []
    find = type(memory).find
    monkeypatch.setattr(
        type(memory), "find", lambda self, path, **options: listed.append(path) or find(self, path, **options)
    )
    found = everything(open_source(str(path), videos="memory://bucket/", cloud=CLOUD))
    assert [one.video_ref for one in only(Item, found)] == ["memory://bucket/0001/a.mp4"] * 2
    assert [one.reason for one in only(Problem, found)] == [Reason.AMBIGUOUS, Reason.MISSING]
    assert len(listed) == 1


def test_a_storage_that_refuses_is_no_fault_of_each_record(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/bucket/v/a.mp4", b"1")
    path = written(tmp_path / "t.csv", "video,query\na.mp4,x\nb.mp4,x\n")
    with pytest.raises(SourceError, match="no folder memory://bucket/vidoes"):
        open_source(str(path), videos="memory://bucket/vidoes", cloud=CLOUD)
    source = open_source(str(path), videos="memory://bucket/v", cloud=CLOUD)

    def refused(*args: object, **options: object) -> None:
        raise PermissionError

    monkeypatch.setattr(type(memory), "find", refused)
    with pytest.raises(SourceError, match="cannot be listed: memory://bucket/v is not given out"):
        everything(source)


def test_an_error_in_a_copy_names_the_source(memory: Any) -> None:
    memory.pipe("/bucket/t.csv", b"a,b\n1,2\n")
    source = open_source("memory://bucket/t.csv", cloud=CLOUD)
    with pytest.raises(SourceError, match=r"^memory://bucket/t\.csv has no column"):
        everything(source)
    memory.pipe("/bucket/empty/a.mp4", b"1")
    with pytest.raises(SourceError, match="memory://bucket/empty has no table"):
        open_source("memory://bucket/empty", cloud=CLOUD)
    with pytest.raises(MediaError, match="memory://bucket/gone is not there"):
        open_source("memory://bucket/gone", cloud=CLOUD)


class _Answers(BaseHTTPRequestHandler):
    bodies: ClassVar[dict[str, tuple[str, bytes]]] = {
        "/set/t.json": (
            "application/json", b'[{"video": "v/a b.mp4", "query": "x"}, {"video": "/etc/passwd", "query": "x"}]',
        ),
        "/set/t.csv": ("text/csv", b"video,query\nhttps://host.example/b.mp4,x\n"),
        "/set/page": ("text/html", b"<html>log in</html>"),
    }  # fmt: skip

    def do_GET(self) -> None:
        kind, body = self.bodies[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def web() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_table_on_the_web_is_fetched_by_the_vetted_downloader(web: str) -> None:
    with pytest.raises(MediaError, match="not on the public internet"):
        open_source(f"{web}/set/t.csv", download=table_download(Downloader()))
    download = table_download(Downloader(allowed_origins=[web]))
    found = everything(open_source(f"{web}/set/t.json", download=download))
    assert [one.video_ref for one in only(Item, found)] == [f"{web}/set/v/a%20b.mp4"]
    assert only(Item, found)[0].where == f"{web}/set/t.json, record 1"
    assert [one.reason for one in only(Problem, found)] == [Reason.ADDRESS]
    assert [one.video_ref for one in items(f"{web}/set/t.csv", download=download)] == ["https://host.example/b.mp4"]
    with pytest.raises(MediaError, match="text/html"):
        open_source(f"{web}/set/page", download=download)
    with pytest.raises(MediaError, match="application/json instead of a video"):
        Downloader(allowed_origins=[web]).fetch(f"{web}/set/t.json", io.BytesIO())


def test_videos_on_the_web_are_named_below_the_address(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "video,query\nsub/a b.mp4,x\n123,x\n../c.mp4,x\n")
    found = everything(open_source(str(path), videos="https://host.example/v/"))
    assert [one.video_ref for one in only(Item, found)] == ["https://host.example/v/sub/a%20b.mp4"]
    not_listed, outside = only(Problem, found)
    assert "cannot be listed" in not_listed.said
    assert "leads out" in outside.said


def test_a_copy_goes_with_its_source(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    memory.pipe("/bucket/t.csv", b"video,query\ns3://b/a.mp4,x\n")
    with open_source("memory://bucket/t.csv", cloud=CLOUD) as source:
        assert len(list(tmp_path.iterdir())) == 1
        assert len(list(source.read())) == len(list(source.read())) == 1
    assert list(tmp_path.iterdir()) == []
