"""``stvg prelabel``: ground every sentence of a dataset, whatever happens on the way."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path
from threading import Event

import click

from backend.bootstrap import (
    open_cloud,
    open_downloader,
    open_label_studio,
    open_media,
    open_versions,
    ready_or_new_database,
    require_label_studio,
)
from backend.cli.method_options import method_options
from backend.cli.prelabel_dry_run import only_look, prober
from backend.cli.prelabel_engines import Chosen, Engine, engine_options, open_engine
from backend.cli.prelabel_output import JsonLines, Output, Terminal
from backend.cli.prelabel_request import SOME_FAILED, Asked, local_places, name_of
from backend.cli.stopping import Stopped, Stopping
from backend.db import projects, runs
from backend.db.engine import Database
from backend.db.errors import UnknownProject
from backend.db.jobs import DONE
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import read_config
from backend.labelstudio.connect import find_project
from backend.logs import configure_logging
from backend.prelabel.errors import SourceError
from backend.prelabel.item import Found
from backend.prelabel.looking import Look
from backend.prelabel.opening import table_download
from backend.prelabel.project import PREFIX
from backend.prelabel.recognise import Kind
from backend.prelabel.shard import Shard
from backend.prelabel.sources import Source, open_source
from backend.runs.enqueue import Enqueued, LabelStudioPlaces, Places, enqueue
from backend.runs.summary import Summary, summarise, write_json
from backend.runs.watch import Standing, Watch
from backend.settings import Settings, load_settings
from labeling_config import video_tube
from stvg_core.errors import StvgError


@click.command("prelabel")
@click.argument("text", metavar="SOURCE")
@click.option("--project", "title", help="Name of the local project.  [default: from the source's name]")
@click.option("--videos", metavar="FOLDER", help="Folder or address that names count from, and that is searched.")
@click.option(
    "--vidor", type=click.Path(exists=True, file_okay=False, path_type=Path), help="VidOR, for VidSTG's truth."
)
@click.option(
    "--kind", type=click.Choice([kind.value for kind in Kind if kind is not Kind.PROJECT]),
    help="What the file is, where its content does not say it.",
)  # fmt: skip
@click.option("--encoding", help="Of the file, where it is not UTF-8: latin-1 or cp1252.")
@method_options
@engine_options
@click.option("--enqueue-only", is_flag=True, help="Queue the sentences for workers that run elsewhere, then end.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many new sentences.")
@click.option("--retry-failed", is_flag=True, help="Try those again that failed before.")
@click.option("--shard", metavar="I/N", help="Only the I-th of N shares; a video's sentences are in one share.")
@click.option("--dry-run", is_flag=True, help="Look at every video and say what a run would do; store nothing.")
@click.option(
    "--summary", "summary_file", type=click.Path(dir_okay=False, path_type=Path), help="Where summary.json goes."
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines, also in a terminal.")
def command(
    text: str, title: str | None, videos: str | None, vidor: Path | None, kind: str | None, encoding: str | None,
    preset: str | None, assignments: tuple[str, ...], engine: str, workers: int, address: str | None,
    gpus: float | None, cpus: float | None, hours: float | None,
    enqueue_only: bool, limit: int | None, retry_failed: bool, shard: str | None, dry_run: bool,
    summary_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Find the tube of every sentence of SOURCE: a table, a folder with one, HC-STVG, VidSTG, project:NAME, an address.

    Label Studio is not needed: the sentences become tasks of a local project. `stvg export --suggestions` writes the
    results, `stvg connect --from` puts all of it into Label Studio. Running it again goes on, and takes what is new.

    Exit status: 0 everything is grounded (or queued), 3 something failed or was left out, 1 the run could not be done,
    130 or 143 it was stopped.
    """
    settings = load_settings().with_line(preset, assignments)
    settings.chosen()  # what is wrong with it is said before anything is stored
    configure_logging("WARNING", settings.secrets())
    share = None if shard is None else Shard.parse(shard)
    if title is not None and text.startswith(PREFIX):
        raise click.UsageError("--project is for local projects; SOURCE names one of Label Studio already.")
    chosen = Chosen(engine, workers, address, gpus, cpus, hours)
    chosen.check(settings, works=not enqueue_only)
    output: Output = JsonLines() if as_json or not sys.stdout.isatty() else Terminal()
    with Stopping("stopped before anything was queued") as stopping:
        try:
            status = _prelabel(
                settings, Asked(text, title, videos, vidor, kind, encoding), chosen, output, stopping, share=share,
                enqueue_only=enqueue_only, limit=limit, retry_failed=retry_failed, dry_run=dry_run,
                summary_file=summary_file,
            )  # fmt: skip
        except Stopped:
            output.note(stopping.said)
            status = stopping.status
    raise SystemExit(status)


