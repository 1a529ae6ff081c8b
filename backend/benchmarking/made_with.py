"""With what were rows made? Rows of two programs are no row set: a run that would mix them is refused."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import stvg_core
from backend.runs.summary import write_json
from stvg_core.errors import StvgError
from stvg_core.version import package_version

_PACKAGES = ("torch", "transformers", "numpy", "opencv-python-headless", "av")
_GPUS = Path("/proc/driver/nvidia/gpus")


def made_with(device: str | None) -> dict[str, str]:
    """Versions of what the answers depend on; ``code`` changes whenever a file of ``stvg_core`` does."""
    found = {"stvg": package_version(), "code": code_digest(), "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found | {"device": device or "as found", "machine": platform.machine(), "gpus": _gpus()}


def keep_apart(file: Path, now: dict[str, Any], what: str) -> None:
    """Remember ``now`` in a file, or compare it with what is there.

    Args:
        what: what belongs to it, for the message.

    Raises:
        StvgError: the file says something else, or cannot be read or written.
    """
    if not file.exists():
        write_json(file, now)
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StvgError(f"{file} cannot be read ({error}). Name another folder, --out.") from None
    if names:
        said = ", ".join(f"{name}: {before.get(name, 'none')}, now {now.get(name, 'none')}" for name in names)
        raise StvgError(
            f"{what} were made otherwise ({said}). Two kinds of rows are never mixed: name another folder, --out, or "
            "go on as it was."
        )


def code_digest(pattern: str = "**/*.py") -> str:
    """Twelve hex digits of the source files of ``stvg_core``."""
    digest, folder = hashlib.sha256(), Path(stvg_core.__file__).parent
    for file in sorted(folder.glob(pattern)):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _gpus() -> str:
    """The names of the GPUs of this machine, as the driver has them; asking CUDA would take memory of them."""
    found = []
    for file in sorted(_GPUS.glob("*/information")) if _GPUS.is_dir() else ():
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return ", ".join(found) or "none"
