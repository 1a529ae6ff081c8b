"""``stvg settings``: every setting of the method: what is in force, who said so, and what the paper says."""

from __future__ import annotations

import json
import textwrap
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import click

from backend.cli.method_options import method_options
from backend.settings import Settings, load_settings
from stvg_core import setting_text
from stvg_core.paper import PAPER
from stvg_core.presets import papers, presets, sentence
from stvg_core.setting_layers import Chosen, as_values
from stvg_core.settings import GroundingSettings
from stvg_core.version import model_version

CALIBRATION = "adopted calibration"


@dataclass(frozen=True)
class Line:
    """One setting.

    Attributes:
        value, source: what is in force, and who said so.
        allowed: what may stand there, in words.
        paper: the paper's value or values, None where it leaves the setting open; ``where``: its place in the paper.
        agrees: is the value in force one of the paper's? None where it leaves the setting open.
        note: what is to be known of the paper's value; why it is open.
        about: what the setting is, in one sentence.
    """

    name: str
    value: Any
    source: str
    allowed: str
    paper: list[Any] | None
    agrees: bool | None
    where: str
    note: str
    about: str


@click.command("settings")
@click.option("--model", help="Folder or hub id whose own preset counts.  [STVG_MODEL, else the embedded one]")
@method_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--markdown", "as_markdown", is_flag=True, help="As docs/settings.md: the defaults and the paper's.")
def command(
    model: str | None, preset: str | None, assignments: tuple[str, ...], as_json: bool, as_markdown: bool
) -> None:
    """Print every setting of the method with its value, where that comes from, and the paper's; loads no model.

    Later ones win: the defaults, the model's own preset (stvg.json), STVG_PRESET, the environment's single settings
    (STVG_SET, STVG_PROPOSER ...), --preset, --set. A star marks what differs from the paper.
    """
    if as_markdown:
        click.echo(markdown(), nl=False)
        return
    settings = load_settings()
    settings = settings if model is None else settings.model_copy(update={"model": model})
    settings = settings.with_line(preset, assignments)
    chosen = settings.chosen()
    lines = lines_of(chosen)
    version = model_version(settings.model, chosen.settings)
    calibrated = calibrated_fields(settings)
    if as_json:
        shown = {"model": settings.model, "model_version": version, "settings": [asdict(line) for line in lines]}
        click.echo(json.dumps(shown | {"calibration": calibrated, "presets": presets()}, ensure_ascii=False))
        return
    click.echo(f"{settings.model}\n{version}\n")
    for line in lines:
        click.echo(text_of(line))
    for name, value in calibrated.items():
        click.echo(f"\nfor jobs: {name} = {setting_text.shown(value)} ({CALIBRATION})")
    click.echo("\nPresets: " + ", ".join(presets()))


def lines_of(chosen: Chosen) -> list[Line]:
    """Every setting, in the order of the classes that hold them."""
    values, kinds = as_values(chosen.settings), setting_text.kinds(GroundingSettings)
    found = []
    for name, kind in kinds.items():
        said = PAPER.get(name)
        allowed = [] if said is None else list(said.values)
        if name == "top_k" and chosen.settings.n_slots != GroundingSettings().n_slots:
            allowed = []  # K is a share of the slots: whether it agrees is not one number
        found.append(
            Line(
                name, values[name], chosen.sources[name], setting_text.allowed(kind),
                None if said is None or not said.values else [_plain(value) for value in said.values],
                getattr(chosen.settings, name) in allowed if allowed else None,
                "" if said is None else said.where, "" if said is None else said.note, sentence(name),
            )
        )  # fmt: skip
    return found


def calibrated_fields(settings: Settings) -> dict[str, Any]:
    """What an adopted calibration changes for jobs; empty without a database. ``stvg ground`` uses none."""
    from backend.bootstrap import find_database, open_versions

    with ExitStack() as stack:
        database = find_database(settings)
        if database is None:
            return {}
        stack.callback(database.close)
        versions = open_versions(settings)
        with database.read() as session:
            laid_over, own = as_values(versions.settings(session)), as_values(versions.method)
    return {name: value for name, value in laid_over.items() if value != own[name]}


def text_of(line: Line) -> str:
    """Two lines for a terminal: the value and the paper's; what the setting is."""
    star = "*" if line.agrees is False else " "
    head = f"{star} {line.name + ' = ' + setting_text.shown(line.value):<34} {line.source:<16} "
    where = f"paper: {papers(line.name)} ({line.where})" if line.where else "paper: not compared"
    about = textwrap.fill(line.about, 110, initial_indent="      ", subsequent_indent="      ")
    return f"{head}{where}\n{about}"


def markdown() -> str:
    """The page of the documentation: what does not depend on model and environment."""
    defaults, kinds = as_values(GroundingSettings()), setting_text.kinds(GroundingSettings)
    rows = []
    for name, kind in kinds.items():
        said = PAPER.get(name)
        note = f" – {said.note}" if said is not None and said.note else ""
        where = "" if said is None else said.where
        value = f"`{papers(name)}`" if said is not None and said.values else "open"
        default = f"`{setting_text.shown(defaults[name])}`" if defaults[name] != "" else "–"
        rows.append(
            f"| `{name}` | {default} | {value}{note} | {where} | {setting_text.allowed(kind)} | {sentence(name)} |"
        )
    names = "\n".join(f"| `{name}` | {about} |" for name, about in presets().items())
    return _PAGE.format(rows="\n".join(rows), presets=names)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


_PAGE = """\
# The settings of the method

This page is what `stvg settings --markdown` prints; a test holds it so.

Every setting can be set by its name on `stvg ground`, `stvg prelabel` and `stvg worker`: `--set lra_steps=2`,
`--set layers=3,4`, `--set proposer_weight=none`; several by several `--set`. `--preset NAME` sets many at once. For
`stvg serve` and all other commands there are the variables `STVG_PRESET` and `STVG_SET`
(`STVG_SET="lra_steps=2 tas=false"`). With another value predictions get another model version, and web and workers
must agree.

Later ones win:

1. the defaults,
2. the model's own preset (its `stvg.json`),
3. `STVG_PRESET`,
4. the environment's single settings (`STVG_SET`, `STVG_PROPOSER` and the like),
5. `--preset`,
6. `--set` (and `--proposer`, `--decomposer`, `--llm-model`, `--precision` of `stvg ground`).

`--preset` is in place of `STVG_PRESET`, not over it. Two of the same place that contradict each other are refused. How
scores are joined can be changed by a calibration too ([calibration.md](calibration.md)): it lies over the model's own
preset, and where the joining was chosen by hand (3 to 6), only one that was made on top of that choice counts.

`stvg settings` prints the value in force of each, and where it comes from; a star marks what differs from the paper.

| setting | default | the paper | where in the paper | allowed | what it is |
|---|---|---|---|---|---|
{rows}

## Presets

`paper` sets every setting that the paper names, for any model, and fixes `guard`, `tas_operator` and `coverage`, which
the paper leaves open, so that the run is one and the same. What else is open stays with the model, and so does who
splits the sentence, where the model's own preset says it: the embedded model writes no text, so its sentences are
split by rules. K is 7 of 20 slots; with `--set n_slots=10` it is 4. GroundingDINO and SAM 2 need weights: where they
cannot be had, the run is refused, and `--set proposer=embedded` beside the preset runs the paper's method on the
embedded proposer's candidates.

The other presets are the rows of the [ablation](ablation.md). They say what differs from the model's own preset.

| preset | what |
|---|---|
{presets}
"""
