"""The service that is killed: two workers, the web process and a Label Studio, each restarted at once."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from backend.demo.processes import Child, free_port

ROOT = Path(__file__).parents[2]
USER, PASSWORD, HOOK_TOKEN = "label-studio", "a password of this test", "a token of this test"
LS_TOKEN = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = {"worker 1": 3, "worker 2": 3, "web": 2, "Label Studio": 1}


class Service:
    """All processes; use it as a context manager.

    Attributes:
        kills: how often each was killed.
    """

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self.port, ls_port = folder, free_port(), free_port()
        self.url, self.label_studio_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{ls_port}"
        self.kills = dict.fromkeys(WEIGHTS, 0)
        videos = folder / "videos"
        videos.mkdir()
        env = {
            "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "STVG_DATABASE_URL": database_url,
            "STVG_DATA_DIR": str(folder / "data"), "STVG_HOST": "127.0.0.1", "STVG_PORT": str(self.port),
            "STVG_USERNAME": USER, "STVG_PASSWORD": PASSWORD, "STVG_WEBHOOK_TOKEN": HOOK_TOKEN,
            "STVG_LABEL_STUDIO_URL": self.label_studio_url, "STVG_LABEL_STUDIO_TOKEN": LS_TOKEN,
            "STVG_DOCUMENT_ROOT": str(videos), "STVG_LEASE_SECONDS": "4", "STVG_RECONCILE_SECONDS": "5",
            "STVG_HANDOUT_SECONDS": "5", "STVG_RETRY_SECONDS": "0.2",
            # One job may by chance be hit by several kills in a row, which no machine of a team does.
            "STVG_MAX_DEATHS": "20",
        }  # fmt: skip
        hook = (f"{self.url}/webhook", HOOK_TOKEN)
        fake = ["-m", "tests.chaos.label_studio", str(ls_port), str(folder / "journal"), *hook]
        stvg = ["-c", "from backend.cli.main import main; main()"]
        self.children = {
            "Label Studio": self._child("Label Studio", fake, env),
            "web": self._child("web", [*stvg, "serve"], env),
            **{
                name: self._child(name, ["-m", "tests.chaos.worker", str(self._ready_file(name))], env)
                for name in WEIGHTS
                if name.startswith("worker")
            },
        }

    def kill_one(self, chance: random.Random, wait: Callable[[str, Callable[[], bool]], None]) -> None:
        """``kill -9`` for one of them, once it runs; it is started again at once."""
        name = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        wait(f"{name} to be ready", lambda: self.ready(name))
        self.children[name].kill()
        self.kills[name] += 1
        self.children[name].start()

    def ready(self, name: str) -> bool:
        """Has it begun its work since it was started?"""
        child = self.children[name]
        if name.startswith("worker"):
            file = self._ready_file(name)
            return file.exists() and file.read_text() == str(child.pid)
        path = f"{self.url}/health" if name == "web" else f"{self.label_studio_url}/api/projects/1/"
        answer = ask("GET", path)
        return answer is not None and answer.status_code == 200

    def logs(self) -> str:
        """The last lines of all of them."""
        return "\n\n".join(f"{name}:\n{child.tail(20)}" for name, child in self.children.items())

    def __enter__(self) -> Service:
        for child in self.children.values():
            child.start()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children.values():
            child.stop()

    def _child(self, name: str, arguments: list[str], env: dict[str, str]) -> Child:
        log = self.folder / f"{name.replace(' ', '-')}.log"
        return Child(name, [sys.executable, *arguments], log=log, env=env, cwd=self.folder)

    def _ready_file(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.ready"


def ask(method: str, url: str, **content: Any) -> httpx.Response | None:
    """An answer, or None where the process is away or was killed before it."""
    try:
        return httpx.request(method, url, timeout=10, trust_env=False, **content)
    except httpx.HTTPError:
        return None
