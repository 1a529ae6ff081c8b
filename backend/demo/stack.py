"""The backend as a team would run it, on loopback: one web process and one worker as child processes.

Passwords are made up at each start and reach the children by their environment only.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import httpx

from backend.demo.accounts import REVIEWER, make_accounts
from backend.demo.label_studio import LabelStudioServer
from backend.processes import Child, free_port, own_command

LABEL_STUDIO_USERNAME = "label-studio"


class Stack:
    """``stvg serve`` and ``stvg worker`` with a SQLite database of their own.

    Attributes:
        url: where the web process listens.
        username, password: the basic log-in that Label Studio uses.
        webhook_token: what Label Studio's webhooks carry.
        database_url: for whoever wants to look inside.
        passwords: of the accounts of the review pages, by name; known once the stack has been started.

    Args:
        data_dir: database, video cache and logs.
        label_studio: the server that predictions are delivered to; it need not run yet.
        document_root: the folder that Label Studio serves local files from.
        model: a model folder or hub id; the embedded model when None.
        env: more ``STVG_...`` variables for both processes.
    """

    def __init__(
        self,
        data_dir: Path,
        label_studio: LabelStudioServer,
        *,
        document_root: Path,
        port: int | None = None,
        model: str | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir = data_dir.resolve()
        data_dir.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.username = LABEL_STUDIO_USERNAME
        self.password = secrets.token_urlsafe(18)
        self.webhook_token = secrets.token_urlsafe(18)
        self.passwords: dict[str, str] = {}
        self.database_url = f"sqlite:///{data_dir / 'stvg.sqlite3'}"
        self.env = {
            "STVG_DATABASE_URL": self.database_url,
            "STVG_DATA_DIR": str(data_dir / "media"),
            "STVG_HOST": "127.0.0.1",
            "STVG_PORT": str(self.port),
            "STVG_USERNAME": self.username,
            "STVG_PASSWORD": self.password,
            "STVG_WEBHOOK_TOKEN": self.webhook_token,
            "STVG_LABEL_STUDIO_URL": label_studio.url,
            "STVG_LABEL_STUDIO_TOKEN": label_studio.token,
            "STVG_DOCUMENT_ROOT": str(document_root.resolve()),
            # The embedded model is too small to gain from threads; on a busy machine their spin locks cost it minutes.
            **({"STVG_MODEL": model} if model else {"OMP_NUM_THREADS": "1"}),
            **(env or {}),
        }
        self.web = self._child("web", "serve", data_dir)
        self.worker = self._child("worker", "worker", data_dir)

    @property
    def reviewer_password(self) -> str:
        return self.passwords[REVIEWER]

    def _child(self, name: str, command: str, data_dir: Path) -> Child:
        return Child(name, own_command(command), log=data_dir / f"{name}.log", env=self.env, cwd=data_dir)

    def run(self, *arguments: str, timeout_s: float = 300.0) -> str:
        """Run one ``stvg`` command with this backend's settings; returns what it printed.

        Raises: ProcessError when it fails, with its last lines.
        """
        name = f"stvg {arguments[0]}"
        log = self.data_dir / f"{arguments[0]}.log"
        log.unlink(missing_ok=True)
        child = Child(name, own_command(*arguments), log=log, env=self.env, cwd=self.data_dir)
        child.start()
        child.wait_for_success(timeout_s)
        return log.read_text(errors="replace")

    def start(self, timeout_s: float = 120.0) -> float:
        """Migrate the database, start both processes, wait until the web process is healthy; returns the seconds."""
        self.run("db", "upgrade")
        self.passwords = make_accounts(self.database_url)
        self.worker.start()
        self.web.start()
        return self.web.wait_until(self.healthy, timeout_s)

    def healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        self.worker.stop()
        self.web.stop()

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
