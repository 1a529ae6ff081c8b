"""How does a command list its subcommands? With the whole sentence of each: click cuts it at 45 characters."""

from __future__ import annotations

import click

_WHOLE = 1000


class Group(click.Group):
    """A group whose help shows the first sentence of every subcommand uncut."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(_WHOLE)) for name, command in found if command is not None]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
