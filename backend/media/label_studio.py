"""Label Studio's own addresses. Under which names is it known, and what does one of its addresses mean?

One Label Studio has several names: the one that the backend calls, the public one, the one that its local storage
writes into tasks. An address under any of them is the same place, and is reached under the configured name only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from backend.addresses import origin, same_machine
from backend.media.errors import MediaError
from backend.routes import prefix_of_file


@dataclass(frozen=True)
class LabelStudioPlace:
    """Where Label Studio is.

    Attributes:
        url: the configured address, with the path under which it lives; None where it is not known.
        aliases: its other names, likewise.
    """

    url: str | None = None
    aliases: tuple[str, ...] = ()

    def below(self, url: str) -> str | None:
        """Path and query below Label Studio's root of an http(s) address under one of its names; None elsewhere."""
        return next((path for base in self._names() if (path := _below(base, url)) is not None), None)

    def below_configured(self, url: str) -> str | None:
        """The same under the configured address alone, as it is written."""
        return None if self.url is None else _below(self.url, url, strict=True)

    def strip_prefix(self, ref: str) -> str | None:
        """Path and query below the root for a relative address (``/label-studio/data/upload/...``); None for others.

        Raises:
            MediaError: the address has another prefix than Label Studio is known under.
        """
        known = [prefix for base in self._names() if (prefix := _prefix(base))]
        for prefix in sorted(known, key=len, reverse=True):
            if ref.startswith(prefix + "/"):
                return ref.removeprefix(prefix)
        found = prefix_of_file(ref)
        if found and known:
            raise MediaError(
                f"The task's video lies under {found}, but Label Studio is known under {known[0]}. If it lives there "
                "as well, add that address to STVG_LABEL_STUDIO_ALIASES."
            )
        return ref.removeprefix(found or "") if ref.startswith("/") else None

    def full(self, path: str) -> str:
        """The configured address of a path below the root."""
        assert self.url is not None
        return self.url.rstrip("/") + path

    def _names(self) -> Iterator[str]:
        """Those that live deeper come first."""
        names = [name for name in (self.url, *self.aliases) if name]
        yield from sorted(names, key=lambda name: len(_prefix(name)), reverse=True)


def _prefix(base: str) -> str:
    return urlsplit(base).path.rstrip("/")


def _below(base: str, url: str, *, strict: bool = False) -> str | None:
    here, there = origin(url), origin(base)
    if here != there and (strict or not same_machine(here, there)):
        return None
    parts, prefix = urlsplit(url), _prefix(base)
    if prefix and not (parts.path + "/").startswith(prefix + "/"):
        return None
    path = parts.path.removeprefix(prefix) or "/"
    return f"{path}?{parts.query}" if parts.query else path
