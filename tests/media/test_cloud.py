"""Cloud storages through fsspec: what is fetched, what is refused, and what a library's error becomes."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from backend.media import MediaError, MediaUnavailable
from backend.media.cloud import CloudFiles
from backend.media.cloud_services import SERVICES, Service
from backend.media.file_address import file_address, file_path

MEMORY = {**SERVICES, "memory": Service("memory", "fsspec")}


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's files in memory, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def test_an_object_is_fetched_whole(memory: Any) -> None:
    content = bytes(range(256)) * 10_000
    memory.pipe("/bucket/a/film é #1?.mp4", content)
    called: list[int] = []
    file = io.BytesIO()
    files = CloudFiles(services=MEMORY)
    sha256, size = files.fetch("memory://bucket/a/film é #1?.mp4", file, lambda: called.append(1))
    assert file.getvalue() == content
    assert (sha256, size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert len(called) > 3, "looked at with every read"
    assert files.size("memory://bucket/a/film é #1?.mp4") == len(content)


def test_what_alive_raises_ends_the_transfer(memory: Any) -> None:
    memory.pipe("/bucket/a.mp4", b"x" * (3 << 20))
    file = io.BytesIO()
    given_up = RuntimeError("another has the job")

    def alive() -> None:
        if file.tell():
            raise given_up

    with pytest.raises(RuntimeError) as raised:
        CloudFiles(services=MEMORY).fetch("memory://bucket/a.mp4", file, alive)
    assert raised.value is given_up
    assert file.tell() == 1 << 20


def test_a_read_that_never_comes_back_ends_at_the_deadline(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/bucket/a.mp4", b"x" * 100)
    hang = threading.Event()

    class Hanging(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            hang.wait()
            return b""

    monkeypatch.setattr(type(memory), "open", lambda *args, **options: Hanging())
    try:
        with pytest.raises(MediaUnavailable, match=r"was not complete after 0\.1 s"):
            CloudFiles(services=MEMORY, deadline_s=0.1).fetch("memory://bucket/a.mp4", io.BytesIO())
    finally:
        hang.set()


@pytest.mark.parametrize(
    ("content", "max_bytes", "error", "said"),
    [
        (None, 100, MediaError, "is not there"),
        (b"", 100, MediaError, "is an empty file"),
        (b"x" * 101, 100, MediaError, "larger than 0 MiB"),
    ],
)
def test_what_cannot_be_had(
    memory: Any, content: bytes | None, max_bytes: int, error: type[Exception], said: str
) -> None:
    if content is not None:
        memory.pipe("/bucket/a.mp4", content)
    file = io.BytesIO()
    with pytest.raises(error, match=said) as raised:
        CloudFiles(services=MEMORY, max_bytes=max_bytes).fetch("memory://bucket/a.mp4", file)
    assert not isinstance(raised.value, MediaUnavailable)
    assert file.getvalue() == b""


def test_a_size_that_lies_does_not_pass_the_cap(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/bucket/a.mp4", b"x" * (2 << 20))
    monkeypatch.setattr(type(memory), "info", lambda *args, **options: {"type": "file", "size": 5})
    with pytest.raises(MediaError, match="larger than 1 MiB"):
        CloudFiles(services=MEMORY, max_bytes=1 << 20).fetch("memory://bucket/a.mp4", io.BytesIO())


def test_an_object_that_ends_early_is_not_taken(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/bucket/a.mp4", b"x" * 10)
    monkeypatch.setattr(type(memory), "info", lambda *args, **options: {"type": "file", "size": 20})
    with pytest.raises(MediaUnavailable, match="ended after 10 of 20 bytes"):
        CloudFiles(services=MEMORY).fetch("memory://bucket/a.mp4", io.BytesIO())


class NoCredentialsError(Exception):
    """Called as botocore's, which derives from Exception alone."""


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (PermissionError("denied"), MediaError, "may not read it"),
        (NoCredentialsError("Unable to locate credentials"), MediaError, "no log-in that works"),
        (ValueError("Must provide a connection_string or account_name with credentials!!"), MediaError, "no log-in"),
        (ConnectionResetError("reset"), MediaUnavailable, "cannot be read: ConnectionResetError"),
        (RuntimeError("about tokens.mp4"), MediaUnavailable, "cannot be read: RuntimeError"),
    ],
)
def test_a_librarys_error_in_words(
    memory: Any, monkeypatch: pytest.MonkeyPatch, raised: Exception, kind: type[Exception], said: str
) -> None:
    def info(*args: object, **options: object) -> None:
        raise raised

    monkeypatch.setattr(type(memory), "info", info)
    with pytest.raises(MediaError, match=said) as caught:
        CloudFiles(services=MEMORY).fetch("memory://bucket/a.mp4", io.BytesIO())
    assert type(caught.value) is kind


