"""Loading a detector or a tracker: a local folder or a hub id, safetensors only, never remote code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from stvg_core.errors import ModelError
from stvg_core.mllm.checkpoint_errors import reading
from stvg_core.version import model_version


def checkpoint_name(model: str) -> str:
    """``name@revision`` as in a model version: the hub id and its revision, or a folder and a hash of its weights.

    Raises:
        ModelError: neither a folder with ``config.json`` nor a hub id.
    """
    return model_version(model).rpartition("/")[0]


def where_from(model: str) -> tuple[str, dict[str, Any]]:
    """``owner/name@revision`` or a folder -> what ``from_pretrained`` takes."""
    name, _, revision = (model, "", "") if Path(model).is_dir() else model.partition("@")
    return name, {"revision": revision} if revision else {}


def load_network(model: str, class_name: str, model_type: str, *, device: str, dtype: torch.dtype) -> Any:
    """A frozen network of one of transformers' classes on ``device``.

    Raises:
        ModelError: missing or broken files, no safetensors, another kind of model.
        torch.OutOfMemoryError: the GPU's memory does not suffice; the caller may free some and try again.
    """
    name, source = where_from(model)
    transformers.utils.logging.disable_progress_bar()
    with reading(model):
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False, **source)
        if config.model_type != model_type:
            raise ModelError(
                f"{model} is a {config.model_type} model where a {model_type} model is needed. "
                "Look at the settings detector (GroundingDINO) and tracker (SAM 2)."
            )
        network = getattr(transformers, class_name).from_pretrained(name, dtype=dtype, use_safetensors=True, **source)
        return network.to(device).eval().requires_grad_(False)
