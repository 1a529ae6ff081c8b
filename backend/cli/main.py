"""Entry point of ``stvg``. Which subcommands are there?

Each lives in ``backend/cli/<name>.py`` as ``command`` and is imported when it is called, so that ``stvg serve`` never
pays for torch and ``stvg ground`` never pays for the database.
"""

from __future__ import annotations

import importlib
import io
import sys
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from stvg_core.demo import MODEL_DIR
from stvg_core.errors import StvgError
from stvg_core.text import printable
from stvg_core.version import model_version, package_version

SECTIONS = {
    "Try it": {
        "demo": "Run the whole loop on rendered clips with a local Label Studio.",
        "ground": "Find the tube for a sentence in a video.",
        "models": "List models that load, with GPU memory and licence.",
    },
    "Set up and run": {
        "up": "Run the whole service on this machine.",
        "db": "Create, migrate or copy the database.",
        "serve": "Answer Label Studio and serve the review pages.",
        "worker": "Ground queued jobs and deliver what is due.",
        "connect": "Tie a Label Studio project to this service, with its tasks.",
        "import": "Put labels of other tools into a Label Studio project.",
        "doctor": "Check the set-up and say what mends it.",
        "users": "Make and change the accounts of the review pages.",
        "settings": "Print the settings of the method, and the paper's.",
    },
    "Ground a dataset": {
        "prelabel": "Find the tube of every sentence of a dataset.",
    },
    "While people label": {
        "jobs": "List, retry and cancel jobs; see what Label Studio was told.",
        "queue": "List tasks by uncertainty; hand them out in that order.",
        "sync": "Fetch the corrections whose webhooks never arrived.",
        "prune": "Remove what nobody needs any more.",
        "report": "Say how many edits were saved, how far people agree.",
    },
    "Use the labels": {
        "export": "Write corrected labels (or suggestions) as a dataset.",
        "evaluate": "Measure how near predicted tubes are to the truth.",
        "benchmark": "Ground a dataset and print the paper's table beside ours.",
        "calibrate": "Choose settings by the corrections.",
        "ablate": "Measure what each part of the method gains on rendered clips.",
    },
}
"""The commands in the order in which people need them."""

COMMANDS = {name: sentence for section in SECTIONS.values() for name, sentence in section.items()}
MODULES = {"import": "import_labels"}
"""Where the file is not called like the command, because Python keeps that word for itself."""


class LazyGroup(click.Group):
    """A click group that knows its subcommands' names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"backend.cli.{MODULES.get(cmd_name, cmd_name)}").command
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names that begin so, without loading what they run; options are completed as click does."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=said) for name, said in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))  # the same in every section, so that the sentences stand in one column
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), sentence) for name, sentence in commands.items()])


def _show_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"stvg {package_version()}")
        click.echo(f"embedded model {model_version(MODEL_DIR)}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version,
    help="Show the version of the program and of its embedded model.",
)  # fmt: skip
def stvg() -> None:
    """Spatio-temporal tubes for Label Studio: propose, correct, export."""


def main() -> None:
    """Run the command; an error that a person can mend is one line on stderr and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding has no letters for is written with escapes and stops no command.
            stream.reconfigure(errors="backslashreplace")
    try:
        stvg(standalone_mode=True)
    except StvgError as error:
        _end(str(error))
    except Exception as error:
        if not _is_away(error):
            raise
        lines = str(getattr(error, "orig", error)).split("\n")
        _end(f"The database did not do it, and may do it later: {lines[0]}")


def _end(said: str) -> NoReturn:
    click.echo(f"stvg: {printable(said)}", err=True)
    raise SystemExit(1)


def _is_away(error: Exception) -> bool:
    """Did the database end the command: gone, locked, full? Commands without one have not loaded its errors."""
    errors = sys.modules.get("backend.db.errors")
    return errors is not None and isinstance(error, errors.AWAY)
