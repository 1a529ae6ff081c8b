"""The service that is killed: two workers, the web process and a Label Studio, each restarted at once."""

from __future__ import annotations

import random
import sys
from functools import partial
from pathlib import Path

from backend.processes import Child, free_port
from tests.chaos.seam import Connection, Opening
from tests.chaos.waiting import Waiting, ask

ROOT = Path(__file__).parents[2]
WEIGHTS = {"worker 1": 3, "worker 2": 3, "web": 2, "Label Studio": 1}
_STVG = [sys.executable, "-c", "from backend.cli.main import main; main()"]


class Service:
    """All processes; use it as a context manager.

    Attributes:
        kills: how often each was killed.
    """

    def __init__(self, folder: Path, database_url: str, opening: Opening) -> None:
        self.folder, port = folder, free_port()
        connection = Connection(
            f"http://127.0.0.1:{port}", "label-studio", "a password of this test", "a token of this test"
        )
        self.url, self.kills = connection.url, dict.fromkeys(WEIGHTS, 0)
        videos = folder / "videos"
        videos.mkdir()
        self.label_studio = opening(folder, connection)
        self.env = {
            "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "STVG_DATABASE_URL": database_url,
            "STVG_DATA_DIR": str(folder / "data"), "STVG_HOST": "127.0.0.1", "STVG_PORT": str(port),
            "STVG_USERNAME": connection.username, "STVG_PASSWORD": connection.password,
            "STVG_WEBHOOK_TOKEN": connection.webhook_token, "STVG_LABEL_STUDIO_URL": self.label_studio.url,
            "STVG_LABEL_STUDIO_TOKEN": self.label_studio.token, "STVG_DOCUMENT_ROOT": str(videos),
            "STVG_RETRY_SECONDS": "0.2", **self.label_studio.settings,
            # One job may by chance be hit by several kills in a row, which no machine of a team does.
            "STVG_MAX_DEATHS": "20",
        }  # fmt: skip
        self.children = {"Label Studio": self.label_studio.child, "web": self._child("web", [*_STVG, "serve"])}
        for name in WEIGHTS:
            if name.startswith("worker"):
                worker = [sys.executable, "-m", "tests.chaos.worker", str(self._ready_file(name))]
                self.children[name] = self._child(name, worker)

    def start(self, waiting: Waiting) -> None:
        """Everything runs and is connected."""
        self.label_studio.start()
        for name, child in self.children.items():
            if name != "Label Studio":
                child.start()
        for name in self.children:
            waiting.until(f"{name} to be ready", partial(self.ready, name))
        self.label_studio.connect(self.command)

    def command(self, *arguments: str) -> None:
        """One command of ours, to its end."""
        child = self._child(f"stvg {arguments[0]}", [*_STVG, *arguments])
        child.start()
        child.wait_for_success(300.0)

    def kill_one(self, chance: random.Random, waiting: Waiting) -> None:
        """``kill -9`` for one of them, once it runs; it is started again at once."""
        name = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        waiting.until(f"{name} to be ready", partial(self.ready, name))
        self.children[name].kill()
        self.kills[name] += 1
        self.children[name].start()

    def ready(self, name: str) -> bool:
        """Has it begun its work since it was started?"""
        child = self.children[name]
        if name.startswith("worker"):
            file = self._ready_file(name)
            return file.exists() and file.read_text() == str(child.pid)
        if name == "Label Studio":
            return self.label_studio.ready()
        answer = ask("GET", f"{self.url}/health")
        return answer is not None and answer.status_code == 200

    def logs(self) -> str:
        """The last lines of all of them."""
        return "\n\n".join(f"{name}:\n{child.tail(20)}" for name, child in self.children.items())

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children.values():
            child.stop()

    def _child(self, name: str, command: list[str]) -> Child:
        log = self.folder / f"{name.replace(' ', '-')}.log"
        return Child(name, command, log=log, env=self.env, cwd=self.folder)

    def _ready_file(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.ready"
