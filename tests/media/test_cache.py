"""The cache: one copy of the bytes, one fetch of an address, a size that holds, and nothing removed that is open."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from backend.media import MediaFile
from backend.media.cache import MediaCache

ROOT = Path(__file__).parents[2]


def giving(data: bytes) -> Callable[[BinaryIO], tuple[str, int]]:
    def fetch(file: BinaryIO) -> tuple[str, int]:
        file.write(data)
        return hashlib.sha256(data).hexdigest(), len(data)

    return fetch


def keep(cache: MediaCache, url: str, data: bytes, age_s: float = 5000, name: str = "v.mp4") -> Path:
    """A video that was last used some time ago, and that nobody holds."""
    path = cache.store(url, name, giving(data)).path
    age(path, age_s)
    return path


def age(path: Path, age_s: float) -> None:
    moment = time.time() - age_s
    os.utime(path.parent / ".meta.json", (moment, moment))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def disk(folder: Path) -> int:
    """Bytes on the disk: links to one file count once."""
    return sum({(s := path.stat()).st_ino: s.st_size for path in files(folder) if path.name != ".meta.json"}.values())


def test_one_content_at_two_addresses_lies_on_the_disk_once(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 1 << 20)
    first, second = keep(cache, "a", b"x" * 1000, 9000), keep(cache, "b", b"x" * 1000, 5000, "other.mp4")
    assert first != second and first.name == "v.mp4" and second.name == "other.mp4"
    assert first.samefile(second) and disk(tmp_path) == 1000
    assert cache.evict(999) == 1000 and files(tmp_path) == []


def test_the_other_address_keeps_its_file_when_one_goes(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 1 << 20)
    first, second = keep(cache, "a", b"x" * 1000, 9000), keep(cache, "b", b"x" * 1000, 0)
    cache.evict(0)
    assert not first.exists() and second.read_bytes() == b"x" * 1000


def test_a_file_that_is_held_stays_however_long_ago_it_was_asked_for(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 1 << 20)
    held: MediaFile | None = cache.store("a", "v.mp4", giving(b"x" * 1000))
    assert held is not None
    path = held.path
    age(path, 9000)
    keep(cache, "b", b"y" * 1000, 8000)
    assert cache.evict(0) == 1000 and path.exists(), "the younger one goes instead"
    again = cache.find("a")
    assert again == held
    held = again = None
    age(path, 9000)
    assert cache.evict(0) == 1000 and not path.exists()


def test_a_file_that_another_process_holds_stays_until_that_one_dies(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 1 << 20)
    path = keep(cache, "a", b"x" * 1000)
    code = (
        "import sys, time; from pathlib import Path; from backend.media.cache import MediaCache\n"
        "held = MediaCache(Path(sys.argv[1]), 1 << 20).find('a'); print(held, flush=True); time.sleep(3600)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert other.stdout is not None and "v.mp4" in other.stdout.readline()
        age(path, 9000)
        assert cache.evict(0) == 0 and path.exists()
    finally:
        other.kill()
        other.wait()
    assert cache.evict(0) == 1000 and not path.exists()


def test_two_that_want_one_address_fetch_it_once(tmp_path: Path) -> None:
    cache, fetched, waited = MediaCache(tmp_path, 1 << 20), [], threading.Event()

    def fetch(file: BinaryIO) -> tuple[str, int]:
        fetched.append(1)
        waited.wait()  # the other one is waiting by now
        return giving(b"video")(file)

    found: list[MediaFile] = []
    threads = [
        threading.Thread(target=lambda: found.append(cache.find_or_store("a", "v.mp4", fetch, waited.set)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1 and found[0] == found[1]
    assert not files(tmp_path / "locks") and not files(tmp_path / "parts")


def test_a_process_that_dies_while_it_fetches_leaves_no_lock_and_no_bytes(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from backend.media.cache import MediaCache\n"
        "def fetch(file): file.write(b'x' * 1000); file.flush(); print('here', flush=True); time.sleep(3600)\n"
        "MediaCache(Path(sys.argv[1]), 1 << 20).find_or_store('a', 'v.mp4', fetch, lambda: None)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    cache = MediaCache(tmp_path, 1500)
    try:
        assert other.stdout is not None and other.stdout.readline() == "here\n"
        old = keep(cache, "b", b"y" * 1000)
        assert not old.exists() or cache.evict(1500) == 1000, "what is being fetched counts"
        assert [path.stat().st_size for path in files(tmp_path / "parts")] == [1000], "it is not taken for a dead one"
    finally:
        other.kill()
        other.wait()
    file = cache.find_or_store("a", "v.mp4", giving(b"video"), lambda: pytest.fail("the dead hold no lock"))
    assert file.path.read_bytes() == b"video" and not files(tmp_path / "parts")


def test_what_a_fetch_brings_makes_room_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.media.parts._LOOK_EVERY", 100)
    cache = MediaCache(tmp_path, 2000)
    old = keep(cache, "a", b"x" * 1500)

    def fetch(file: BinaryIO) -> tuple[str, int]:
        for _ in range(10):
            file.write(b"y" * 100)
            file.flush()
        assert not old.exists(), "before the fetch is over"
        return hashlib.sha256(b"y" * 1000).hexdigest(), 1000

    assert cache.store("b", "v.mp4", fetch).path.stat().st_size == 1000


def test_a_folder_of_an_earlier_version_works_on(tmp_path: Path) -> None:
    entry = tmp_path / hashlib.sha256(b"a").hexdigest()
    entry.mkdir()
    (entry / "v.mp4").write_bytes(b"video")
    known = {"name": "v.mp4", "sha256": hashlib.sha256(b"video").hexdigest(), "size": 5}
    (entry / ".meta.json").write_text(json.dumps(known))
    (entry / "tmpabc.part").write_bytes(b"x" * 100)  # a download that was killed
    cache = MediaCache(tmp_path, 1 << 20)
    found = cache.find_or_store("a", "v.mp4", lambda file: pytest.fail("it is here"), lambda: None)
    assert found.path.read_bytes() == b"video"
    del found
    age(entry / "v.mp4", 9000)
    assert cache.evict(0) == 105 and files(tmp_path) == []


def test_a_file_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    cache = MediaCache(tmp_path, 1 << 20)
    first, second = keep(cache, "a", b"video"), keep(cache, "b", b"video")
    assert first.read_bytes() == second.read_bytes() == b"video" and not first.samefile(second)
    assert cache.evict(0) == 10 and files(tmp_path) == []


def test_content_without_an_address_goes(tmp_path: Path) -> None:
    """As a process leaves it that is killed between two steps."""
    cache = MediaCache(tmp_path, 1 << 20)
    path = keep(cache, "a", b"video")
    path.unlink()
    cache.evict(1 << 20)
    assert not files(tmp_path / "blobs")


def test_a_full_disk_makes_room_even_where_the_cap_is_far(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 1 << 40)
    old, young = keep(cache, "a", b"x" * 1000, 9000), keep(cache, "b", b"y" * 900, 5000)
    assert cache.make_room() == 1000 and not old.exists() and young.exists()


def test_a_file_system_without_locks_works_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    cache = MediaCache(tmp_path, 1 << 20)
    file = cache.find_or_store("a", "v.mp4", giving(b"video"), lambda: None)
    assert cache.find("a") == file and file.path.read_bytes() == b"video"
    cache.evict(0)
    assert file.path.exists(), "it was asked for a moment ago"
    age(file.path, 9000)
    assert cache.evict(0) == 5 and not file.path.exists()
