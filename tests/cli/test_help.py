"""``stvg``'s help and version: every command is listed once, whole, and exists."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from backend.cli import main as stvg_main
from backend.cli.main import COMMANDS, MODULES, SECTIONS, stvg
from stvg_core.demo import MODEL_DIR
from stvg_core.version import model_version

WIDTH = 80
FOLDER = Path(stvg_main.__file__).parent


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(stvg, arguments, terminal_width=WIDTH, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_command_stands_on_one_whole_line() -> None:
    lines = printed("--help").splitlines()
    for name, sentence in COMMANDS.items():
        [line] = [line for line in lines if line.split()[:1] == [name]]
        assert line.endswith(sentence) and len(line) < WIDTH and sentence.endswith(".")
    for title in SECTIONS:
        assert f"{title}:" in lines


def test_every_file_of_a_command_is_listed() -> None:
    defines = re.compile(r"^def command\(", re.MULTILINE)
    files = {path.stem for path in FOLDER.glob("*.py") if defines.search(path.read_text())}
    files |= {path.parent.name for path in FOLDER.glob("*/*.py") if defines.search(path.read_text())}
    assert files == {MODULES.get(name, name) for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_not_cut(name: str) -> None:
    group = stvg.get_command(click.Context(stvg), name)
    inner = list(group.commands) if isinstance(group, click.Group) else []
    for arguments in ((name,), *((name, one) for one in inner)):
        lines = printed(*arguments, "--help").splitlines()[1:]  # the first one shows what may be repeated: [ARGS]...
        assert not [line for line in lines if line.endswith("...")]
    listed = {
        line.split()[0] for line in printed(name, "--help").partition("Commands:")[2].splitlines() if line.strip()
    }
    assert set(inner) <= listed


def test_the_version_is_the_packages_and_the_embedded_models() -> None:
    first, second = printed("--version").splitlines()
    assert first == f"stvg {version('stvg')}"
    assert second == f"embedded model {model_version(MODEL_DIR)}"
