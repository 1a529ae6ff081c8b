"""``stvg demo``: the whole loop on this machine. ``make demo`` calls it after installing what it needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from backend.demo.run import DemoOptions, run_demo
from backend.processes import exit_on_signals

LEFT_OUT_STATUS = 3
"""As of ``stvg prelabel``: it came to its end, but without some of the videos."""


@click.command()
@click.option(
    "--label-studio",
    type=click.Path(path_type=Path),
    help="The label-studio program, of an environment of its own. [default: the one on the path]",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Databases, clips, logs and summary.json.",
)
@click.option(
    "--videos",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Your own videos instead of rendered clips: a folder with a tasks.csv, header video,query.",
)
@click.option("--clips", type=click.IntRange(3, 100), default=6, show_default=True, help="How many clips to render.")
@click.option(
    "--check", is_flag=True, help="Play the annotator too, verify everything, stop; exit 0 only if every check passes."
)
@click.option("--port", type=int, help="The backend's port. [default: a free one]")
@click.option("--label-studio-port", type=int, help="Label Studio's port. [default: a free one]")
@click.option("--model", help="A model folder or hub id. [default: the embedded model]")
def command(
    label_studio: Path | None,
    folder: Path,
    videos: Path | None,
    clips: int,
    check: bool,
    port: int | None,
    label_studio_port: int | None,
    model: str | None,
) -> None:
    """Run the whole loop on rendered clips with a local Label Studio.

    Starts Label Studio, the backend and a worker on loopback, renders clips, has every task pre-annotated, and keeps
    running until Ctrl-C.

    With --videos it takes the videos of that folder, each with the sentence that its tasks.csv has for it. Nothing is
    written into the folder. What cannot be used is named, the others go on, and the exit status is 3.
    """
    exit_on_signals()
    options = DemoOptions(label_studio or _found(), folder, clips, check, port, label_studio_port, model, videos)
    summary = run_demo(options)
    if summary.error is not None:
        raise click.ClickException(summary.error)
    if check:
        failed = [c.name for c in summary.checks if not c.held]
        click.echo(
            f"{len(summary.checks) - len(failed)} of {len(summary.checks)} checks held; {folder / 'summary.json'}"
        )
        if not summary.ok:
            raise click.ClickException("the check failed: " + "; ".join(failed))
    if summary.left_out:
        click.echo(f"not all could be used, {len(summary.left_out)} left out (named above)", err=True)
        raise SystemExit(LEFT_OUT_STATUS)


def _found() -> Path:
    """The program on the path."""
    program = shutil.which("label-studio")
    if program is None:
        raise click.ClickException(
            "No label-studio is on the path. It needs an environment of its own:\n"
            "  python3 -m venv label-studio && label-studio/bin/pip install label-studio\n"
            "  stvg demo --label-studio label-studio/bin/label-studio"
        )
    return Path(program)