def test_a_disk_that_is_full_is_not_the_storages_fault(memory: Any) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    memory.pipe("/bucket/a.mp4", b"x")
    with pytest.raises(OSError, match="No space left"):
        CloudFiles(services=MEMORY).fetch("memory://bucket/a.mp4", Full())


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://AKIA:secret@bucket/a.mp4", "holds no log-in"),
        ("az://container@account.dfs.core.windows.net/a.mp4", "holds no log-in or account"),
        ("s3://bucket", "names no object"),
        ("s3://bucket/", "names no object"),
        ("s3:///a.mp4", "names no object"),
        ("s3://bucket/a\n.mp4", "not a usable address"),
        ("s3://bucket/" + "a" * 9000, "not a usable address"),
        ("memory://bucket/a.mp4", "no storage that is known here"),
        ("http://host/a.mp4", "no storage that is known here"),
        ("file:///etc/passwd", "no storage that is known here"),
        ("simplecache::s3://bucket/a.mp4", "no storage that is known here"),
    ],
)
def test_addresses_that_are_refused(address: str, said: str) -> None:
    """``memory`` is for tests; a web address goes to the downloader that checks hosts."""
    with pytest.raises(MediaError, match=said) as raised:
        CloudFiles().fetch(address, io.BytesIO())
    assert "secret" not in str(raised.value)


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(protocol: str, **options: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "filesystem", missing)
    with pytest.raises(MediaError, match=r"^s3:// addresses need s3fs, .*pip install 'stvg\[cloud\]'"):
        CloudFiles().size("s3://bucket/a.mp4")


def test_every_storage_is_known_to_fsspec() -> None:
    from fsspec.registry import known_implementations

    for service in SERVICES.values():
        assert known_implementations[service.protocol]["class"].startswith(service.package + ".")
        assert service.options(0.5), "an answer may not take for ever"


def test_a_listing_has_the_files_below_a_folder_alone(memory: Any) -> None:
    for name in ("/bucket/v/a.mp4", "/bucket/v/sub/b.mp4", "/bucket/video.mp4", "/other/v/c.mp4"):
        memory.pipe(name, b"xy")
    files = CloudFiles(services=MEMORY)
    assert [(one.path, one.size_bytes) for one in files.listing("memory://bucket/v/")] == [
        ("a.mp4", 2),
        ("sub/b.mp4", 2),
    ]
    assert [one.path for one in files.listing("memory://bucket/v", deep=False)] == ["a.mp4"]
    assert files.is_folder("memory://bucket/v")
    assert not files.is_folder("memory://bucket/v/a.mp4")
    with pytest.raises(MediaError, match="is a folder"):
        files.size("memory://bucket/v")


@pytest.mark.parametrize("name", ["a b.mp4", "é%20#1?.mp4", b"caf\xe9.mp4".decode("utf-8", "surrogateescape")])
def test_a_files_address_and_back(tmp_path: Any, name: str) -> None:
    address = file_address(tmp_path / name)
    assert address.isascii()
    assert file_path(address) == tmp_path / name


def test_links_before_dots_are_followed(tmp_path: Any) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    assert file_path(file_address(tmp_path / "link" / ".." / "a.mp4")) == (tmp_path / "deep" / "a.mp4").resolve()


@pytest.mark.parametrize("address", ["file://server/a.mp4", "file:a.mp4", "file:///a%00.mp4", "file:///a?b.mp4"])
def test_file_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(MediaError, match="file address cannot be read"):
        file_path(address)
