"""With which key are sessions signed? One for all processes, also after a restart."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from backend.settings import Settings, SettingsError

SHORTEST = 16
FILE = "session.key"


def signing_key(settings: Settings) -> str:
    """``STVG_SECRET_KEY``, else the key in the data folder, which is made at the first start.

    Raises:
        SettingsError: the key is too short, or the data folder cannot keep one.
    """
    if settings.secret_key is not None:
        key = settings.secret_key.get_secret_value()
        if len(key) < SHORTEST:
            raise SettingsError(f"STVG_SECRET_KEY has fewer than {SHORTEST} characters. Make one: openssl rand -hex 32")
        return key
    path = settings.data_dir / FILE
    try:
        if not path.exists():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The key that signs sessions cannot be kept in {path} ({error.__class__.__name__}). Let the web process "
            "write into STVG_DATA_DIR, or set STVG_SECRET_KEY."
        ) from None
    if len(key) < SHORTEST:
        raise SettingsError(f"{path} holds no key. Remove it: the next start makes a new one.")
    return key


def _make(path: Path) -> None:
    """Write a key beside its place and link it there: the first process wins, and nobody reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return  # another process was first
    finally:
        temporary.unlink(missing_ok=True)
