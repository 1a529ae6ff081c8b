"""``stvg serve`` says that it listens when it does, and otherwise what to do."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from backend.cli import serve
from backend.labelstudio.connect import Service
from backend.settings import Settings, SettingsError, load_settings

ENVIRONMENT = {"STVG_USERNAME": "u", "STVG_PASSWORD": "a-long-password", "STVG_LOG_LEVEL": "WARNING"}


def _free(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as found:
        return int(found.getsockname()[1])


@contextmanager
def _serving(url: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    program = Path(sys.executable).parent / "stvg"
    env = {**os.environ, **ENVIRONMENT, "STVG_DATABASE_URL": url, "OMP_NUM_THREADS": "1", **environment}
    with subprocess.Popen([program, "serve"], env=env, stderr=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.terminate()


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("127.0.0.1", "127.0.0.1")])
def test_it_listens_on_the_address_that_it_says(sqlite_url: str, tmp_path: Path, host: str, shown: str) -> None:
    port = _free(host.strip("[]"))
    environment = {"STVG_HOST": host, "STVG_PORT": str(port), "STVG_DATA_DIR": str(tmp_path)}
    with _serving(sqlite_url, **environment) as child:
        assert child.stderr is not None
        said = next((line for line in child.stderr if "listens" in line), "")
        assert f"stvg listens on http://{shown}:{port} for model" in said
        assert httpx.get(f"http://{shown}:{port}/health", trust_env=False, timeout=30).status_code == 200


def test_a_port_in_use_is_a_sentence_and_nothing_says_that_it_listens(sqlite_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        environment = {**ENVIRONMENT, "STVG_DATABASE_URL": sqlite_url}
        result = CliRunner().invoke(serve.command, ["--port", str(port)], env=environment)
    assert isinstance(result.exception, SettingsError) and "listens" not in result.output
    assert re.search(rf"127\.0\.0\.1:{port}: another program uses port .* STVG_PORT", str(result.exception))


@pytest.mark.parametrize(
    ("host", "said"),
    [("203.0.113.7", "no address 203.0.113.7"), ("2001:db8::7", "no address"), ("no-such-host.invalid", "no address"),
     ("x" * 70 + ".example", "no address")],
)  # fmt: skip
def test_an_address_that_the_machine_does_not_have(host: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        serve.check_port(host, 9090)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", ""])
def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("STVG_PORT", port)
    with pytest.raises(SettingsError, match="STVG_PORT"):
        load_settings()
    assert CliRunner().invoke(serve.command, ["--port", port]).exit_code == 2


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("::1", "http://[::1]:9090"),
        ("[::1]", "http://[::1]:9090"),
        ("::", "http://[::1]:9090"),
        ("0.0.0.0", "http://127.0.0.1:9090"),
        ("fd00::5", "http://[fd00::5]:9090"),
        ("stvg.intern", "http://stvg.intern:9090"),
    ],
)
def test_connect_registers_an_address_that_can_be_called(host: str, url: str) -> None:
    settings = Settings(host=host)
    assert settings.own_url() == url and Service(settings.own_url()).webhook_url == f"{url}/webhook"


@pytest.mark.parametrize(
    "value",
    ["ls:8080", "ftp://ls", "http://", "http://[::1", "http://ls:x", "http://ls:70000", "http://u:p@ls", "http://l?q"],
)
@pytest.mark.parametrize("name", ["LABEL_STUDIO_URL", "LABEL_STUDIO_ALIASES", "MEDIA_ALLOWED_ORIGINS"])
def test_an_address_that_is_none_is_named_by_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"STVG_{name}", value)
    with pytest.raises(SettingsError, match=f"STVG_{name}") as caught:
        load_settings()
    assert "p@" not in str(caught.value)


def test_several_names_are_separated_by_commas() -> None:
    settings = Settings(label_studio_url="http://[::1]:8080/ls/", label_studio_aliases=" http://a:1/ , https://b/ls,")
    assert settings.label_studio_url == "http://[::1]:8080/ls" and settings.aliases() == ["http://a:1", "https://b/ls"]
    assert settings.public_label_studio_url() == "http://a:1"
    assert Settings(label_studio_url="http://ls").public_label_studio_url() == "http://ls"
    assert Settings().aliases() == [] and Settings().allowed_origins() == []
