"""Are a model's files here, whole, and of a kind that loads? Reads headers; loads no weights and no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError, safe_open

from backend.bootstrap import method_settings, present_model_version
from backend.doctor.finding import Finding, fail, ok, warn
from backend.doctor.installation import Installation
from stvg_core.errors import ModelError
from stvg_core.mllm.checkpoints import FAMILIES

MODEL, DETECTOR, TRACKER = "model", "detector", "tracker"
_INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
_TEMPLATES = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")
_SETTINGS = (
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.json",
    "video_preprocessor_config.json", "preprocessor_config.json", "processor_config.json",
)  # fmt: skip
"""What is read when the model is loaded, beside its config and its weights; not every model has all of them."""


def check_model(installation: Installation) -> Iterator[Finding]:
    """Is the model of the settings there, whole, and of a kind that loads?"""
    settings = installation.settings
    try:
        method, version = method_settings(settings), present_model_version(settings)
    except ModelError as error:
        yield fail(MODEL, str(error), "Set STVG_MODEL.")
        return
    if method.locator_model:
        yield ok(MODEL, f"No model is loaded on this machine: predictions are by {version}.")
        return
    yield look(MODEL, settings.model, set(FAMILIES), as_version=version, tokenizer=True)


def check_proposer(installation: Installation) -> Iterator[Finding]:
    """The detector and the tracker, where they are chosen."""
    try:
        method = method_settings(installation.settings)
    except ModelError:
        return  # the check of the model says it
    if method.proposer != "grounding_dino":
        yield ok(DETECTOR, "The embedded proposer needs no model.")
        return
    yield look(DETECTOR, method.detector, {"grounding-dino"})
    yield look(TRACKER, method.tracker, {"sam2_video"})


def look(about: str, model: str, kinds: Set[str], *, as_version: str | None = None, tokenizer: bool = False) -> Finding:
    """One checkpoint.

    Args:
        model: a folder, or a hub id with or without ``@revision``.
        kinds: which ``model_type`` may be in its config.
        tokenizer: it needs one.
    """
    folder, setting = _folder(model), f"STVG_{about.upper()}"
    if folder is None:
        mend = f"Fetch it before: hf download {model.replace('@', ' --revision ')}"
        return warn(about, f"{model} is not on this machine: the first worker that starts fetches it.", mend)
    again = "Copy or download the folder again."
    try:
        config: Any = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return fail(about, f"{model} has no config.json that names its model_type.", f"Is {setting} right? {again}")
    if kind not in kinds:
        known = ", ".join(sorted(kinds))
        return fail(about, f"{model} is a {kind} model.", f"Set {setting} to a model of a known kind: {known}.")
    problem = _weights(folder)
    if problem is not None:
        return fail(about, f"{model}: {problem[0]}", problem[1] or again)
    lacking = _settings(folder) or (_language(folder) if tokenizer else None)
    if lacking is not None:
        return fail(about, f"{model} {lacking}", again)
    return ok(about, f"{as_version or model} ({kind}) is here, whole, as safetensors.")


def _folder(model: str) -> Path | None:
    """Where the files are; None of a hub id that was not fetched yet."""
    if Path(model).is_dir():
        return Path(model)
    name, _, revision = model.partition("@")
    try:
        found = try_to_load_from_cache(name, "config.json", revision=revision or None)
    except HFValidationError:
        return Path(model)  # neither a folder nor a hub id: reading its config fails with a sentence
    return Path(found).parent if isinstance(found, str) else None


def _settings(folder: Path) -> str | None:
    """Which of the small files is there and cannot be read."""
    for file in (folder / name for name in _SETTINGS):
        try:
            if file.is_file() and not isinstance(json.loads(file.read_text(encoding="utf-8")), dict):
                return f"has a {file.name} that holds no JSON object."
        except (OSError, ValueError, RecursionError) as error:
            return f"has a {file.name} that cannot be read ({error})."
    return None


def _language(folder: Path) -> str | None:
    """What is missing for asking it a question."""
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        return "has no tokenizer."
    for file in (folder / name for name in _TEMPLATES):
        if file.is_file():
            text = file.read_text(encoding="utf-8", errors="replace").strip()
            if text if file.suffix == ".jinja" else json.loads(text).get("chat_template"):
                return None
    return "has no chat template."


def _weights(folder: Path) -> tuple[str, str] | None:
    """What is wrong with the weights and what mends it, if that is more than fetching them again."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = any(next(folder.glob(pattern), None) for pattern in _PICKLES)
        if pickled:
            return "its weights are pickled files, which could run code and are not loaded.", "Convert to safetensors."
        return "it has no weights (*.safetensors).", ""
    index = folder / _INDEX
    if index.is_file():
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError):
            return f"{_INDEX} cannot be read.", ""
        missing = sorted(shards - {file.name for file in files})
        if missing:
            return f"{len(missing)} of its {len(shards)} weight files are missing, {missing[0]} first.", ""
    for file in files:
        try:
            with safe_open(file, framework="np"):  # reads the header, and compares it with the file's length
                pass
        except (SafetensorError, OSError) as error:
            return f"{file.name} is not whole ({error}).", ""
    return None
