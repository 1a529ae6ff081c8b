"""What is a model called? One string for weights and method settings, the same in every process and after a restart.

Torch-free: the web process answers ``/setup`` with it and must agree with the worker.
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from stvg_core.errors import ModelError
from stvg_core.settings import WORDINGS, GroundingSettings, resolve

_NAME = 160  # characters of a name; a database holds 255 of a version, and the digest has the whole name


def package_version() -> str:
    """The installed package's version, "unknown" where the code runs without having been installed."""
    try:
        return version("stvg")
    except PackageNotFoundError:
        return "unknown"


def model_version(model: str | Path, settings: GroundingSettings | None = None) -> str:
    """``<family>-<name>@<weights revision>/<settings hash>``.

    Where a model behind an endpoint answers in words, nothing on this machine looks, and it is
    ``endpoint-<its name>@<locator>-<wording>/<settings hash>``. The endpoint's address is no part of it.

    Args:
        model: local folder or hub id. For a folder the revision is a hash of its config and weight files (names and
            sizes for files over 64 MB, whose content is not read each time); for a hub id it is the id's own
            ``@revision`` part or "main".

    Raises:
        ModelError: a folder without ``config.json``.
    """
    chosen = resolve(model, settings)
    digest = chosen.digest()
    if chosen.locator in WORDINGS and chosen.locator_model:
        name = re.sub(r"[^\w.:-]+", "--", chosen.locator_model, flags=re.ASCII)[:_NAME]
        return f"endpoint-{name}@{chosen.locator}-{WORDINGS[chosen.locator]}/{digest}"
    folder = Path(model)
    if not folder.is_dir():
        if "/" not in str(model) or str(model).startswith((".", "/")):
            raise ModelError(
                f"There is no model folder {model}. Give a folder with config.json, or a hub id like owner/name."
            )
        name, _, revision = str(model).partition("@")
        return f"{name.replace('/', '--')}@{revision or 'main'}/{digest}"
    family = str(_config(folder).get("model_type", "unknown")).replace("_", "-")
    name = folder.name
    if folder.resolve() == _embedded().resolve():
        name = "embedded"
    elif name == "embedded":  # that is the name of ours; another one must not carry its notice
        name = "embedded-folder"
    return f"{family}-{name}@{_revision(folder)}/{digest}"


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        loaded = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"The model folder {folder} has no config.json; is it the right folder?") from None
    except ValueError as error:
        raise ModelError(f"{file} is not valid JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise ModelError(f"{file} is not valid JSON: it holds no object.")
    return loaded


def _embedded() -> Path:
    return Path(__file__).parent / "demo" / "model"


def _revision(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in [*sorted(folder.glob("*.safetensors")), folder / "config.json"]:
        size = file.stat().st_size
        digest.update(f"{file.name}:{size};".encode())
        if size <= 64 * 2**20:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:8]
