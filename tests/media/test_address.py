"""Which hosts may be contacted, and which addresses in a task are read at all."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from backend.addresses import safe_name
from backend.media.address import is_public, resolve, vet
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.label_studio import LabelStudioPlace
from backend.media.source import Local, Remote, find_source


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "2002:7f00:0001::1", "64:ff9b::7f00:1", "::ffff:10.0.0.1", "::10.0.0.1", "::ffff:0:127.0.0.1",
        "64:ff9b:1::a00:1", "fec0::1", "2001:db8::1", "3fff::1", "2001:0:7f00:1::", "192.0.0.8", "192.88.99.1",
        "198.18.0.1", "64:ff9b::a9fe:a9fe",
    ],
)  # fmt: skip
def test_inner_addresses_are_refused_however_they_are_written(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(MediaError, match="not on the public internet"):
        vet("host.example", 80, lambda host, port: [address])


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_public_addresses_are_taken(address: str) -> None:
    assert vet("host.example", 80, lambda host, port: [address]) == address


def test_one_inner_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(MediaError, match="not on the public internet"):
        vet("host.example", 80, lambda host, port: ["93.184.216.34", "10.0.0.1"])


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "[::1]"])
def test_other_spellings_of_loopback_resolve_to_it(host: str) -> None:
    with pytest.raises(MediaError):
        vet(host.strip("[]"), 80)


def test_a_name_without_an_address_may_get_one_later() -> None:
    with pytest.raises(MediaUnavailable):
        resolve("no-such-host.invalid", 80)


@pytest.mark.parametrize(
    "ref",
    [
        "", "   ", "file:///etc/passwd", "/etc/passwd", "clip.mp4", "../clip.mp4", "ftp://h/x.mp4", "concat:a|b",
        "s3://b", "s3:///k", "redis://h/k", "gopher://h/", "data:video/mp4;base64,AAAA", "//host/x.mp4",
        "/data/upload/../../etc/passwd", "http://[oops/x.mp4",
        "/data/upload/%2e%2e/%2e%2e/secret", "/data/local-files/?d=../../etc/passwd",
        "/data/local-files/?d=..%2F..%2Fetc",
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


def test_the_document_root_is_read_directly_and_never_left(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a b.mp4").write_bytes(b"video")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (root / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    (root / "good-link.mp4").symlink_to(root / "sub" / "a b.mp4")

    def find(ref: str) -> object:
        return find_source(ref, place=LabelStudioPlace("http://ls:8080"), document_root=root)

    inside = Local((root / "sub" / "a b.mp4").resolve())
    assert find("/data/local-files/?d=sub/a%20b.mp4") == inside
    assert find("http://ls:8080/data/local-files/?d=sub/a b.mp4") == inside
    assert find("/data/local-files/?d=good-link.mp4") == inside
    for ref in ("?d=link.mp4", f"?d={tmp_path}/secret.mp4", "?d=/etc/passwd"):
        with pytest.raises(MediaError, match="outside the document root"):
            find("/data/local-files/" + ref)
    with pytest.raises(MediaError, match="no file"):
        find("/data/local-files/?d=none.mp4")
    with pytest.raises(MediaError, match="no file"):
        find("/data/local-files/?d=sub")


@pytest.mark.parametrize("path", ["/x/../../y", "a/..", "/", "", "/é ü.mp4", "/" + "n" * 300 + ".mp4", "/.hidden"])
def test_names_are_harmless(path: str) -> None:
    name = safe_name(path)
    assert name and len(name) <= 80 and "/" not in name and not name.startswith(".")
