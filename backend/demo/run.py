"""The demo from start to end: servers, clips, project, proposals, table; then a person, or the check without one."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from tqdm import tqdm

from backend.db.engine import Database
from backend.demo.accounts import people, tie_annotator
from backend.demo.check import (
    FEWEST,
    check_corrections,
    check_export,
    check_predictions,
    check_sync,
    play_annotator,
)
from backend.demo.clips import render_clips
from backend.demo.label_studio import LabelStudioServer
from backend.demo.loop import TITLE, DemoProject, connect, preannotate, read_tubes
from backend.demo.own_videos import OwnVideos, read_own
from backend.demo.review_check import check_review
from backend.demo.stack import Stack
from backend.demo.summary import Summary, check_lines, table
from backend.labelstudio.client import LabelStudioClient
from backend.processes import Child, ProcessError, alone
from stvg_core.errors import StvgError
from stvg_core.notice import DEMO_NOTICE
from stvg_core.text import printable

_NAMED = 10


@dataclass(frozen=True)
class DemoOptions:
    """What can be chosen on the command line. Ports are free ones where None, the model is the embedded one."""

    label_studio: Path
    folder: Path
    clips: int = 6
    check: bool = False
    port: int | None = None
    label_studio_port: int | None = None
    model: str | None = None
    videos: Path | None = None
    """A folder of somebody's own videos instead of rendered clips."""


def run_demo(options: DemoOptions) -> Summary:
    """Run it; returns what it saw, which also lies in ``summary.json``. Everything it started has ended then.

    The check begins with an empty folder each time. The demo for people continues where it was left, so that nobody's
    labels are lost by stopping it; each folder of own videos has a state of its own.
    """
    summary = Summary()
    home = options.folder.resolve() / _home(options)
    busy = f"another demo runs in {options.folder}: stop it, or give this one a --folder of its own."
    with alone(options.folder / "lock", busy):
        started = time.monotonic()
        try:
            own = _own(options, summary)
            if options.check:
                shutil.rmtree(home, ignore_errors=True)
            _run(options, own, home, summary)
        except StvgError as error:
            summary.error = str(error)
        except BaseException as error:
            summary.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            summary.seconds["whole"] = time.monotonic() - started
            summary.write(options.folder / "summary.json")
    return summary


def _home(options: DemoOptions) -> str:
    """The folder of the databases, below the demo's."""
    if options.videos is None:
        return "check" if options.check else "state"
    if options.check:
        return "check-videos"
    return "videos-" + hashlib.sha256(os.fsencode(options.videos.resolve())).hexdigest()[:12]


def _own(options: DemoOptions, summary: Summary) -> OwnVideos | None:
    """Look at somebody's own videos, before anything is started, and say what cannot be used.

    Raises: StvgError when none can be used, or too few for the check.
    """
    if options.videos is None:
        return None
    if options.videos.resolve().is_relative_to(options.folder.resolve()):
        raise ProcessError(
            f"{options.videos} lies in {options.folder}, which the demo empties. Put the videos elsewhere."
        )
    own = read_own(options.videos)
    summary.left_out = list(own.left_out)
    for line in own.left_out:
        click.echo(f"left out: {printable(line)}", err=True)
    if own.unnamed:
        names = ", ".join(map(printable, own.unnamed[:_NAMED])) + (", ..." if len(own.unnamed) > _NAMED else "")
        click.echo(f"{len(own.unnamed)} videos of the folder have no line in the table: {names}", err=True)
    if options.check and len(own.clips) < FEWEST:
        raise ProcessError(
            f"The check needs {FEWEST} sentences at least: one tube is corrected, one skipped, one sent back. "
            f"{len(own.clips)} can be used. Without the check, one is enough."
        )
    return own


def _run(options: DemoOptions, own: OwnVideos | None, home: Path, summary: Summary) -> None:
    # Label Studio serves only folders below its document root.
    videos = own.folder.parent if own else home / "videos"
    if own is None:
        (videos / "clips").mkdir(parents=True, exist_ok=True)
    server = LabelStudioServer(
        options.label_studio, home / "label-studio", document_root=videos, port=options.label_studio_port
    )
    stack = Stack(home / "backend", server, document_root=videos, port=options.port, model=options.model)
    children = [server.child, stack.web, stack.worker]
    try:
        with LabelStudioClient(server.url, server.token) as client:
            project = _propose(options, own, server, stack, client, videos, summary)
            if options.check:
                _check(stack, client, project, home, summary)
            else:
                _keep_running(server, stack, project, children, home)
    finally:
        stack.stop()
        server.stop()
    if options.check:
        summary.check("processes left behind", [child.name for child in children if child.group_alive], [])


