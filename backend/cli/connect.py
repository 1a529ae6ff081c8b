"""``stvg connect``: tie a Label Studio project to this service; safe to run again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click
from pydantic import SecretStr
from tqdm import tqdm

from backend.addresses import AddressError, origin
from backend.bootstrap import find_database, open_media
from backend.cli.playing import copier, looker
from backend.cli.publishing import local_number, put_there
from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.connect import (
    ProjectPlan,
    Service,
    carry_out,
    ensure_backend,
    ensure_storage,
    ensure_webhook,
    plan_project,
)
from backend.labelstudio.instructions import ensure_instructions, replace_instructions
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.playable import Checked, check_tasks
from backend.labelstudio.task_checks import CheckedFile, check_file, further_keys, names
from backend.labelstudio.task_files import read_task_file
from backend.labelstudio.task_videos import TaskVideos
from backend.labelstudio.tasks import import_missing, write_frame_rates
from backend.settings import Settings, SettingsError, load_settings
from labeling_config import video_tube
from stvg_core.notice import notices
from stvg_core.tube import VideoInfo
from stvg_core.video import probe

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("connect")
@click.option("--url", help="Label Studio's address [STVG_LABEL_STUDIO_URL].")
@click.option("--token", help="A token of it, legacy or personal [STVG_LABEL_STUDIO_TOKEN].")
@click.option("--project", required=True, metavar="TITLE_OR_ID", help="Found by number or title, or created.")
@click.option("--backend-url", help="Where Label Studio reaches this service [http://STVG_HOST:STVG_PORT].")
@click.option("--videos", type=_FOLDER, help="Folder of videos, below Label Studio's document root.")
@click.option("--document-root", type=_FOLDER, help="That root [STVG_DOCUMENT_ROOT, else the folder above --videos].")
@click.option(
    "--tasks",
    "task_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='Tasks: JSON [{"video": "a.mp4", "query": "the man in red"}, ...], JSON lines, or CSV with a header '
    "video,query (comma, semicolon or tab). File names count from --videos.",
)
@click.option("--skip-bad", is_flag=True, help="Leave out tasks that cannot be used, instead of making nothing.")
@click.option("--encoding", help="Of the task file, where it is not UTF-8: latin-1 or cp1252.")
@click.option("--replace-config", is_flag=True, help="Replace the project's own labelling interface by ours.")
@click.option(
    "--transcode", "copies", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="For videos that browsers do not play: H.264 copies with the same frame numbers in this folder, below the "
    "document root. The page plays the copy; the original is what is grounded and exported.",
)  # fmt: skip
@click.option(
    "--instructions", "instruction_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Show annotators this text (HTML) instead of ours. It replaces what the project has; without this option, "
    "instructions that a lead wrote stay.",
)  # fmt: skip
@click.option("--from", "local", metavar="NAME", help="Put the tasks of a local project there (stvg prelabel), once.")
@click.option("--predict", is_flag=True, help="Ask for a tube for every task at the end.")
def command(
    url: str | None,
    token: str | None,
    project: str,
    backend_url: str | None,
    videos: Path | None,
    document_root: Path | None,
    task_file: Path | None,
    skip_bad: bool,
    encoding: str | None,
    replace_config: bool,
    copies: Path | None,
    instruction_file: Path | None,
    local: str | None,
    predict: bool,
) -> None:
    """Create or repair a project, its model backend, its webhook and its storage; give every task its frame rate.

    The service must be running (stvg serve): Label Studio calls it while it is being connected.

    Every task of the file is checked before anything is made, its video with it. If one cannot be used, all problems
    are listed with their numbers, nothing is made, and the exit status is 1. With --skip-bad those are listed and left
    out, the others are imported, and the exit status is 0. Tasks that the project has already are not imported again.

    With --from, the tasks of a local project become the project's, with their suggestions and decisions.
    """
    if task_file is None and (skip_bad or encoding):
        raise click.UsageError("--skip-bad and --encoding are about the file of --tasks.")
    if videos is not None and any("\ud800" <= character <= "\udfff" for character in str(videos.resolve())):
        raise SettingsError("Label Studio cannot serve the folder of --videos: its name is not UTF-8. Rename it.")
    own_instructions = None if instruction_file is None else _instructions(instruction_file)
    settings = _settings(url, token, document_root, videos)
    service = _service(settings, backend_url)
    if copies is not None:
        _check_copies(copies, settings)
    assert settings.label_studio_url is not None and settings.label_studio_token is not None
    token_value = settings.label_studio_token.get_secret_value()
    with ExitStack() as opened:
        client = opened.enter_context(LabelStudioClient(settings.label_studio_url, token_value))
        if (database := find_database(settings)) is not None:
            opened.callback(database.close)
        local_id = None if local is None else local_number(database, local)
        client.whoami()
        plan = plan_project(client, project, video_tube(), replace_config=replace_config)
        config, media = plan.config, open_media(settings, client, database)

        def fetch(address: str, task: int | None, of_project: int | None) -> Path:
            return media.fetch(address, task=task, project=of_project).path

        known = TaskVideos(videos, settings.document_root, fetch=fetch, probe=probe)
        checked = None if task_file is None else _check(task_file, plan, known, encoding, skip_bad=skip_bad)
        found, done = carry_out(client, plan, video_tube())
        project_id = int(found["id"])
        _say(done)
        if videos is not None:
            _say(ensure_storage(client, project_id, str(videos.resolve())))
        backend_id, done = ensure_backend(client, found, service)
        _say(done)
        _say(ensure_webhook(client, project_id, service))
        if own_instructions is None:
            _say(ensure_instructions(client, project_id, config))
        else:
            _say(replace_instructions(client, project_id, own_instructions))
        if checked is not None:
            new = import_missing(client, project_id, config, checked.tasks)
            _say([f"imported {new} tasks, skipped {len(checked.tasks) - new} already present or duplicate"])
        if local_id is not None and database is not None:
            _say(put_there(database, client, settings, local_id, project_id, plan, known))
        tasks = list(client.tasks(project_id))
        _write_frame_rates(client, config, tasks, known, project_id)
        copy = None
        if copies is not None and settings.document_root is not None:
            _say(ensure_storage(client, project_id, str(copies.resolve())))
            copy = copier(copies, settings.document_root, _note)
        look = looker(lambda address, task: media.fetch(address, task=task, project=project_id), known.probe)
        _say_checked(check_tasks(client, config, tasks, look, copy))
        if predict and tasks:
            client.retrieve_predictions(project_id)
            _say([f"asked for tubes for {len(tasks)} tasks; stvg jobs shows how far they are"])
        for warning in [*config.warnings, *_notices(client, project_id, backend_id)]:
            click.echo(f"warning: {warning}", err=True)
        click.echo(f"{client.url}/projects/{project_id}/data")


def _settings(url: str | None, token: str | None, document_root: Path | None, videos: Path | None) -> Settings:
    """Settings with the command line's say; raises SettingsError where Label Studio's address or token is unknown."""
    settings = load_settings()
    root = document_root or settings.document_root or (videos.resolve().parent if videos is not None else None)
    settings = settings.model_copy(
        update={
            "label_studio_url": (url or settings.label_studio_url or "").rstrip("/") or None,
            "label_studio_token": SecretStr(token) if token else settings.label_studio_token,
            "document_root": root,
        }
    )
    if settings.label_studio_url is None:
        raise SettingsError("Where is Label Studio? Give --url, or set STVG_LABEL_STUDIO_URL.")
    if settings.label_studio_token is None:
        raise SettingsError("Label Studio wants a token: give --token, or set STVG_LABEL_STUDIO_TOKEN.")
    return settings


def _service(settings: Settings, backend_url: str | None) -> Service:
    """Our address and log-in, the same that ``stvg serve`` was started with."""
    if settings.username is None or settings.password is None:
        raise SettingsError(
            "Label Studio logs in to this service with a user name and a password: set STVG_USERNAME and STVG_PASSWORD "
            "here as for stvg serve."
        )
    url = backend_url or settings.own_url()
    try:
        origin(url)
    except AddressError:
        raise SettingsError(f"--backend-url {url!r} is no address; it looks like http://127.0.0.1:9090.") from None
    webhook_token = settings.webhook_token.get_secret_value() if settings.webhook_token else None
    return Service(url, settings.username, settings.password.get_secret_value(), webhook_token)


def _instructions(path: Path) -> str:
    """A lead's own text; SettingsError where it is none, before anything is made."""
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as UTF-8 text ({error}).") from None
    if not text or "\x00" in text:
        raise SettingsError(f"{path} is no text: instructions are text or HTML.")
    return text


