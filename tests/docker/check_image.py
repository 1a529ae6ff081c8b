"""Carry out the Dockerfile without Docker: in an empty folder, with a fresh virtual environment.

Steps that change the operating system (users, folders in /) are named and left out; files are copied only if
``.dockerignore`` lets them through; the packages are installed as written; then the image's own commands and its
health check are run as they stand. Exits 0 only if all of it worked. Takes minutes and 3 GB of temporary space.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from backend.processes import Child, free_port

ROOT = Path(__file__).parents[2]
SYSTEM_STEPS = ("useradd ", "install --directory ")
HEALTH_PATIENCE_S = 90


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """``(keyword, rest)`` of each instruction; continued lines are joined."""
    joined = re.sub(r"\\\n\s*", "", dockerfile)
    for line in joined.splitlines():
        if line.strip() and not line.startswith("#"):
            keyword, _, rest = line.strip().partition(" ")
            yield keyword.upper(), rest.strip()


def argument(rest: str, given: Mapping[str, str]) -> dict[str, str]:
    """An argument of the build: as it is given (EXTRAS=ray), else its default."""
    name, _, default = rest.partition("=")
    return {name: given.get(name) or default}


def let_through(path: Path, rules: list[str]) -> bool:
    """Whether ``.dockerignore`` sends a file of the project to the builder: the last matching rule decides."""
    text, sent = path.as_posix(), True
    for rule in rules:
        pattern = rule.removeprefix("!").strip("/")
        parts = [text, *(parent.as_posix() for parent in path.parents)]
        names = [pattern, pattern.removeprefix("**/")]
        if any(fnmatch.fnmatch(part, name) for part in parts for name in names) or (
            pattern.startswith("**/") and any(fnmatch.fnmatch(piece, pattern[3:]) for piece in path.parts)
        ):
            sent = rule.startswith("!")
    return sent


def copy(words: list[str], app: Path, rules: list[str]) -> None:
    *sources, target = words
    for source in sources:
        found = [ROOT / source] if (ROOT / source).is_file() else [p for p in (ROOT / source).rglob("*") if p.is_file()]
        found = [path for path in found if let_through(path.relative_to(ROOT), rules)]
        if not found:
            sys.exit(f"COPY {source}: nothing is there, or .dockerignore keeps it out")
        for path in found:
            inside = Path(path.name) if (ROOT / source).is_file() else path.relative_to(ROOT / source)
            place = app / target / inside
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="stvg-image-") as scratch:
        home = Path(scratch)
        app, data, venv = home / "app", home / "data", home / "venv"
        app.mkdir()
        data.mkdir()
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        rules = [r for r in (ROOT / ".dockerignore").read_text().splitlines() if r.strip() and not r.startswith("#")]
        env = {k: v for k, v in os.environ.items() if not k.startswith(("STVG_", "PYTHON", "VIRTUAL_ENV"))}
        env |= {"PATH": f"{venv / 'bin'}:/usr/bin:/bin", "HOME": str(home), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        health: list[str] = []
        start: list[str] = []
        for keyword, rest in instructions((ROOT / "Dockerfile").read_text()):
            started = time.monotonic()
            if keyword == "ENV":
                env |= dict(word.split("=", 1) for word in shlex.split(rest))
            elif keyword == "ARG":
                env |= argument(rest, os.environ)
            elif keyword == "COPY":
                copy(shlex.split(rest), app, rules)
            elif keyword == "RUN" and rest.startswith(SYSTEM_STEPS):
                print(f"left out: RUN {rest}")
                continue
            elif keyword == "RUN":
                # Hashes of what pip unpacks are not at stake here, its wheels may come from a cache.
                subprocess.run(rest.replace(" --no-cache-dir", " --quiet"), shell=True, cwd=app, env=env, check=True)
            elif keyword == "HEALTHCHECK":
                health = json.loads(rest[rest.index("CMD") + 3 :])
            elif keyword == "CMD":
                start = json.loads(rest)
            else:
                continue
            print(f"{keyword} {rest[:90]}  {time.monotonic() - started:.0f} s", flush=True)
        run_image(app, data, env, start, health)
    print("the image's steps work")


def run_image(app: Path, data: Path, env: dict[str, str], start: list[str], health: list[str]) -> None:
    """The image's two commands and its health check, as a container would run them."""
    port = free_port()
    env |= {"STVG_DATA_DIR": str(data), "STVG_PORT": str(port), "STVG_HOST": "127.0.0.1"}
    env |= {"STVG_DATABASE_URL": f"sqlite:///{data / 'stvg.sqlite3'}", "STVG_API_TOKEN": "a-token-of-this-check"}
    env |= {"HF_HUB_OFFLINE": "1"}  # the image holds all that the embedded model needs
    health = [word.replace("9090", str(port)) for word in health]
    bin_folder = Path(env["PATH"].split(":", 1)[0])
    subprocess.run(["stvg", "db", "upgrade"], cwd=data, env=env, check=True, executable=bin_folder / "stvg")
    web = Child("web", [bin_folder / start[0], *start[1:]], log=data / "web.log", env=env, cwd=data)
    worker = Child("worker", [bin_folder / "stvg", "worker"], log=data / "worker.log", env=env, cwd=data)
    try:
        web.start()
        worker.start()

        def healthy() -> bool:
            check = [bin_folder / health[0], *health[1:]]
            return subprocess.run(check, env=env, capture_output=True).returncode == 0

        print(f"healthy after {web.wait_until(healthy, HEALTH_PATIENCE_S):.0f} s")
        time.sleep(15)
        if not worker.alive:
            sys.exit(f"the worker ended:\n{worker.tail()}")
        print(f"the worker runs; its last line: {worker.tail(1)}")
    finally:
        worker.stop()
        web.stop()


if __name__ == "__main__":
    main()
