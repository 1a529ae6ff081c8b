"""``stvg benchmark``: one command from a dataset's files to the paper's table."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from backend.benchmarking.answering import ask, work
from backend.benchmarking.dataset import DATASETS, RENDERED, VIDSTG, Dataset, of_files
from backend.benchmarking.made_with import keep_apart, made_with
from backend.benchmarking.paper_figures import DECLARATIVE, INTERROGATIVE
from backend.benchmarking.record_rows import FAILED, MISSING, WAITING, rows_of
from backend.benchmarking.rendered_clips import CLIPS, of_rendered
from backend.benchmarking.report import head_lines, table_lines, write_report
from backend.benchmarking.result import Result
from backend.bootstrap import method_settings, open_cloud, present_model_version, ready_or_new_database
from backend.cli.method_options import method_options
from backend.cli.prelabel_engines import PROCESSES, Chosen, Engine
from backend.cli.prelabel_output import Terminal
from backend.cli.stopping import Stopped, Stopping
from backend.db.engine import Database
from backend.logs import configure_logging
from backend.runs.processes import WorkerProcesses
from backend.runs.watch import Standing, Workers
from backend.settings import Settings, load_settings
from stvg_core.demo import MODEL_DIR
from stvg_core.errors import StvgError
from stvg_core.evaluation.protocols import Protocol
from stvg_core.text import printable

SOME_FAILED = 3
"""Exit status where the report is written, but a sentence failed or has no video."""


@click.command("benchmark")
@click.argument("name", metavar="DATASET", type=click.Choice(DATASETS))
@click.option("--annotations", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The dataset's file.")
@click.option("--videos", metavar="FOLDER", help="Folder or address that is searched for the videos.")
@click.option(
    "--vidor", type=click.Path(exists=True, file_okay=False, path_type=Path), help="VidOR's annotations, for VidSTG."
)
@click.option("--encoding", help="Of the files, where they are not UTF-8: latin-1 or cp1252.")
@click.option("--model", help="Local folder or hub id.  [default: STVG_MODEL, else the embedded one]")
@click.option("--device", help="As of stvg ground.  [default: STVG_DEVICE, else a GPU where there is one]")
@method_options
@click.option("--split", type=click.Choice([DECLARATIVE, INTERROGATIVE]), help="Of VidSTG, these sentences alone.")
@click.option(
    "--limit", type=click.IntRange(min=1), help=f"The first so many sentences alone; rendered: clips [{CLIPS}]."
)  # fmt: skip
@click.option("--protocol", type=click.Choice([p.value for p in Protocol]), help="Default: as stvg evaluate.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that ground.")
@click.option("--retry-failed", is_flag=True, help="Try those again that failed.")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for answers and reports."
)
def command(
    name: str, annotations: Path | None, videos: str | None, vidor: Path | None, encoding: str | None,
    model: str | None, device: str | None, preset: str | None, assignments: tuple[str, ...], split: str | None,
    limit: int | None, protocol: str | None, workers: int, retry_failed: bool, out: Path,
) -> None:  # fmt: skip
    """Ground DATASET (hcstvg1, hcstvg2, vidstg or rendered), measure it, and print the paper's rows beside ours.

    Sentences that fail or have no video count 0. OUT keeps every answer: running it again goes on, and another model
    or other settings get a report of their own. The report: report.md, rows.csv, summary.json and pictures.

    Exit status: 0 all sentences were answered, 3 some failed or have no video, 1 it could not be done, 130 or 143 it
    was stopped.
    """
    if name == RENDERED and (annotations or videos or vidor or encoding):
        raise click.UsageError("The clips of rendered are made here: it takes no files.")
    if name != RENDERED and (annotations is None or videos is None):
        raise click.UsageError(f"{name} needs --annotations and --videos.")
    if split is not None and name != VIDSTG:
        raise click.UsageError("--split is for vidstg; for HC-STVG name the split's file, --annotations.")
    settings = own_settings(load_settings().with_line(preset, assignments), out, model, device)
    settings.chosen()  # what is wrong with it is said before anything is stored
    configure_logging("WARNING", settings.secrets())
    with Stopping("stopped before anything was queued; run it again to go on") as stopping:
        try:
            if annotations is None or videos is None:
                dataset = of_rendered(out / "clips", limit or CLIPS)
            else:
                cloud = open_cloud(settings)
                dataset = of_files(name, annotations, videos, vidor, encoding=encoding, cloud=cloud)
            chosen = Protocol(protocol) if protocol else dataset.protocol
            status = run(
                settings, dataset, out, stopping, split=split, limit=None if name == RENDERED else limit,
                protocol=chosen, workers=workers, retry_failed=retry_failed,
            )  # fmt: skip
        except Stopped:
            click.echo(stopping.said, err=True)
            status = stopping.status
    raise SystemExit(status)


def own_settings(settings: Settings, out: Path, model: str | None, device: str | None) -> Settings:
    """The settings with a database and a data folder of the benchmark's own, without Label Studio."""
    whole = out.absolute()
    changes = {
        "database_url": f"sqlite:///{whole / 'answers.sqlite3'}", "data_dir": whole / "data", "keyframe_iou": 1.0,
        "label_studio_url": None, "label_studio_token": None, "document_root": None,
        "model": model or settings.model, "device": device or settings.device,
    }  # fmt: skip
    return settings.model_copy(update=changes)


