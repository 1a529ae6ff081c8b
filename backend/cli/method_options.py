"""``--preset`` and ``--set``: the settings of the method by name, for every command that grounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def method_options(command: Command) -> Command:
    """The two options; the command gets ``preset`` and ``assignments`` for ``MethodSettings.with_line``."""
    for option in (
        click.option(
            "--set", "assignments", multiple=True, metavar="NAME=VALUE",
            help="A setting of the method, e.g. lra_steps=2; it wins over --preset, the environment and the model's "
            "own preset. Repeat it for more. `stvg settings` lists them.",
        ),
        click.option(
            "--preset", metavar="NAME", help="Settings under a name: paper, or a row of the ablation.  [STVG_PRESET]"
        ),
    ):  # fmt: skip
        command = option(command)
    return command
