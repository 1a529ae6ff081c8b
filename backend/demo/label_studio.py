"""A real Label Studio on loopback. How is it started without a browser, and when is it ready?"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from pathlib import Path

import httpx

from backend.processes import Child, ProcessError, free_port

USERNAME = "annotator@example.org"
DATABASE = "label_studio.sqlite3"
MIGRATION_PATIENCE_S = 900.0


class LabelStudioServer:
    """Starts and stops one Label Studio 1.23 with its own data directory (SQLite).

    Attributes:
        url: where it listens, without a trailing slash.
        username, password: the log-in for a browser.
        token: the legacy API token of that user (``Authorization: Token ...``).

    Args:
        program: the ``label-studio`` executable (it lives in a virtual environment of its own).
        data_dir: its database and uploads; an existing one is continued with the password and token it was made with.
        document_root: videos below it are served as ``/data/local-files/?d=...``; storage records must name a
            subdirectory of it.
        port: a free one is chosen when None.
    """

    def __init__(
        self,
        program: Path,
        data_dir: Path,
        *,
        document_root: Path,
        port: int | None = None,
        log: Path | None = None,
    ) -> None:
        self.program = program.absolute()
        self.data_dir = data_dir.resolve()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.username = USERNAME
        self.password = self._remembered("password", secrets.token_urlsafe(12))
        self.token = self._remembered("token", secrets.token_hex(20))
        self.child = Child(
            "Label Studio",
            [self.program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(self.port)],
            log=log or self.data_dir / "label-studio.log",
            env=self._environment(document_root.resolve()),
            cwd=self.data_dir,
        )

    def _remembered(self, name: str, fresh: str) -> str:
        """A secret that stays the same for one data directory, readable by its owner only."""
        file = self.data_dir / f"{name}.txt"
        if not file.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(fresh)
        return file.read_text().strip()

    def _environment(self, document_root: Path) -> dict[str, str]:
        return {
            "LABEL_STUDIO_USERNAME": self.username,
            "LABEL_STUDIO_PASSWORD": self.password,
            "LABEL_STUDIO_USER_TOKEN": self.token,
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.data_dir),
            "LABEL_STUDIO_HOST": self.url,
            # Honoured only when the organisation is created, that is at the first start of a data directory.
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            # Both are needed, else a backend on loopback is refused while its row is created all the same.
            "ML_BLOCK_LOCAL_IP": "false",
            "SSRF_PROTECTION_ENABLED": "false",
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(document_root),
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            # Nothing of the demo leaves the machine.
            "COLLECT_ANALYTICS": "false",
            "LATEST_VERSION_CHECK": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
        }

    def start(self, timeout_s: float = 300.0) -> float:
        """Start it and wait until it answers and the token works; returns the seconds that took.

        Raises: ProcessError when it cannot be started or the port is taken.
        """
        started = time.monotonic()
        if self._answers("/health"):
            raise ProcessError(f"port {self.port} is taken by another server: choose another one or leave it out.")
        self._lay_out_database()
        self.child.start()
        self.child.wait_until(self.healthy, timeout_s)
        return time.monotonic() - started

    def _lay_out_database(self) -> None:
        """Give a new data directory an empty database with all tables.

        Label Studio's migrations take half a minute (minutes on a busy machine), so the result is kept beside the
        program and copied from there. It holds no user: the start itself makes that, with this server's secrets. Where
        the program's folder belongs to somebody else, nothing is kept: the start makes the tables.
        """
        own = self.data_dir / DATABASE
        if own.exists():
            return
        kept = self.program.resolve().parent.parent / "label-studio-tables" / DATABASE
        if not kept.exists():
            try:
                kept.parent.mkdir(exist_ok=True)
            except OSError:
                return
            with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
                # "version" brings the tables up to date and prints; it starts no server and makes no user.
                env = {"LABEL_STUDIO_BASE_DATA_DIR": scratch, "COLLECT_ANALYTICS": "false"}
                log = self.child.log.with_name("label-studio-tables.log")
                tables = Child("label-studio", [self.program, "version"], log=log, env=env, cwd=Path(scratch))
                tables.start()
                tables.wait_for_success(MIGRATION_PATIENCE_S)
                (Path(scratch) / DATABASE).replace(kept)
        shutil.copyfile(kept, own)

    def healthy(self) -> bool:
        """True when it answers and knows our token."""
        return self._answers("/health") and self._answers("/api/projects?page_size=1")

    def _answers(self, path: str) -> bool:
        try:
            reply = httpx.get(
                self.url + path, headers={"Authorization": f"Token {self.token}"}, timeout=10, trust_env=False
            )
        except httpx.HTTPError:
            return False
        return reply.status_code == 200

    def stop(self) -> None:
        self.child.stop()

    def __enter__(self) -> LabelStudioServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
