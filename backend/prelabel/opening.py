"""Where is the file that a source names? Found in a folder, or brought here from another machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from backend.addresses import safe_name, without_secrets
from backend.media.cloud import CloudFiles
from backend.media.download import Downloader
from backend.media.file_address import file_path, is_file_address
from backend.prelabel.errors import SourceError
from backend.prelabel.places import WEB
from stvg_core.datasets.video_table import ENDING
from stvg_core.errors import StvgError
from stvg_core.text import printable

Download = Callable[[str, BinaryIO], object]
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
_NEEDED = (
    'Put a table into it, videos.csv, whose first line is "video,query" and which has a file name and a sentence on '
    "each further line."
)


def table_download(downloader: Downloader) -> Download:
    """How tables are fetched: as videos are, except that they may be JSON."""
    return replace(downloader, refused_kinds=("text/html", "application/xhtml+xml")).fetch


@dataclass(frozen=True)
class Opened:
    """A source's file on this machine.

    Attributes:
        path: of the file, or of a copy.
        shown: what a person knows it by.
        folder: what names in it count from: a local path or an address.
        trusted: was it written on this machine?
    """

    path: Path
    shown: str
    folder: str
    trusted: bool

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the source, and not the copy of it, in what is raised."""
        try:
            yield
        except StvgError as error:
            copy = str(self.path)
            if self.trusted or copy not in str(error):
                raise
            raise SourceError(str(error).replace(copy, self.shown)) from None


def open_file(text: str, cloud: CloudFiles, download: Download | None, stack: ExitStack) -> Opened:
    """The file, or the table in the folder, that a path or an address names.

    Args:
        stack: gets the removal of a copy.

    Raises:
        SourceError: there is nothing of that name, or a folder without a table, or with several.
        MediaError: an address cannot be read.
    """
    scheme, mark, _ = text.strip().partition("://")
    if mark and scheme.lower() in WEB:
        return _from_web(text.strip(), download, stack)
    if cloud.is_cloud(text):
        return _from_cloud(text.strip(), cloud, stack)
    if mark and not is_file_address(text):
        raise SourceError(
            f"{scheme}:// is no address that a source can have: http(s), {', '.join(cloud.services)} or a path."
        )
    path = file_path(text) if is_file_address(text) else Path(text)
    if path.is_dir():
        path = path / _table((one.name for one in path.iterdir() if one.is_file()), printable(str(path)))
    if not path.is_file():
        raise SourceError(f"There is no file or folder {printable(str(path))}.")
    return Opened(path, printable(str(path)), str(path.parent), trusted=True)


def _from_web(url: str, download: Download | None, stack: ExitStack) -> Opened:
    if download is None:
        raise SourceError(f"{without_secrets(url)} cannot be fetched here: copy the file to this machine.")
    parts = urlsplit(url)
    copy = _copy(safe_name(parts.path), lambda file: download(url, file), stack)
    folder = f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}"
    return Opened(copy, without_secrets(url), folder, trusted=False)


def _from_cloud(url: str, cloud: CloudFiles, stack: ExitStack) -> Opened:
    if url.endswith("/") or cloud.is_folder(url):
        url = url.rstrip("/")
        names = (file.path for file in cloud.listing(url, deep=False) if "/" not in file.path)
        url = f"{url}/{_table(names, url)}"
    copy = _copy(safe_name(url), lambda file: cloud.fetch(url, file), stack)
    return Opened(copy, url, url.rpartition("/")[0], trusted=False)


def _copy(name: str, write: Callable[[BinaryIO], object], stack: ExitStack) -> Path:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stvg-source-"))
    path = Path(folder) / name
    with path.open("wb") as file:
        write(file)
    return path


def _table(names: Iterable[str], folder: str) -> str:
    """The table in a folder: ``videos.csv`` or another one called so, else the only one."""
    tables = sorted(
        name
        for name in names
        if name.lower().endswith(_TABLES) and not name.startswith(".") and not name.endswith(ENDING)
    )
    chosen = [name for name in tables if name.rpartition(".")[0].lower() == "videos"] or tables
    if not chosen:
        raise SourceError(f"The folder {folder} has no table that says which sentences belong to its videos. {_NEEDED}")
    if len(chosen) > 1:
        raise SourceError(
            f"The folder {folder} has several tables ({', '.join(map(printable, chosen[:5]))}). Name the one that is "
            "meant."
        )
    return chosen[0]
