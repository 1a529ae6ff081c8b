"""Which cloud storages are known, by the scheme of an address, and what does each need?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Service:
    """A cloud storage as fsspec knows it.

    Attributes:
        protocol: its name in fsspec.
        package: what must be installed for it.
        options: what its file system is made with; gets the seconds that one answer may take.
    """

    protocol: str
    package: str
    options: Callable[[float], dict[str, Any]] = lambda timeout_s: {}


_S3 = Service(
    "s3", "s3fs", lambda timeout_s: {"config_kwargs": {"connect_timeout": timeout_s, "read_timeout": timeout_s}}
)
_GOOGLE = Service("gs", "gcsfs", lambda timeout_s: {"timeout": timeout_s})
_AZURE = Service(
    "az", "adlfs", lambda timeout_s: {"connection_timeout": int(timeout_s) or 1, "read_timeout": int(timeout_s) or 1}
)
SERVICES: Mapping[str, Service] = {
    "s3": _S3, "gs": _GOOGLE, "gcs": _GOOGLE, "az": _AZURE, "abfs": _AZURE, "azure-blob": _AZURE,
}  # fmt: skip
"""By the scheme of an address; ``azure-blob`` is how Label Studio writes Azure's."""
