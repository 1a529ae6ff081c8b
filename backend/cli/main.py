"""Entry point of ``stvg``. Which subcommands are there?

Each lives in ``backend/cli/<name>.py`` as ``command`` and is imported when it is called, so that ``stvg serve`` never
pays for torch and ``stvg ground`` never pays for the database.
"""

from __future__ import annotations

import importlib
import io
import sys

import click

from stvg_core.errors import StvgError
from stvg_core.text import printable

COMMANDS = {
    "ablate": "Measure what each part of the method gains on rendered clips.",
    "calibrate": "Choose settings by the corrections, where that holds on held-out ones.",
    "connect": "Create or repair a Label Studio project, its backend connection and its webhook.",
    "db": "Create or migrate the database.",
    "demo": "Run the whole loop on rendered clips with a local Label Studio.",
    "evaluate": "Measure how near predicted tubes are to the truth, under a public protocol.",
    "export": "Write the corrected labels as a dataset.",
    "ground": "Find the tube for a sentence in a video.",
    "import": "Put labels of other tools and datasets into a Label Studio project.",
    "jobs": "List jobs, retry failed ones.",
    "models": "List the model families and checkpoints, with GPU memory and licence.",
    "queue": "List tasks by uncertainty, and make Label Studio hand them out in that order.",
    "report": "Say how many edits the suggestions save and how far annotators agree.",
    "serve": "Run the web process: it answers Label Studio and serves the review pages.",
    "sync": "Fetch the corrections that webhooks lost, and compare each with its suggestion.",
    "users": "Make and change the accounts of the review pages.",
    "worker": "Run the process that grounds queued jobs and delivers what is due.",
}
MODULES = {"import": "import_labels"}
"""Where the file is not called like the command, because Python keeps that word for itself."""


class LazyGroup(click.Group):
    """A click group that knows its subcommands' names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"backend.cli.{MODULES.get(cmd_name, cmd_name)}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
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
        click.echo(f"stvg: {printable(str(error))}", err=True)
        raise SystemExit(1) from None