class OwnEngine(Engine):
    """Worker processes with the benchmark's settings, which answer as its model version or not at all."""

    def workers(
        self, database: Database, project_id: int, version: str, logs: Path, tell: Callable[[str], None]
    ) -> Workers:
        found = super().workers(database, project_id, version, logs, tell)
        if isinstance(found, WorkerProcesses):
            names = ("database_url", "data_dir", "keyframe_iou", "label_studio_url", "label_studio_token",
                     "document_root", "model", "device")  # fmt: skip
            values = {name: getattr(self.settings, name) for name in names}
            own = {f"STVG_{name.upper()}": "" if value is None else str(value) for name, value in values.items()}
            found.env = {**found.env, **own}
            found.command = [*found.command, "--expect", version]
        return found


def run(
    settings: Settings, dataset: Dataset, out: Path, stopping: Stopping, *, split: str | None, limit: int | None,
    protocol: Protocol, workers: int, retry_failed: bool,
) -> int:  # fmt: skip
    """Ask, wait, measure, write; returns the exit status."""
    method, version = method_settings(settings), present_model_version(settings)
    records = dataset.first(limit, split)
    if not records:
        raise StvgError(f"There is no {split} sentence in {dataset.name}.")
    slug = "".join(ch if ch.isalnum() or ch in ".-" else "_" for ch in version)
    program = made_with(settings.device)
    keep_apart(out / "dataset.json", dataset.identity, f"The answers in {out}")
    keep_apart(out / "made-with" / f"{slug}.json", program, f"The rows of {version} in {out}")
    progress = Terminal() if sys.stderr.isatty() else _Quiet()
    with closing(progress), ready_or_new_database(settings, lambda said: None) as database:
        asked, queued = ask(database, settings, dataset, records, version, retry_failed=retry_failed)
        if not asked.items:  # a table of zeros would be about the folder
            why = next(iter(asked.left_out.values()), "")
            raise StvgError(f"None of the {len(records)} sentences can be asked. The first: {why} Is --videos right?")
        progress.note(f"{len(records)} sentences, {queued.queued + queued.again + queued.replaced} to be grounded")
        stopping.wait_for_loops("stopped at once: what the workers had in hand is taken again; run it again to go on")
        engine = OwnEngine(settings, Chosen(PROCESSES, workers, None, None, None, None))
        crew = engine.workers(database, asked.project_id, version, settings.data_dir / "logs", progress.note)
        work(database, asked, version, crew, stop=stopping.event, show=progress.standing, tell=progress.note)
        with database.read() as session:
            rows = rows_of(session, records, asked, version)
    waiting = sum(row.state == WAITING for row in rows)
    if waiting:  # a report over some of them would look like a figure
        click.echo(f"{len(rows) - waiting} of {len(rows)} sentences are answered; run it again to go on", err=True)
        return stopping.status if stopping.asked else 1
    result = Result(
        dataset.name, split, limit, len(dataset.first(None, split)), len(dataset.unusable), _shown(settings.model),
        version, asdict(method), program, protocol, rows,
    )  # fmt: skip
    fewer = f"first-{len(rows)}" if limit is not None or dataset.name == RENDERED else None
    part = "".join(f"-{word}" for word in (split, fewer, protocol) if word)
    files = write_report(result, out / f"{slug}{part}", _command(result, dataset, workers, settings.line()))
    for line in [*head_lines(result), "", *table_lines(result), "", *(f"written: {file}" for file in files)]:
        click.echo(printable(line))
    return SOME_FAILED if any(row.state in (FAILED, MISSING) for row in rows) else 0


class _Quiet:
    """Where no terminal is: notes on standard error, and how far it is at each tenth."""

    def __init__(self) -> None:
        self._tenth = -1

    def note(self, said: str) -> None:
        click.echo(printable(said), err=True)

    def standing(self, standing: Standing) -> None:
        tenth = 10 * standing.ended // max(1, standing.total)
        if tenth > self._tenth:
            self._tenth = tenth
            self.note(f"{standing.ended} of {standing.total} sentences ended, {standing.failed} failed")

    def close(self) -> None:
        """Nothing is open."""


def _shown(model: str) -> str:
    """A hub id as it is, a folder by its name: a report is read on other machines."""
    if Path(model).is_dir():
        return "the embedded model" if Path(model).resolve() == MODEL_DIR.resolve() else Path(model).resolve().name
    return model


def _command(result: Result, dataset: Dataset, workers: int, method: Sequence[str]) -> str:
    """How this report is had, without paths of this machine."""
    said = ["stvg benchmark", dataset.name]
    if dataset.name != RENDERED:
        said += ["--annotations FILE", "--videos FOLDER"] + (["--vidor FOLDER"] if dataset.name == VIDSTG else [])
    said += [f"--model {result.model}"] if result.model != "the embedded model" else []
    said += [shlex.join(method)] if method else []
    said += [f"--split {result.split}"] if result.split else []
    limit = len(result.rows) if dataset.name == RENDERED else result.limit
    said += [f"--limit {limit}"] if limit else []
    return " ".join([*said, f"--protocol {result.protocol}", f"--workers {workers}", "--out OUT"])
