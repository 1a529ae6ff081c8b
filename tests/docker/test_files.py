"""Dockerfile, compose.yaml and pins fit each other and the program; ``make check-image`` runs the steps themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from backend.cli.main import COMMANDS
from backend.settings import Settings
from tests.docker.check_image import instructions, let_through

ROOT = Path(__file__).parents[2]
DOCKERFILE = list(instructions((ROOT / "Dockerfile").read_text()))
COMPOSE_TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)


def test_every_setting_that_is_set_exists() -> None:
    names = re.findall(r"\bSTVG_([A-Z_]+)[=:]", (ROOT / "Dockerfile").read_text() + COMPOSE_TEXT)
    assert len(names) > 8
    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_every_variable_of_compose_is_explained() -> None:
    example = (ROOT / "compose.env.example").read_text()
    needed = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE_TEXT))
    assert len(needed) > 4
    assert needed == set(re.findall(r"^([A-Z_]+)=(?:label-studio)?$", example, re.MULTILINE))


def test_the_services_run_commands_that_exist() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"postgres", "label-studio", "migrate", "web", "worker"}
    for name in ("migrate", "web", "worker"):
        program, command, *_ = services[name]["command"]
        assert (program, command in COMMANDS) == ("stvg", True), name
    gpu = services["worker"]["deploy"]["resources"]["reservations"]["devices"][0]
    assert (gpu["driver"], gpu["capabilities"]) == ("nvidia", ["gpu"])
    assert "deploy" not in services["web"]


def test_the_image_runs_as_a_user_without_rights_and_says_how_it_is() -> None:
    keywords = [keyword for keyword, _ in DOCKERFILE]
    assert "HEALTHCHECK" in keywords
    user = next(rest for keyword, rest in DOCKERFILE if keyword == "USER")
    assert user not in ("root", "0")
    assert keywords.index("USER") > max(k for k, keyword in enumerate(keywords) if keyword == "RUN")


def test_torch_is_pinned_alike_everywhere() -> None:
    (pinned,) = re.findall(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert f"torch=={pinned} " in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("pyproject.toml", True),
        ("LICENSE", True),
        ("backend/http/app.py", True),
        ("stvg_core/demo/model/model.safetensors", True),
        ("backend/http/__pycache__/app.cpython-311.pyc", False),
        (".env", False),
        (".git/config", False),
        ("stvg.sqlite3", False),
        ("tests/conftest.py", False),
    ],
)
def test_what_the_builder_sees(path: str, sent: bool) -> None:
    rules = [r for r in (ROOT / ".dockerignore").read_text().splitlines() if r.strip() and not r.startswith("#")]
    assert let_through(Path(path), rules) is sent
