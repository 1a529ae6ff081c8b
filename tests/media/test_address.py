"""Which hosts may be contacted, and which addresses in a task are read at all."""

from pathlib import Path

import pytest

from backend.addresses import safe_name
from backend.media.address import resolve, vet
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.label_studio import LabelStudioPlace
from backend.media.source import Local, Remote, find_source


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_public_addresses_are_taken(address: str) -> None:
    assert vet("host.example", 80, lambda host, port: [address, "1.1.1.1"]) == [address, "1.1.1.1"]


def test_a_name_without_an_address_may_get_one_later() -> None:
    with pytest.raises(MediaUnavailable):
        resolve("no-such-host.invalid", 80)


@pytest.mark.parametrize(
    "ref",
    [
        "", "   ", "/etc/passwd", "../clip.mp4", "ftp://h/x.mp4",
        "s3://b", "s3:///k", "redis://h/k", "gopher://h/", "data:video/mp4;base64,AAAA", "//host/x.mp4",
        "/data/upload/../../etc/passwd", "http://[oops/x.mp4",
        "/data/upload/%2e%2e/%2e%2e/secret",
        "/data/local-files/", "/data/local-files/?x=1", "/data/upload/a\x00b.mp4", "http://h/" + "a" * 9000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("document_root", [None, Path("/srv/videos")])
def test_addresses_that_are_refused_unseen(ref: str, document_root: Path | None) -> None:
    with pytest.raises(MediaError):
        find_source(ref, place=LabelStudioPlace("http://ls:8080"), document_root=document_root)


def test_label_studio_addresses_need_label_studio_or_the_root() -> None:
    for ref in ("/data/upload/1/a.mp4", "/data/local-files/?d=a.mp4"):
        with pytest.raises(MediaError, match="STVG_LABEL_STUDIO_URL"):
            find_source(ref, place=LabelStudioPlace(), document_root=None)


@pytest.mark.parametrize(
    ("base", "ref", "url"),
    [
        ("http://ls:8080", "/data/upload/1/a.mp4", "http://ls:8080/data/upload/1/a.mp4"),
        ("http://ls:8080/", "/data/local-files/?d=s/a.mp4", "http://ls:8080/data/local-files/?d=s/a.mp4"),
        ("https://h/ls", "/data/upload/1/a.mp4", "https://h/ls/data/upload/1/a.mp4"),
        ("http://ls:8080", "https://else.where/a.mp4?sig=1", "https://else.where/a.mp4?sig=1"),
    ],
)
def test_addresses_become_full(base: str, ref: str, url: str) -> None:
    assert find_source(ref, place=LabelStudioPlace(base), document_root=None) == Remote(url, "a.mp4")


@pytest.mark.parametrize("path", ["/x/../../y", "a/..", "/", "", "/é ü.mp4", "/" + "n" * 300 + ".mp4", "/.hidden"])
def test_names_are_harmless(path: str) -> None:
    name = safe_name(path)
    assert name and len(name) <= 80 and "/" not in name and not name.startswith(".")


def test_the_document_root_is_read_directly(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a b.mp4").write_bytes(b"video")

    def find(ref: str) -> object:
        return find_source(ref, place=LabelStudioPlace("http://ls:8080"), document_root=root)

    inside = Local((root / "sub" / "a b.mp4").resolve())
    assert find("/data/local-files/?d=sub/a%20b.mp4") == inside
    assert find("http://ls:8080/data/local-files/?d=sub/a b.mp4") == inside
    with pytest.raises(MediaError, match="no file"):
        find("/data/local-files/?d=none.mp4")
    with pytest.raises(MediaError, match="no file"):
        find("/data/local-files/?d=sub")


def test_an_address_that_names_two_files_names_none() -> None:
    """Label Studio would show the second one."""
    with pytest.raises(MediaError, match="several files"):
        find_source("/data/local-files/?d=a.mp4&d=b.mp4", place=LabelStudioPlace("http://ls"), document_root=None)
