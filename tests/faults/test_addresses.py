"""Faults 1 to 6: a task's video address that leads where nobody may be led."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import httpx
import pytest

from backend.media import MediaError, MediaLibrary
from backend.media import source as video_source
from backend.media.address import vet
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from stvg_core.errors import VideoError
from stvg_core.video import probe
from tests.faults.fault import fault
from tests.faults.servers import VIDEO, Names, Server, redirect
from tests.faults.without import no, nothing, yes
from tests.video.painted import write_painted

FAULTS = range(1, 7)

LABEL_STUDIO = "http://ls.example:8080"
Libraries = Callable[..., MediaLibrary]


@pytest.fixture
def library(tmp_path: Path) -> Libraries:
    """A library with an empty cache; ``document_root`` and the downloader's attributes can be given."""

    def make(*, document_root: Path | None = None, **options: object) -> MediaLibrary:
        downloader = Downloader(**options)  # type: ignore[arg-type]
        cache = MediaCache(tmp_path / "cache", 1 << 30)
        return MediaLibrary(cache, downloader, document_root=document_root, pause_s=0)

    return make


@pytest.fixture
def inner() -> Iterator[Server]:
    """What listens on loopback and must not be asked."""
    with Server(VIDEO) as server:
        yield server


LOOPBACK = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0.0.0.0", "0",
    "localhost", "LOCALHOST", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::]",
    "user:pass@127.0.0.1", "example.com@127.0.0.1", "%31%32%37.0.0.1", "127.0.0.1.", "①②⑦.⓪.⓪.①", "127。0。0。1",
]  # fmt: skip


@fault(1, guard="backend.media.address.is_public", without=yes)
def test_loopback_is_not_asked_however_it_is_written(library: Libraries, inner: Server) -> None:
    for host in LOOPBACK:
        with pytest.raises(MediaError):
            library().fetch(f"http://{host}:{inner.port}/{len(host)}.mp4")
    assert inner.asked == []


@fault(1, guard="backend.media.address.is_public", without=yes)
@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200", "224.0.0.1",
        "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
        "::10.0.0.1", "::ffff:0:127.0.0.1",
    ],
)  # fmt: skip
def test_private_link_local_and_metadata_addresses_are_not_asked(library: Libraries, address: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=b"secret")

    inner = library(transport=httpx.MockTransport(answer), resolver=lambda host, port: [address])
    mixed = library(transport=httpx.MockTransport(answer), resolver=lambda host, port: ["93.184.216.34", address])
    for found in (inner, mixed):
        with pytest.raises(MediaError, match="not on the public internet"):
            found.fetch("http://videos.example/latest/meta-data/a.mp4")
    assert asked == []


@fault(1, guard="backend.media.address.wrapped", without=nothing)
def test_an_ipv6_address_that_only_wraps_an_inner_one_is_refused() -> None:
    for address in (
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "2002:7f00:0001::1", "2002:a9fe:a9fe::",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "2001:0:7f00:1::", "2001:0:4136:e378::80ff:fffe",
    ):  # fmt: skip
        with pytest.raises(MediaError, match="not on the public internet"):
            vet("videos.example", 80, lambda host, port, address=address: [address])


@fault(1, guard="backend.media.address.NEVER", without=[])
def test_blocks_for_special_use_are_refused() -> None:
    for address in ("192.0.0.8", "192.88.99.1", "fec0::1", "3fff::1", "64:ff9b:1::a00:1"):
        with pytest.raises(MediaError, match="not on the public internet"):
            vet("videos.example", 80, lambda host, port, address=address: [address])


@fault(2, guard="backend.media.download.FOLLOW_REDIRECTS", without=True)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["http://127.0.0.1", "//127.0.0.1", "http://localhost", "http://a@127.0.0.1"])
def test_no_hop_leads_to_an_inner_address(library: Libraries, inner: Server, host: str, status: int) -> None:
    target = f"{host}:{inner.port}/latest/meta-data"
    with Server(redirect("/further/on"), redirect(target, status)) as outer:
        with pytest.raises(MediaError, match="not on the public internet"):
            library(allowed_origins=[outer.url]).fetch(f"{outer.url}/a.mp4")
        assert len(outer.asked) == 2 and inner.asked == []


