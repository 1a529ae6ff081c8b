"""The wheel alone is enough: what is in it, and what works from it, without the repository and without a network."""

from __future__ import annotations

import email
import json
import subprocess
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import httpx
import pytest

from backend.processes import Child, free_port
from stvg_core.demo.clips import split_scene, write_clip
from tests.install.building import ROOT, Built, Installed, build, install

PACKAGES = ("backend", "labeling_config", "migrations", "stvg_core")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, built: Built) -> Installed:
    return install(built.wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    with zipfile.ZipFile(built.wheel) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(wheel.read(name))


def files(source: Path) -> dict[str, bytes]:
    """What the packages are made of in a folder."""
    found = (path for name in PACKAGES for path in (source / name).rglob("*") if path.is_file())
    return {path.relative_to(source).as_posix(): path.read_bytes() for path in found}


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        inside = {name: wheel.read(name) for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = files(built.source)
    assert sorted(inside) == sorted(wanted)
    assert inside == wanted
    for loaded in (
        "backend/http/templates/base.html", "backend/http/static/player.js", "labeling_config/video_tube.xml",
        "migrations/env.py", "migrations/script.py.mako", "stvg_core/demo/model/model.safetensors",
        "stvg_core/demo/model/chat_template.jinja", "stvg_core/demo/model/stvg.json",
    ):  # fmt: skip
        assert loaded in inside


def test_the_sdist_holds_what_a_wheel_is_made_of(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", *files(built.source)} <= names


def test_an_index_would_take_it(metadata: Message) -> None:
    """PyPI refuses a package that depends on an address, also in an extra."""
    needed = metadata.get_all("Requires-Dist", [])
    assert len(needed) > 20 and not [one for one in needed if " @ " in one or "://" in one]
    assert metadata["Name"] == "stvg" and metadata["License-Expression"] == "Apache-2.0"


def test_the_docs_say_what_each_extra_is_for(metadata: Message) -> None:
    text = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert rows == set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])


def test_what_is_imported_is_what_was_installed(installed: Installed) -> None:
    code = (
        "import backend, labeling_config, migrations, stvg_core, stvg_core.demo, json;"
        "print(json.dumps([m.__file__ for m in (backend, labeling_config, migrations, stvg_core)]))"
    )
    found = [Path(name) for name in json.loads(installed.run("python", "-c", code))]
    assert [path.parent.parent for path in found] == [installed.packages] * 4


def test_a_look_into_the_repository_would_be_seen(installed: Installed) -> None:
    code = f"open({str(ROOT / 'Makefile')!r})"
    done = subprocess.run(
        installed.command("python", "-c", code), cwd=installed.home, env=installed.environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 1 and "looks into the repository" in done.stderr


def test_the_version_and_the_demo_are_there(installed: Installed) -> None:
    first, second = installed.run("stvg", "--version").splitlines()
    assert first == f"stvg {PROJECT['version']}" and second.startswith("embedded model ")
    assert "--label-studio" in installed.run("stvg", "demo", "--help")
    done = subprocess.run(
        installed.command("stvg", "demo"), cwd=installed.home, env=installed.environment, capture_output=True, text=True
    )
    assert done.returncode == 1 and "label-studio/bin/pip install label-studio" in done.stderr


def test_it_grounds_a_clip(installed: Installed, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", split_scene("demo", 2))
    answer = json.loads(installed.run("stvg", "ground", str(clip), "--query", "the red circle moving left"))
    assert len(answer["boxes"]) == answer["end_frame"] - answer["start_frame"] + 1


def test_it_migrates_and_serves(installed: Installed) -> None:
    """In the order of docs/install.md; the log-in page comes from the templates, its style from the static files."""
    assert installed.run("stvg", "db", "upgrade").startswith("The database is at migration ")
    assert "is ready" in installed.run("stvg", "db", "status")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {**installed.environment, "STVG_API_TOKEN": "a-token-of-this-test", "PYTHONPATH": ""}
    command = installed.command("stvg", "serve", "--port", str(port))
    log = installed.home / "web.log"
    web = Child("web", command, log=log, env=env, cwd=installed.home)
    web.start()
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:

            def answers() -> bool:
                try:
                    return client.get("/health").status_code == 200
                except httpx.TransportError:
                    return False

            web.wait_until(answers, 600)
            assert client.get("/ready").json()["status"] == "READY"
            page = client.get("/login")
            assert page.status_code == 200 and "<form" in page.text
            assert client.get("/static/style.css").status_code == 200
    finally:
        web.stop()
    assert "Traceback" not in log.read_text()