def _check(path: Path, plan: ProjectPlan, known: TaskVideos, encoding: str | None, *, skip_bad: bool) -> CheckedFile:
    """Look at every task of the file; StvgError where one cannot be used, or none can."""
    found = read_task_file(path, names(plan.config), encoding=encoding)
    checked = check_file(
        found, plan.config, further=further_keys(plan.label_config, plan.config), place=known.place, look=known.look,
        progress=lambda videos: tqdm(videos, desc="videos", unit="video", disable=None, leave=False),
    )  # fmt: skip
    for line in checked.listing():
        click.echo(line, err=True)
    number = len(found.entries)
    if checked.bad and (not skip_bad or not checked.tasks):
        advice = "" if skip_bad else " Mend them, or leave them out: --skip-bad."
        raise PayloadError(
            f"{checked.bad} of {number} tasks in {path} cannot be used (listed above). Nothing was made.{advice}"
        )
    if checked.bad:
        click.echo(f"warning: {checked.bad} of {number} tasks in {path} are left out (listed above)", err=True)
    if checked.annotated:
        click.echo(f"warning: {checked.annotated} tasks bring labels, which are not imported here", err=True)
    if checked.unseen:
        click.echo(f"warning: {len(checked.unseen)} videos in a storage could not be looked at yet", err=True)
    return checked


