"""Every ``stvg`` command and option that the documents name exists. Nothing is run: click is asked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from backend.cli.main import stvg
from tests.docs.pages import NAMES, ROOT, inline_code, split

_ENDS = {"|", "||", "&&", "&", ";", ">", "<", ">>", "2>", "#"}
_OPTION = re.compile(r"--?[A-Za-z][\w-]*")


def lines(block: str) -> list[str]:
    """Lines of a block, those that end in a backslash joined with the next."""
    return block.replace("\\\n", " ").splitlines()


def words(line: str) -> list[str]:
    """The words of a command line, without its comment; brackets around what may be left out do not count."""
    plain = re.sub(r"[\[\]]", " ", re.sub(r"(^|\s)#.*$", "", line))
    try:
        return shlex.split(plain)
    except ValueError:  # an apostrophe in what is said of a command
        return plain.split()


def calls(line: str) -> Iterator[list[str]]:
    """What follows each ``stvg`` of a line, up to the end of that command."""
    found = words(line)
    for at, word in enumerate(found):
        if word == "stvg" or word.endswith("/bin/stvg"):
            rest = found[at + 1 :]
            end = next((n for n, each in enumerate(rest) if each in _ENDS or each == "stvg"), len(rest))
            yield rest[:end]


def wrong(call: list[str]) -> list[str]:
    """The words of a call that click does not know: subcommands and options."""
    command: click.Command = stvg
    context = click.Context(stvg)
    known = options(command)
    out: list[str] = []
    descending, values = True, 0
    for word in (stripped for each in call if (stripped := each.strip("`,.:;()"))):
        option = _OPTION.match(word) if word.startswith("-") else None
        if option is not None:
            values = 0 if "=" in word else known.get(option[0], 0)
            out += [] if option[0] in known else [option[0]]
        elif values:
            values -= 1
        elif descending and isinstance(command, click.Group):
            inner = command.get_command(context, word)
            if inner is not None:
                command, context = inner, click.Context(inner, parent=context)
                known |= options(command)
                continue
            out += [] if word.isupper() else [word]
            descending = False
        else:
            descending = False
    return out


def options(command: click.Command) -> dict[str, int]:
    """How many words follow each option as its value."""
    found = {"-h": 0, "--help": 0}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            after = 0 if parameter.is_flag or parameter.count else parameter.nargs
            found |= dict.fromkeys((*parameter.opts, *parameter.secondary_opts), after)
    return found


def unknown(text: str) -> list[str]:
    """Calls in blocks of code and between backticks that name what does not exist."""
    said = [line for block in split(text)[1] for line in lines(block)] + inline_code(text)
    return [f"stvg {' '.join(call)}: {bad}" for line in said for call in calls(line) if (bad := wrong(call))]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_and_option_exists(name: str) -> None:
    assert unknown((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("```\nstvg grond a.mp4\n```\n", ["grond"]),
        ("```\n.venv/bin/stvg ground a.mp4 --qery x   # --not-this\n```\n", ["--qery"]),
        ("```\nSTVG_MODEL=x stvg jobs retry --everything && echo --else\n```\n", ["--everything"]),
        ('```\nstvg connect --project "a --b" \\\n  --vidoes /x\n```\n', ["--vidoes"]),
        ("Say `stvg users\nremove ann`, `stvg users add ann --gone`.", ["remove", "--gone"]),
        ("`stvg jobs --state failed`, `stvg jobs --state failed lost`", ["lost"]),
        ("`stvg COMMAND --help`, `stvg users add ann [--label-studio-user 12]`, `stvg ground --set lra_steps=2`", []),
    ],
)
def test_what_does_not_exist_is_found(text: str, bad: list[str]) -> None:
    found = unknown(text)
    assert len(found) == len(bad) and all(repr(each) in line for each, line in zip(bad, found, strict=True))


def test_the_documents_do_name_commands() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in NAMES]
    count = sum(1 for text in texts for block in split(text)[1] for line in lines(block) for _ in calls(line))
    assert count > 50
