"""The page of the command line: every command of ``stvg``, read from click."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from backend.cli.main import SECTIONS, stvg

Found = tuple[tuple[str, ...], click.Command]


def commands() -> Iterator[Found]:
    """Every command with its words (``("jobs", "retry")``), groups before what is in them."""
    for names in SECTIONS.values():
        for name in names:
            command = stvg.get_command(click.Context(stvg), name)
            assert command is not None
            yield from _with_inner((name,), command)


def _with_inner(words: tuple[str, ...], command: click.Command) -> Iterator[Found]:
    yield words, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _with_inner((*words, name), inner)


def page() -> str:
    """The page as Markdown."""
    found = list(commands())
    lines = ["# Command line", "", "Read from the program itself. `stvg COMMAND --help` prints the same.", ""]
    for title, names in SECTIONS.items():
        lines += [f"## {title}", ""]
        for words, command in found:
            if words[0] in names:
                lines += [f"{'#' * (2 + len(words))} stvg {' '.join(words)}", "", *_about(words, command), ""]
    return "\n".join(lines)


def _about(words: tuple[str, ...], command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(("stvg", *words)))
    pieces = " ".join(command.collect_usage_pieces(context))
    yield from ("```", f"{context.info_name} {pieces}", "```", "")
    for block in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        if block.startswith("\b"):  # click keeps the lines of such a block as they are
            yield from ("```text", block.removeprefix("\b").strip("\n"), "```", "")
        elif block:
            yield from (_text(block), "")
    rows = [row for parameter in command.params if (row := _row(parameter, context))]
    if rows:
        yield from ("| option | what |", "|---|---|", *rows)


def _row(parameter: click.Parameter, context: click.Context) -> str | None:
    record = parameter.get_help_record(context)
    if record is None or not record[1]:
        return None
    names, said = record
    return f"| `{_cell(names)}` | {_cell(_text(said))} |"


def _text(said: str) -> str:
    """Text of a help in one line, with what Markdown or HTML would take for marks kept as it is; `code` stays code."""
    marked = re.sub(r"([*_\[\]\\#])", r"\\\1", " ".join(said.split()))
    plain = re.sub(r"`[^`]*`", lambda code: re.sub(r"\\(.)", r"\1", code[0]), marked)
    return plain.replace("<", "&lt;")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
