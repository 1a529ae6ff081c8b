"""``stvg ablate``: what each part of the method gains, measured on rendered clips."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from stvg_core.errors import StvgError

if TYPE_CHECKING:
    from stvg_core.demo.ablation.figures_file import Row


@click.command()
@click.option("--clips", default=300, show_default=True, help="Clips per set.")
@click.option("--first", default=0, show_default=True, help="Number of the first clip.")
@click.option("--split", type=click.Choice(["validation", "test"]), default="test", show_default=True)
@click.option("--timed", default=30, show_default=True, help="On so many clips of each set each step is also timed.")
@click.option("--workers", default=1, show_default=True, help="Processes of one thread each.")
@click.option("--step", "steps", multiple=True, help="Only the row of this name, as in the tables. Repeat it for more.")
@click.option("--model", help="Folder of a model. Default: the embedded one.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the raw rows (.csv.gz).")
@click.option(
    "--rows", "given", type=click.Path(path_type=Path, dir_okay=False), help="Print the tables of rows written before."
)
def command(
    clips: int, first: int, split: str, timed: int, workers: int, steps: tuple[str, ...], model: str | None,
    out: Path | None, given: Path | None,
) -> None:  # fmt: skip
    """Measure every part of the method on clips that the embedded model has never seen, and print the tables.

    A run with the defaults takes about an hour of one core; --workers spreads it over several.
    """
    from stvg_core.demo.ablation.figures_file import read_rows, write_rows

    if given is not None:
        _show(read_rows(given))
        return
    if out is not None and not out.absolute().parent.is_dir():
        raise StvgError(f"There is no folder {out.parent} to write {out.name} to. Make it first.")
    from stvg_core.demo import MODEL_DIR
    from stvg_core.demo.ablation.run import SETS, Task, run
    from stvg_core.demo.ablation.steps import STEPS

    unknown = sorted(set(steps) - {step.name for step in STEPS})
    if unknown:
        raise StvgError(f"There is no row {unknown[0]}. There are: {', '.join(step.name for step in STEPS)}.")
    tasks = [Task(name, first + n, split, n < timed, steps) for name in SETS for n in range(clips)]
    bar = tqdm(run(model or MODEL_DIR, tasks, workers), total=len(tasks), disable=not sys.stderr.isatty())
    rows = [row for clip in bar for row in clip]
    if out is not None:
        write_rows(out, rows)
    _show(rows)


def _show(rows: list[Row]) -> None:
    from stvg_core.demo.ablation import reasons, table

    click.echo(table.markdown(rows) + "\n" + reasons.markdown(rows), nl=False)
