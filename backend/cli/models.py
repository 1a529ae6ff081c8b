"""``stvg models``: which models can be used, how large they are, and what was tried; never loads one."""

from __future__ import annotations

import json
import textwrap

import click

from stvg_core.mllm.checkpoints import CHECKPOINTS, FAMILIES, SLOTS, WHAT_RAN, markdown

_COLUMNS = "{checkpoint:<42} {family:<17} {billions:>6} {bf16:>8} {four:>8}  {licence}"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--markdown", "as_markdown", is_flag=True, help="As docs/models.md.")
def command(as_json: bool, as_markdown: bool) -> None:
    """List model families and checkpoints with parameters, licence and calculated GPU memory."""
    rows = [checkpoint.to_json() for checkpoint in CHECKPOINTS]
    if as_json:
        families = {name: vars(notes) for name, notes in FAMILIES.items()}
        click.echo(json.dumps({"families": families, "checkpoints": rows, "note": WHAT_RAN}, ensure_ascii=False))
        return
    if as_markdown:
        click.echo(markdown(), nl=False)
        return
    for name, notes in FAMILIES.items():
        click.echo(f"{notes.title:<17} {name:<17} {notes.slots}")
    click.echo(f"\nGPU memory in GB, for {SLOTS} slots, calculated as docs/models.md says: as it is / recomputed:\n")
    titles = {"checkpoint": "CHECKPOINT", "family": "FAMILY", "billions": "1E9", "bf16": "BF16", "four": "4BIT"}
    click.echo(_COLUMNS.format(**titles, licence="LICENCE"))
    for row in rows:
        click.echo(
            _COLUMNS.format(
                checkpoint=row["checkpoint"], family=row["family"], billions=f"{row['parameters'] / 1e9:.2f}",
                bf16=f"{row['gpu_gb_bf16']:.0f} / {row['gpu_gb_bf16_recomputed']:.0f}",
                four=f"{row['gpu_gb_4bit']:.0f} / {row['gpu_gb_4bit_recomputed']:.0f}", licence=row["licence"],
            )
        )  # fmt: skip
    click.echo("\n" + textwrap.fill(WHAT_RAN, 100))
