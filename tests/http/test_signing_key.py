"""One key for all processes, kept where nobody else reads it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from backend.http import signing_key as module
from backend.http.signing_key import FILE, signing_key
from backend.settings import SettingsError
from tests.http.conftest import make_settings


def _of(folder: Path) -> str:
    return signing_key(make_settings(secret_key=None, data_dir=folder))


def test_the_settings_key_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert signing_key(make_settings(secret_key="k" * 16, data_dir=tmp_path)) == "k" * 16
    assert not list(tmp_path.iterdir())
    with pytest.raises(SettingsError, match="STVG_SECRET_KEY has fewer than 16"):
        signing_key(make_settings(secret_key="k" * 15, data_dir=tmp_path))


def test_a_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    key = _of(tmp_path / "new" / "folder")
    assert len(key) == 64 and _of(tmp_path / "new" / "folder") == key and _of(tmp_path) != key
    path = tmp_path / "new" / "folder" / FILE
    assert path.stat().st_mode & 0o777 == 0o600 and [p.name for p in path.parent.iterdir()] == [FILE]


def test_processes_that_start_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All find no key before any of them has written one."""
    together = Barrier(8)
    make = module._make

    def after_all(path: Path) -> None:
        together.wait()
        make(path)

    monkeypatch.setattr(module, "_make", after_all)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(_of, [tmp_path] * 8))
    assert len(keys) == 1 and [p.name for p in tmp_path.iterdir()] == [FILE]


def test_a_folder_that_takes_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="set STVG_SECRET_KEY"):
        _of(tmp_path / "file")


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64])
def test_a_damaged_key_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(SettingsError, match=FILE):
        _of(tmp_path)


def test_the_key_is_never_logged() -> None:
    settings = make_settings(secret_key="k" * 20)
    assert "k" * 20 in set(settings.secrets()) and "k" * 20 not in repr(settings)
