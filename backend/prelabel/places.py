"""Where are the videos that a source names? All names at once, each folder read once, and no file for two names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from backend.addresses import AddressError, origin, without_secrets
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.tasks import local_file_address
from backend.media.cloud import CloudFiles
from backend.media.errors import MediaError
from backend.media.file_address import file_address, file_path, is_file_address
from backend.prelabel.errors import PlaceError, Reason, SourceError
from backend.prelabel.folders import Folders
from backend.prelabel.listing import LOOSE, Match
from backend.routes import prefix_of_file
from stvg_core.datasets.base import contradict, split_ending
from stvg_core.text import printable

WEB = ("http", "https")


@dataclass(frozen=True)
class Place:
    """Where a video is.

    Attributes:
        address: as the media library takes it.
        size_bytes: where a listing said it.
        note: what a person should know: the file has another name than the one that was looked for.
    """

    address: str
    size_bytes: int | None = None
    note: str | None = None


@dataclass
class VideoPlaces:
    """Finds videos by the names of a source.

    Attributes:
        base: the folder that names count from: a local path, or the address of a folder; None where only whole
            addresses are allowed.
        search: may a video lie in a subfolder, and have another ending? Else a name is a path below ``base``.
        trusted: was the source written on this machine? Only then it may name any file of it.
        document_root: Label Studio's: files below it get an address that Label Studio serves.
    """

    base: str | None
    search: bool = False
    trusted: bool = True
    document_root: Path | None = None
    cloud: CloudFiles = field(default_factory=CloudFiles)

    def __post_init__(self) -> None:
        self._folders = Folders(self.base or "", self.cloud)

    def check(self) -> None:
        """Raise SourceError where the folder cannot be one; MediaError where its storage does not answer."""
        if self.base is None:
            return
        if self.cloud.is_cloud(self.base):
            if self.search and not self.cloud.is_there(self.base):
                raise SourceError(f"There is no folder {printable(self.base)} of videos.")
            return
        if self._is_on_the_web():
            parts = urlsplit(self.base)
            if parts.query or parts.fragment:
                raise SourceError(f"{without_secrets(self.base)}: the address of a folder has no ? and no #.")
        elif "://" in self.base:
            raise SourceError(
                f"{self.base} is no place for videos: http(s), {', '.join(self.cloud.services)} or a path."
            )
        elif not Path(self.base).is_dir():
            raise SourceError(f"There is no folder {printable(self.base)} of videos.")

    def place_all(self, names: Iterable[str]) -> dict[str, Place | PlaceError]:
        """Each name's place, or why it has none."""
        result: dict[str, Place | PlaceError] = {}
        claims: dict[str, dict[str, int]] = {}
        for name in names:
            if name in result:
                continue
            try:
                place, level = self._place(name)
            except PlaceError as error:
                result[name] = error
                continue
            except (MediaError, AddressError) as error:
                result[name] = PlaceError(Reason.ADDRESS, str(error))
                continue
            result[name] = place
            if self.search:
                claims.setdefault(place.address, {})[name] = level
        for levels in claims.values():
            result.update(_refused(levels))
        return result

    def _place(self, name: str) -> tuple[Place, int]:
        address = name.strip()
        scheme, mark, _ = address.partition("://")
        if mark and printable(address) != address:
            raise PlaceError(Reason.ADDRESS, f"{printable(address)} holds half of a character.")
        if mark or is_file_address(address):
            return self._whole(address, scheme.lower()), 0
        if address.startswith("/"):
            if prefix_of_file(address) is not None and not (self.trusted and _is_file(Path(address))):
                return Place(address), 0  # in Label Studio, which knows whether it is there
            return self._file(Path(address), name), 0
        if self.base is None:
            raise PlaceError(
                Reason.ADDRESS, f"{printable(name)} is no whole address. Say where the videos lie: --videos."
            )
        if ".." in address.replace("\\", "/").split("/") and not self._is_local_and_ours():
            raise PlaceError(Reason.ADDRESS, f"{printable(name)} leads out of the folder of the videos.")
        if self._is_on_the_web():
            return self._below_web(address), 0
        if self.cloud.is_cloud(self.base):
            return self._below_bucket(name, address.replace("\\", "/").removeprefix("./"), self.base.rstrip("/"))
        return self._below_folder(name, address, Path(self.base))

    def _whole(self, address: str, scheme: str) -> Place:
        if scheme in WEB:
            origin(address)
            return Place(address)
        if is_file_address(address):
            return self._file(file_path(address), address)
        if self.cloud.is_cloud(address):
            self.cloud.check(address)
            return Place(address)
        raise PlaceError(
            Reason.ADDRESS,
            f"Videos cannot be fetched from {scheme}:// addresses, only from http(s), {', '.join(self.cloud.services)} "
            "and files.",
        )

    def _file(self, path: Path, name: str) -> Place:
        if not self.trusted:
            raise PlaceError(
                Reason.ADDRESS,
                f"{printable(name)} names a file of this machine, and the source comes from another one: refused.",
            )
        if not _is_file(path):
            raise PlaceError(Reason.MISSING, f"There is no video {printable(str(path))}.")
        return Place(self._address(path))

    def _below_web(self, name: str) -> Place:
        assert self.base is not None
        if self.search and not split_ending(name.rpartition("/")[2])[1]:
            raise PlaceError(
                Reason.ADDRESS,
                f"{printable(name)} has no ending, and the folder of a web server cannot be listed to find it. Name "
                "the videos by whole addresses in a table.",
            )
        place = f"{self.base.rstrip('/')}/{quote(name)}"
        origin(place)
        return Place(place)

    def _below_bucket(self, name: str, address: str, base: str) -> tuple[Place, int]:
        if self.search:
            match, files, above = self._folders.all().find(address), self._folders.all().files, base
        else:
            folder, mark, last = address.rpartition("/")
            above = base + mark + folder
            listing = self._folders.one(above)
            found, files = listing.exact(last), listing.files
            if found is None:
                raise PlaceError(Reason.MISSING, self._missing(name))
            match = found
        return Place(f"{above}/{match.path}", files[match.path], _note(name, match)), match.level

    def _below_folder(self, name: str, address: str, base: Path) -> tuple[Place, int]:
        path = base / address
        try:
            match = self._folders.one(str(path.parent)).exact(path.name)
        except PermissionError:
            raise PlaceError(Reason.MISSING, f"The folder {printable(str(path.parent))} cannot be read.") from None
        except (OSError, ValueError):
            raise PlaceError(Reason.ADDRESS, f"{printable(name)!r} is no name that a file can have.") from None
        if match is not None:
            return Place(self._address(path.parent / match.path)), 0
        if not self.search:
            raise PlaceError(Reason.MISSING, self._missing(name))
        match = self._folders.all().find(address)
        return Place(self._address(base / match.path), note=_note(name, match)), match.level

    def _missing(self, name: str) -> str:
        hint = "" if self.search else " Names count from there; --videos says another folder, and searches it."
        here = self.base in (None, "", ".")
        where = "this folder" if here else printable(str(self.base))
        return f"There is no video {printable(name)} in {where}.{hint}"

    def _is_on_the_web(self) -> bool:
        scheme, mark, _ = (self.base or "").partition("://")
        return bool(mark) and scheme.lower() in WEB

    def _is_local_and_ours(self) -> bool:
        return self.trusted and self.base is not None and "://" not in self.base

    def _address(self, path: Path) -> str:
        """As Label Studio serves it, where it can."""
        if self.document_root is not None:
            try:
                return local_file_address(path, self.document_root)
            except PayloadError:
                pass  # outside the root, or a name that Label Studio cannot serve
        return file_address(path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _refused(levels: dict[str, int]) -> dict[str, PlaceError]:
    """Of names that cannot be one video, the one nearest to the file has it; equally near, none."""
    refused = {}
    for name, level in levels.items():
        rival = next((o for o, near in levels.items() if o != name and near <= level and contradict(o, name)), None)
        if rival is not None:
            refused[name] = PlaceError(
                Reason.AMBIGUOUS,
                f"One file could be {printable(name)}, but also {printable(rival)}, and they cannot be one video. Put "
                "both there.",
            )
    return refused


def _note(name: str, match: Match) -> str | None:
    if match.level < LOOSE:
        return None
    return f"{printable(match.path)} is taken for {printable(name)}, which is not there under that name"
