"""``stvg connect``: tie a Label Studio project to this service; safe to run again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click
from pydantic import SecretStr
from tqdm import tqdm

from backend.bootstrap import open_media
from backend.cli.playing import Looked, copier
from backend.labelstudio.client import Json, LabelStudioClient
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.connect import Service, ensure_backend, ensure_project, ensure_storage, ensure_webhook
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.playable import Checked, check_tasks, grounded_address
from backend.labelstudio.tasks import import_missing, local_file_address, read_tasks, write_frame_rates
from backend.settings import Settings, SettingsError, load_settings
from labeling_config import video_tube
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
    help='JSON: [{"video": "a.mp4", "query": "the man in red"}, ...].',
)
@click.option("--replace-config", is_flag=True, help="Replace the project's own labelling interface by ours.")
@click.option(
    "--transcode", "copies", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="For videos that browsers do not play: H.264 copies with the same frame numbers in this folder, below the "
    "document root. The page plays the copy; the original is what is grounded and exported.",
)  # fmt: skip
@click.option("--predict", is_flag=True, help="Ask for a tube for every task at the end.")
def command(
    url: str | None,
    token: str | None,
    project: str,
    backend_url: str | None,
    videos: Path | None,
    document_root: Path | None,
    task_file: Path | None,
    replace_config: bool,
    copies: Path | None,
    predict: bool,
) -> None:
    """Create or repair a project, its model backend, its webhook and its storage; give every task its frame rate.

    The service must be running (stvg serve): Label Studio calls it while it is being connected.
    """
    settings = _settings(url, token, document_root, videos)
    service = _service(settings, backend_url)
    if copies is not None:
        _check_copies(copies, settings)
    assert settings.label_studio_url is not None and settings.label_studio_token is not None
    with LabelStudioClient(settings.label_studio_url, settings.label_studio_token.get_secret_value()) as client:
        client.whoami()
        found, config, done = ensure_project(client, project, video_tube(), replace_config=replace_config)
        project_id = int(found["id"])
        _say(done)
        if videos is not None:
            _say(ensure_storage(client, project_id, str(videos.resolve())))
        _say(ensure_backend(client, found, service)[1])
        _say(ensure_webhook(client, project_id, service))
        if task_file is not None:
            tasks = read_tasks(task_file, config, _placer(videos, settings.document_root))
            new = import_missing(client, project_id, config, tasks)
            _say([f"imported {new} tasks, {len(tasks) - new} were there or doubled"])
        tasks = list(client.tasks(project_id))
        looked = Looked(open_media(settings, client).fetch, probe)
        _write_frame_rates(client, config, tasks, looked)
        if copies is not None and settings.document_root is not None:
            _say(ensure_storage(client, project_id, str(copies.resolve())))
        copy = copier(copies, settings.document_root, _note) if copies and settings.document_root else None
        _say_checked(check_tasks(client, config, tasks, looked, copy))
        if predict and tasks:
            client.retrieve_predictions(project_id)
            _say([f"asked for tubes for {len(tasks)} tasks; stvg jobs shows how far they are"])
        for warning in config.warnings:
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
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    url = backend_url or f"http://{host}:{settings.port}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"--backend-url {url!r} is no address; it looks like http://127.0.0.1:9090.")
    webhook_token = settings.webhook_token.get_secret_value() if settings.webhook_token else None
    return Service(url, settings.username, settings.password.get_secret_value(), webhook_token)


def _placer(videos: Path | None, document_root: Path | None) -> Callable[[str], str]:
    """Turn a file name in the task file into the address that Label Studio serves it under."""

    def place(video: str) -> str:
        if video.startswith(("http://", "https://", "/data/")):
            return video
        if videos is None or document_root is None:
            raise PayloadError(f"Where is the video {video}? Give its folder (--videos) or its whole address.")
        return local_file_address(videos / video, document_root)

    return place


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


def _write_frame_rates(client: LabelStudioClient, config: LabelConfig, tasks: list[Json], looked: Looked) -> None:
    def probe_task(task: Json) -> VideoInfo:
        data = task.get("data") or {}
        return looked.info(grounded_address(data, str(data.get(config.video_key) or "")))

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


def _note(sentence: str) -> None:
    click.echo(f"- {sentence}", err=True)


def _say(done: list[str]) -> None:
    for sentence in done:
        click.echo(f"- {sentence}")
