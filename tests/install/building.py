"""The package as a stranger gets it: an sdist, a wheel made of it, and an environment with nothing else of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "stvg-data", "*.sqlite3*")
"""What lies in a working folder and is no file of the project: environments, caches, what was built or run there."""

_BUILD = (
    "import sys; from setuptools import build_meta; print(getattr(build_meta, 'build_' + sys.argv[1])(sys.argv[2]))"
)

_WATCH = '''"""In this environment nothing may look into the repository that the package was built in."""

import sys

ROOT, BEHIND = {root!r}, {behind!r}


def watch(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and arguments and isinstance(arguments[0], str):
        if arguments[0].startswith(ROOT) and not arguments[0].startswith(BEHIND):
            raise PermissionError(f"the installed package looks into the repository: {{arguments[0]}}")


sys.addaudithook(watch)
'''


@dataclass(frozen=True)
class Built:
    """Where the two files lie, and the folder that they were made of."""

    source: Path
    sdist: Path
    wheel: Path


def build(folder: Path) -> Built:
    """By the hooks that ``python -m build --no-isolation`` calls, in its order: the wheel is made of the sdist."""
    source, out = folder / "source", folder / "dist"
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)
    out.mkdir()
    sdist = out / _hook("sdist", source, out)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    [unpacked] = (folder / "unpacked").iterdir()
    return Built(source, sdist, out / _hook("wheel", unpacked, out))


def _hook(what: str, source: Path, out: Path) -> str:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", _BUILD, what, str(out)]
    done = subprocess.run(command, cwd=source, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and the folder that commands are run from."""

    venv: Path
    home: Path

    @property
    def packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.venv), "platbase": str(self.venv)}))

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this process's own settings, and no way to its code."""
        path = f"{self.venv / 'bin'}:/usr/bin:/bin"
        more = {"HOME": str(self.home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}
        return {"PATH": path, **more}

    def command(self, *arguments: str) -> list[str]:
        return [str(self.venv / "bin" / arguments[0]), *arguments[1:]]

    def run(self, *arguments: str) -> str:
        """What the command printed on stdout; it must succeed."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.home, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def install(wheel: Path, folder: Path) -> Installed:
    """Into a fresh environment, which sees the packages of this one behind its own, but not what is editable there."""
    made = Installed(folder / "venv", folder / "home")
    made.home.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made.venv], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(made.venv / "bin/python"), "install", "--quiet", "--no-index"]
    more = ["--no-deps", "--no-compile", "--disable-pip-version-check", str(wheel)]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([*pip, *more], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    behind = sysconfig.get_path("purelib")
    (made.packages / "behind.pth").write_text(f"{behind}\n")  # .pth files over there are not read
    (made.packages / "watching_the_repository.py").write_text(_WATCH.format(root=f"{ROOT}/", behind=f"{ROOT}/.venv"))
    (made.packages / "a-watch.pth").write_text("import watching_the_repository\n")
    return made