def _prelabel(
    settings: Settings, asked: Asked, chosen: Chosen, output: Output, stopping: Stopping, *, share: Shard | None,
    enqueue_only: bool, limit: int | None, retry_failed: bool, dry_run: bool, summary_file: Path | None,
) -> int:  # fmt: skip
    """Open everything, do it, close everything; returns the exit status."""
    text = asked.text
    with ExitStack() as stack:
        client = require_label_studio(settings) if text.startswith(PREFIX) else open_label_studio(settings)
        if client is not None:
            stack.enter_context(client)
        downloader = open_downloader(settings, client)
        cloud = open_cloud(settings)
        source = stack.enter_context(
            open_source(
                text, kind=None if asked.kind is None else Kind(asked.kind), videos=asked.videos, vidor=asked.vidor,
                encoding=asked.encoding, document_root=settings.document_root, cloud=cloud,
                download=table_download(downloader), client=client,
            )
        )  # fmt: skip
        stack.callback(output.close)
        if dry_run:
            stopping.said = "stopped; nothing was stored"
            probe = prober(settings, stopping, stack)
            look = Look(
                place=downloader.place, document_root=settings.document_root, cloud=cloud,
                fetch=partial(downloader.fetch, alive=stopping.check), probe=probe, alive=stopping.check,
            )  # fmt: skip
            return only_look(
                settings, source, asked, look, output, share=share, workers=chosen.workers, limit=limit,
                retry_failed=retry_failed,
            )  # fmt: skip
        found = _begun(source.read())
        crew = None if enqueue_only else stack.enter_context(open_engine(settings, chosen))
        database = stack.enter_context(ready_or_new_database(settings, output.note))
        target = _Target.find(database, settings, source, text, asked.title, client)
        folder = target.folder(settings, share)
        run = _Run(settings, database, target, source, output, folder, summary_file or folder / "summary.json")
        return run.run(found, stopping, share, limit=limit, retry_failed=retry_failed, engine=crew)


class _Target:
    """The project that the tasks are in, and the model version that is asked."""

    def __init__(self, project_id: int, name: str, slug: str, version: str, places: Places) -> None:
        self.project_id, self.name, self.slug, self.version, self.places = project_id, name, slug, version, places

    @classmethod
    def find(
        cls, database: Database, settings: Settings, source: Source, text: str, title: str | None,
        client: LabelStudioClient | None,
    ) -> _Target:  # fmt: skip
        """Find it, or make it."""
        versions = open_versions(settings)
        with database.read() as session:
            version = versions.present(session)
        if source.kind is Kind.PROJECT:
            assert client is not None
            found = find_project(client, text.removeprefix(PREFIX).strip())
            if found is None:
                raise SourceError(f"There is no project {text.removeprefix(PREFIX)} in Label Studio.")
            number, config = int(found["id"]), str(found.get("label_config") or "")
            with database.write() as session:
                projects.register(session, number, config)
            name = f"project {number} of Label Studio"
            return cls(number, name, str(number), version, LabelStudioPlaces(number, read_config(config)))
        title = title or name_of(text)
        try:
            with database.write() as session:
                project = projects.local(session, title, video_tube())
        except UnknownProject as error:
            raise UnknownProject(f"{error} Name one: --project.") from None
        name = f'the local project "{project.title}"'
        slug = f"{'-'.join(''.join(ch if ch.isalnum() else ' ' for ch in title).split())[:60]}{project.id}"
        return cls(project.id, name, slug, version, local_places(settings, project.id))

    def folder(self, settings: Settings, share: Shard | None) -> Path:
        """For the summary, the list of what was left out, and the workers' logs; each share has its own."""
        whole = settings.data_dir / "prelabel" / self.slug
        return whole if share is None else whole / f"{share.number}-of-{share.of}"