def _propose(
    options: DemoOptions,
    own: OwnVideos | None,
    server: LabelStudioServer,
    stack: Stack,
    client: LabelStudioClient,
    videos: Path,
    summary: Summary,
) -> DemoProject:
    """Start everything and have every task pre-annotated."""
    with _step("starting Label Studio (the very first start takes a minute)", summary, "label_studio_start"):
        server.start()
    with _step("starting the backend and its worker", summary, "backend_start"):
        stack.start()
    clips = own.clips if own else []
    if own is None:
        with _step(f"rendering {options.clips} clips", summary, "render"):
            clips = render_clips(videos / "clips", options.clips)
    with _step("creating the project, importing the tasks", summary, "connect"):
        title, folder = (f"Tubes: {printable(own.folder.name)}"[:50].strip(), own.folder) if own else (TITLE, None)
        project = connect(client, stack, videos, clips, title, folder)
    for warning in project.warnings if own else ():
        if DEMO_NOTICE not in warning:  # stands below the table
            click.echo(warning, err=True)

    database = Database(stack.database_url)
    tie_annotator(database, int(client.whoami()["id"]))
    with (
        _step("finding the tubes", summary, "predict"),
        tqdm(total=len(project.tasks), unit="task", bar_format=_BAR, disable=None, leave=False) as bar,
    ):

        def progress(done: float) -> None:
            bar.n = round(done, 1)
            bar.refresh()

        patience = {"timeout_s": math.inf} if own else {}  # nobody knows how long somebody's videos take
        preannotate(client, database, stack, project, progress=progress, **patience)
    summary.tubes = read_tubes(client, database, project)
    summary.facts |= _facts(server, project, summary)
    database.close()
    click.echo("\n" + table(summary.tubes, own=own is not None) + "\n")
    return _answered(project, summary) if own else project


def _answered(project: DemoProject, summary: Summary) -> DemoProject:
    """The project with the tasks alone that have a tube; the others are noted as left out.

    A file can look like a video and still not be decoded to its end.
    """
    for tube in summary.tubes:
        if tube.span is None:
            summary.left_out.append(f"{tube.video}: {tube.problem or 'nothing found'}")
    have = {tube.task for tube in summary.tubes if tube.span is not None}
    return dataclasses.replace(project, tasks={task: clip for task, clip in project.tasks.items() if task in have})


_BAR = " {l_bar}{bar}| {n:.1f} of {total} tasks, {elapsed} gone, {remaining} left"


def _facts(server: LabelStudioServer, project: DemoProject, summary: Summary) -> dict[str, object]:
    facts: dict[str, object] = {"label_studio": server.url, "project": project.id}
    if all(clip.truth is None for clip in project.tasks.values()):
        return facts
    found = [tube for tube in summary.tubes if tube.tiou is not None and tube.viou is not None]
    n = max(len(summary.tubes), 1)
    return facts | {
        "mean_tiou": round(sum(tube.tiou or 0.0 for tube in found) / n, 4),
        "mean_viou": round(sum(tube.viou or 0.0 for tube in found) / n, 4),
    }


def _check(stack: Stack, client: LabelStudioClient, project: DemoProject, home: Path, summary: Summary) -> None:
    database = Database(stack.database_url)
    started = time.monotonic()
    check_predictions(client, database, project, summary.tubes, summary)
    played = play_annotator(client, project, summary.tubes)
    check_corrections(database, project, played, summary)
    counts = [len(client.predictions(task)) for task in project.tasks]
    summary.check("predictions per task after every task was opened twice at once", sorted(set(counts)), [1])
    out = home / "hcstvg2.json"
    stack.run("export", "--format", "hcstvg2", "--out", str(out))
    check_export(out, played, project, summary)
    check_review(client, database, stack, project, played, home, summary)
    check_sync(stack, summary)
    database.close()
    summary.check("processes that ended too early", [c.name for c in (stack.web, stack.worker) if not c.alive], [])
    summary.seconds["check"] = time.monotonic() - started
    click.echo(check_lines(summary.checks))


def _keep_running(
    server: LabelStudioServer, stack: Stack, project: DemoProject, children: list[Child], home: Path
) -> None:  # fmt: skip
    """Show where to go and wait for Ctrl-C.

    Raises: ProcessError when one of the processes ends by itself.
    """
    click.secho(f"Open  {server.url}/projects/{project.id}/data", bold=True)
    click.echo("Open a task, move a box or the end of the tube, submit.")
    click.secho(f"Then review what came in:  {stack.url}/review/\n", bold=True)
    log_in = (server.username, server.password)
    click.echo(people(server.url, project.id, log_in, stack.url, stack.passwords) + "\n")
    click.echo(f"stvg commands on these data:  export STVG_DATABASE_URL={stack.database_url}")
    click.echo(f"Ctrl-C stops everything. Your labels stay in {home} for the next demo.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)
            for child in children:
                if not child.alive:
                    raise ProcessError(f"{child.name} ended. Its last lines ({child.log}):\n{child.tail()}")
    click.echo("\nstopping ...")


@contextlib.contextmanager
def _step(what: str, summary: Summary, name: str) -> Iterator[None]:
    """Say what is done now, and how long it took."""
    click.echo(f"{what} ...", nl=False, err=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        click.echo("", err=True)
        raise
    summary.seconds[name] = time.monotonic() - started
    click.echo(f" {summary.seconds[name]:.1f} s", err=True)
