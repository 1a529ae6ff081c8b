"""Tab in the shell completes commands, their own commands and options, as docs/install.md says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import shell_complete
from click.testing import CliRunner

from backend.cli import main
from backend.cli.main import COMMANDS, stvg

ROOT = Path(__file__).parents[2]


def completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """What bash is told when Tab is pressed at the end of the last word."""
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert shell_complete(stvg, {}, "stvg", "_STVG_COMPLETE", "bash_complete") == 0
    return [line.partition(",")[2] for line in capsys.readouterr().out.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("stvg", "do"), ["doctor"]),
        (("stvg", "u"), ["up", "users"]),
        (("stvg", "nothing"), []),
        (("stvg", "jobs", "re"), ["retry", "reasons"]),
        (("stvg", "up", "--w"), ["--workers"]),
        (("stvg", "--v"), ["--version"]),
        (("stvg", "--"), ["--version", "--help"]),
    ],
)
def test_what_tab_completes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], wanted: list[str]
) -> None:
    assert sorted(completed(monkeypatch, capsys, *words)) == sorted(wanted)


def test_naming_the_commands_loads_none_of_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a command was loaded")

    monkeypatch.setattr(main.LazyGroup, "get_command", never)
    monkeypatch.setenv("COMP_WORDS", "stvg ")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert shell_complete(stvg, {}, "stvg", "_STVG_COMPLETE", "bash_complete") == 0
    assert [line.partition(",")[2] for line in capsys.readouterr().out.splitlines()] == list(COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_that_the_docs_name_get_a_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert f"_STVG_COMPLETE={shell}_source stvg" in (ROOT / "docs/install.md").read_text(encoding="utf-8")
    assert shell_complete(stvg, {}, "stvg", "_STVG_COMPLETE", f"{shell}_source") == 0
    assert f"_STVG_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None, reason="NO BASH: the line of docs/install.md was not tried in it")
def test_the_line_of_the_docs_in_a_real_bash() -> None:
    line = 'eval "$(_STVG_COMPLETE=bash_source stvg)"'
    assert line in (ROOT / "docs/install.md").read_text(encoding="utf-8")
    press = 'COMP_WORDS=(stvg doct); COMP_CWORD=1; _stvg_completion stvg; echo "${COMPREPLY[@]}"; complete -p stvg'
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{line}\n{press}"], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[0] == "doctor", done.stderr
    assert "_stvg_completion stvg" in done.stdout


def test_the_help_of_a_group_is_what_it_was() -> None:
    """Completion is a way of its own: the commands are still found by their names."""
    assert isinstance(stvg.get_command(click.Context(stvg), "up"), click.Command)
    assert CliRunner().invoke(stvg, ["up", "--help"]).exit_code == 0