def _check_copies(folder: Path, settings: Settings) -> None:
    """Make the folder for copies, where Label Studio can serve them from."""
    root = settings.document_root
    if root is None:
        raise SettingsError("--transcode needs to know Label Studio's document root: give --document-root or --videos.")
    if not folder.resolve().is_relative_to(root.resolve()):
        raise SettingsError(f"{folder} lies outside Label Studio's document root {root}, which serves the copies.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be made: {error.strerror}.") from None


def _write_frame_rates(
    client: LabelStudioClient, config: LabelConfig, tasks: list[Json], known: TaskVideos, project_id: int
) -> None:
    def probe_task(task: Json) -> VideoInfo:
        return known.at(config.video_of(task.get("data")), task=int(task["id"]), project=project_id)

    bar = tqdm(tasks, desc="frame rates", unit="task", disable=None, leave=False)
    report = write_frame_rates(client, config, bar, probe_task)
    _say([f"wrote the frame rate into {report.written} tasks, {report.right} had it"])
    for warning in report.warnings:
        if "frame rate varies" not in warning:  # said with all that the page does not show rightly
            click.echo(f"warning: {warning}", err=True)


def _say_checked(checked: Checked) -> None:
    if checked.given or checked.had:
        _say([f"gave {checked.given} tasks a copy that browsers play, {checked.had} had it"])
    for warning in checked.warnings:
        click.echo(f"warning: {warning}", err=True)


def _notices(client: LabelStudioClient, project_id: int, backend_id: int) -> list[str]:
    """What must be known of the model whose version the service gave Label Studio just now."""
    return notices(one.get("model_version") for one in client.ml_backends(project_id) if one["id"] == backend_id)


def _note(sentence: str) -> None:
    click.echo(f"- {sentence}", err=True)


def _say(done: list[str]) -> None:
    for sentence in done:
        click.echo(f"- {sentence}")
