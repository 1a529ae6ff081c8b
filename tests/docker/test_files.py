"""Dockerfile, compose.yaml and pins fit each other and the program; ``make check-image`` runs the steps themselves."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from backend.cli.main import COMMANDS
from backend.settings import Settings
from tests.docker.check_image import argument, instructions, let_through

ROOT = Path(__file__).parents[2]
DOCKERFILE = list(instructions((ROOT / "Dockerfile").read_text()))
COMPOSE_TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES = COMPOSE["services"]
OURS = ("migrate", "web", "worker-0", "worker-1")
ELSEWHERE = ("MPLCONFIGDIR", "TRITON_CACHE_DIR", "XDG_CACHE_HOME")  # folders that are written outside of /data


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
    assert set(SERVICES) == {"postgres", "label-studio", "migrate", "web", "worker-0", "worker-1"}
    for name in OURS:
        program, command, *_ = SERVICES[name]["command"]
        assert (program, command in COMMANDS) == ("stvg", True), name
    assert "deploy" not in SERVICES["web"]


def test_each_worker_has_a_gpu_of_its_own() -> None:
    taken = []
    for name in OURS:
        for device in SERVICES[name].get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", []):
            assert (device["driver"], device["capabilities"], "count" in device) == ("nvidia", ["gpu"], False)
            taken.append((name, *device["device_ids"]))
    assert taken == [("worker-0", "0"), ("worker-1", "1")]
    assert "profiles" not in SERVICES["worker-0"] and SERVICES["worker-1"]["profiles"] == ["two-gpus"]
    assert "--profile two-gpus" in COMPOSE_TEXT


def test_no_service_has_more_rights_than_it_needs() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] > 0 and service["mem_limit"], name
        assert not service.get("privileged") and service.get("user") != "root", name
        assert service.get("read_only") or name == "label-studio", name
        assert not service.get("read_only") or service["tmpfs"], name
        assert not service.get("cap_add") or name == "postgres", name
    assert not any("docker.sock" in str(volume) for s in SERVICES.values() for volume in s.get("volumes", []))


def test_every_port_is_this_machines_own() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2 and all(re.match(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+$", port) for port in ports)


def test_what_is_kept_lies_in_volumes() -> None:
    """The rest of a file system that is read-only, and memory that is gone after a restart."""
    kept = {volume.partition(":")[0] for s in SERVICES.values() for volume in s.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= kept
    assert "STVG_DATA_DIR=/data" in (ROOT / "Dockerfile").read_text()
    for name in OURS:
        assert "stvg-data:/data" in SERVICES[name]["volumes"], name
        assert all(path.startswith("/tmp") for path in (SERVICES[name]["environment"][v] for v in ELSEWHERE)), name


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


def test_extras_that_are_named_exist_and_reach_the_database() -> None:
    """Wherever the image's argument is given a value, it brings a driver for PostgreSQL."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    texts = [COMPOSE_TEXT, *((ROOT / name).read_text() for name in ("Dockerfile", "compose.env.example", "Makefile"))]
    texts += [path.read_text() for path in (ROOT / "docs").glob("*.md")]
    given = [value for text in texts for value in re.findall(r"\bEXTRAS(?:=|:-)([a-z][a-z,-]*)", text)]
    assert len(given) > 6
    for value in given:
        brought = [one for name in value.split(",") for one in extras[name]]
        assert any(one.startswith("psycopg") for one in brought), value
    assert SERVICES["web"]["build"]["args"] == {"EXTRAS": "${EXTRAS:-postgres}"}


def test_an_argument_of_the_build_can_be_given() -> None:
    [line] = [rest for keyword, rest in DOCKERFILE if keyword == "ARG"]
    assert argument(line, {}) == {"EXTRAS": "postgres"} and argument(line, {"EXTRAS": "ray"}) == {"EXTRAS": "ray"}


def test_the_dockerfile_keeps_to_the_usual_rules() -> None:
    """What the common checkers of such files ask for, as far as it holds here."""
    keywords = [keyword for keyword, _ in DOCKERFILE]
    assert "ADD" not in keywords and keywords.count("CMD") == 1
    [base] = [rest for keyword, rest in DOCKERFILE if keyword == "FROM"]
    assert ":" in base and not base.endswith(":latest")
    [place] = [rest for keyword, rest in DOCKERFILE if keyword == "WORKDIR"]
    assert place.startswith("/")
    for keyword, rest in DOCKERFILE:
        if keyword == "CMD":
            assert rest.startswith("["), "signals must reach the program, not a shell"
        if keyword == "RUN":
            assert "sudo" not in rest and "curl" not in rest and "apt-get" not in rest
            assert "pip install" not in rest or "--no-cache-dir --constraint constraints.txt" in rest
    assert not re.search(r"(?i)(password|token|secret|key)=\S", " ".join(rest for k, rest in DOCKERFILE if k == "ENV"))