class _Run:
    """One run over a source."""

    def __init__(
        self, settings: Settings, database: Database, target: _Target, source: Source, output: Output, folder: Path,
        file: Path,
    ) -> None:  # fmt: skip
        self.settings, self.database, self.target, self.source = settings, database, target, source
        self.output, self.folder, self.file = output, folder, file
        self.summary = Summary(source.shown, target.name, target.project_id, target.version)

    def run(
        self, found: Iterator[Found], stopping: Stopping, share: Shard | None, *, limit: int | None,
        retry_failed: bool, engine: Engine | None,
    ) -> int:  # fmt: skip
        """Queue, let the workers work, sum up; returns the exit status.

        Raises:
            Stopped: while the source is read, or at a second signal.
        """
        began = time.monotonic()
        stopping.said = "stopped while reading: what was read is queued; run it again to go on"
        with suppress(OSError):  # who finds a summary finds that of the last run, and not of one before it
            self.file.unlink(missing_ok=True)
        queued = self._queue(found, share, limit, retry_failed)
        stopping.wait_for_loops("stopped at once: what the workers had in hand is taken again; run it again to go on")
        before = self._done(queued)
        given_up = None if engine is None else self._work(engine, stopping.event)
        self.summary.seconds = round(time.monotonic() - began, 3)
        self.summary.interrupted = stopping.asked
        with self.database.read() as session:
            summarise(session, self.summary, queued)
        self.summary.done_now = 0 if engine is None else self.summary.done - before
        self.output.summary(self.summary, self.file)
        write_json(self.file, self.summary.to_json())
        if given_up is not None:
            raise given_up
        if self.summary.interrupted:
            return stopping.status
        return 0 if self.summary.complete else SOME_FAILED

    def _queue(self, found: Iterator[Found], share: Shard | None, limit: int | None, retry_failed: bool) -> Enqueued:
        self.output.left_out_file(self.folder / "left-out.jsonl")
        queued = enqueue(
            self.database, found, self.target.places, self.target.version, limit=limit,
            retry_failed=retry_failed, shard=share, every_repetition=self.source.kind is Kind.PROJECT,
            tell=self.output.found, progress=self.output.reading, files=open_media(self.settings, None, self.database),
        )  # fmt: skip
        self.output.queued(queued, self.target.name)
        return queued

    def _done(self, queued: Enqueued) -> int:
        """How many of the source's sentences are answered already."""
        with self.database.read() as session:
            done = {
                one.task_id for one in runs.all_of(session, self.target.project_id, self.target.version, state=DONE)
            }
        return len(done & queued.tasks)

    def _work(self, engine: Engine, stop: Event) -> StvgError | None:
        """Returns why the workers were given up, where they were: what was done until then is summed up too."""
        project_id, version = self.target.project_id, self.target.version
        crew = engine.workers(self.database, project_id, version, self.folder, self.output.note)

        def show(standing: Standing) -> None:
            self.summary.rate = standing.rate
            self.output.standing(standing)

        watch = Watch(self.database, project_id, version, stop, show, self.output.note)
        given_up = None
        try:
            watch.until_done(crew)
        except StvgError as error:
            given_up = error
        self.summary.restarts = crew.restarts
        return given_up


def _begun(found: Iterator[Found]) -> Iterator[Found]:
    """The same, once the first was read: a source that cannot be read leaves no empty project and no database."""
    first = list(islice(found, 1))
    return chain(first, found)