@fault(2, guard="backend.media.download.FOLLOW_REDIRECTS", without=True)
@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1/"])
def test_no_hop_leads_to_another_scheme(library: Libraries, target: str) -> None:
    with Server(redirect(target)) as outer:
        with pytest.raises(MediaError, match="no http") as caught:
            library(allowed_origins=[outer.url]).fetch(f"{outer.url}/a.mp4")
        assert type(caught.value) is MediaError, "asking again would not help"
        assert len(outer.asked) == 1


def _unpinned(url: str, address: str) -> httpx.URL:
    return httpx.URL(url)


@fault(3, guard="backend.media.download.pinned", without=_unpinned)
def test_the_address_that_was_checked_is_the_one_connected_to(
    library: Libraries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.2 stands for a public address here, 127.0.0.1 for what the name says when it is asked again."""
    monkeypatch.setattr("backend.media.address.is_public", lambda address: str(address) == "127.0.0.2")
    names = Names({"rebind.example": ["127.0.0.2", "127.0.0.1"]})
    with Server(VIDEO, host="127.0.0.2") as public, Server(VIDEO, host="127.0.0.1", port=public.port) as inner:
        monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        assert library().fetch(f"http://rebind.example:{public.port}/a.mp4").size_bytes == 5
        assert names.asked == ["rebind.example"], "asked once"
        assert len(public.asked) == 1 and inner.asked == []
        assert f"Host: rebind.example:{public.port}\r\n" in public.asked[0]


CLIMBING = [
    "../secret.mp4", "sub/../../secret.mp4", "..%2Fsecret.mp4", "%2e%2e/secret.mp4", "%2e%2e%2fsecret.mp4",
    "./../secret.mp4", "sub/..//../secret.mp4", "..\\secret.mp4", "sub\\..\\..\\secret.mp4", "..%5Csecret.mp4",
    "sub/..%5C../secret.mp4",
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A document root with one good video, and a file beside it that must not be read."""
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (tmp_path / "..\\secret.mp4").write_bytes(b"secret")
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.mp4").write_bytes(b"video")
    return folder


@fault(4, guard="backend.media.source.is_below", without=yes, also={"backend.media.source._refuse_climbing": nothing})
@pytest.mark.parametrize("place", ["/data/local-files/?d=", f"{LABEL_STUDIO}/data/local-files/?d="])
def test_no_path_leads_out_of_the_document_root(library: Libraries, root: Path, place: str) -> None:
    found = library(document_root=root, label_studio_url=LABEL_STUDIO)
    for wanted in (*CLIMBING, f"{root.parent}/secret.mp4", "/etc/passwd", f"//{root.parent}/secret.mp4"):
        with pytest.raises(MediaError, match=r"climbs out|outside the document root"):
            found.fetch(place + wanted)
    assert found.fetch(f"{place}sub/a.mp4").path == (root / "sub" / "a.mp4").resolve()


@fault(4, guard="backend.media.source._refuse_climbing", without=nothing)
@pytest.mark.parametrize("wanted", [*CLIMBING, "a.mp4%00.jpg"])
def test_label_studio_is_not_asked_for_a_path_that_climbs(library: Libraries, wanted: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=b"secret")

    found = library(label_studio_url=LABEL_STUDIO, transport=httpx.MockTransport(answer))
    with pytest.raises(MediaError):
        found.fetch(f"/data/local-files/?d={wanted}")
    assert asked == []


def _any_file(document_root: Path | None, wanted: str) -> Path:
    return (document_root or Path("/")) / wanted


@fault(4, guard="backend.media.source._served_here", without=_any_file)
def test_without_a_document_root_no_file_of_this_machine_is_read(library: Libraries, root: Path) -> None:
    for wanted in ("etc/passwd", "/etc/passwd", str(root / "sub" / "a.mp4")):
        with pytest.raises(MediaError, match=r"Set STVG_LABEL_STUDIO_URL or STVG_DOCUMENT_ROOT"):
            library().fetch(f"/data/local-files/?d={wanted}")


def _as_written(path: Path) -> Path:
    return Path(os.path.normpath(path))


@fault(5, guard="backend.media.source.real_path", without=_as_written)
def test_no_link_leads_out_of_the_document_root(library: Libraries, root: Path) -> None:
    (root / "file.mp4").symlink_to(root.parent / "secret.mp4")
    (root / "relative.mp4").symlink_to("../secret.mp4")
    (root / "folder").symlink_to(root.parent)
    (root / "chain.mp4").symlink_to("file.mp4")
    (root / "sub" / "up").symlink_to("../..")
    (root / "passwd").symlink_to("/etc/passwd")
    (root / "inside.mp4").symlink_to("sub/a.mp4")
    found = library(document_root=root)
    for wanted in ("file.mp4", "relative.mp4", "folder/secret.mp4", "chain.mp4", "sub/up/secret.mp4", "passwd"):
        with pytest.raises(MediaError, match="outside the document root"):
            found.fetch(f"/data/local-files/?d={wanted}")
    assert found.fetch("/data/local-files/?d=inside.mp4").path == (root / "sub" / "a.mp4").resolve()


def _unsaid(root: Path, wanted: str) -> Path:
    return video_source.real_path(root / wanted)


@fault(5, guard="backend.media.source.inside", without=_unsaid, by=(RuntimeError, OSError))
def test_links_in_a_circle_and_names_that_no_disk_takes_are_a_failure_in_words(library: Libraries, root: Path) -> None:
    (root / "one.mp4").symlink_to("two.mp4")
    (root / "two.mp4").symlink_to("one.mp4")
    os.mkfifo(root / "pipe.mp4")
    for wanted in (
        "one.mp4",
        "one.mp4/a.mp4",
        "n" * 300 + ".mp4",
        "d/" * 3000 + "a.mp4",
        "sub/a.mp4/a.mp4",
        "pipe.mp4",
    ):
        with pytest.raises(MediaError, match=r"cannot be reached|no file|not a usable"):
            library(document_root=root).fetch(f"/data/local-files/?d={wanted}")


ALL_FORMATS = ",".join(sorted(av.formats_available))


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nother.ts\n#EXT-X-ENDLIST\n"
LISTS = {
    "a.ffconcat": "ffconcat version 1.0\nfile other.ts\n",
    "a.mp4": "ffconcat version 1.0\nfile other.ts\n",
    "a.m3u8": HLS,
    "a.vtt": "WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n",
    "b.mp4": "[Script Info]\nTitle: a\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,a\n",
}


@fault(6, guard="stvg_core.video.container.ALLOWED_FORMATS", without=ALL_FORMATS)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_other_files_is_no_video(tmp_path: Path, name: str) -> None:
    """A good video lies beside it, where a player would find it."""
    write_painted(tmp_path / "other.ts", 10)
    (tmp_path / name).write_text(LISTS[name])
    with pytest.raises(VideoError, match="playlist or text file, not a video"):
        probe(tmp_path / name)


@fault(6, guard="stvg_core.video.container._lists_others", without=no)
@pytest.mark.parametrize(
    "text", [HLS, '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>']
)
def test_a_list_that_is_called_a_video_is_refused_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.mp4").write_text(text)
    with pytest.raises(VideoError, match="playlist or text file, not a video"):
        probe(tmp_path / "a.mp4")


@fault(6, guard="backend.media.library._written_here", without=yes)
def test_a_task_of_label_studio_names_no_file_of_this_machine(library: Libraries, root: Path) -> None:
    good = root / "sub" / "a.mp4"
    for ref in (
        f"file://{good}",
        f"FILE://localhost{good}",
        f"file:{good}",
        str(good),
        f"concat:{good}|{good}",
        "a.mp4",
    ):
        with pytest.raises(MediaError, match=r"must be an http"):
            library(document_root=root, label_studio_url=LABEL_STUDIO).fetch(ref, project=1)
