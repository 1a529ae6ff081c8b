"""Loading a checkpoint: a local folder or a hub id, safetensors only, never remote code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from stvg_core.errors import ModelError
from stvg_core.mllm.families import Family, family_of
from stvg_core.mllm.pixels import PixelPreparation
from stvg_core.mllm.prompts import PromptLayout, answer_ids
from stvg_core.mllm.rows import IMPLEMENTATION


@dataclass(frozen=True)
class LoadedModel:
    """A frozen model with all that a session needs."""

    model: Any
    family: Family
    pixels: PixelPreparation
    prompts: PromptLayout
    yes_ids: tuple[int, ...]
    no_ids: tuple[int, ...]

    @property
    def device(self) -> torch.device:
        device = self.model.device
        assert isinstance(device, torch.device)
        return device

    @property
    def n_layers(self) -> int:
        return int(self.model.config.get_text_config().num_hidden_layers)


def load(model: str | Path, *, device: str | None = None, precision: str = "auto") -> LoadedModel:
    """Load weights, tokenizer and chat template, and set the language model to row-capturing attention.

    Args:
        model: local folder or hub id (``owner/name`` or ``owner/name@revision``).
        device: "cpu", "cuda", "cuda:1", ...; None takes a GPU where there is one.
        precision: "float32", "bfloat16", "float16", "4bit", or "auto": bfloat16 on a GPU and float32 on a CPU.

    Raises:
        ModelError: missing or broken files, an unknown family, no safetensors, not enough GPU memory.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    name, _, revision = (str(model), "", "") if Path(model).is_dir() else str(model).partition("@")
    # One bar is enough: the caller shows progress of its own.
    transformers.utils.logging.disable_progress_bar()
    where: dict[str, Any] = {"revision": revision} if revision else {}
    try:
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False, **where)
        family = family_of(config.model_type)
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False, **where)
        network = getattr(transformers, family.model_class).from_pretrained(
            name, dtype=dtype, use_safetensors=True, attn_implementation="sdpa", **where
        )
        network = network.to(device).eval().requires_grad_(False)
    except ModelError:
        raise
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{name} does not fit into the memory of {device}. Take a smaller model or another device."
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"The model {name} cannot be loaded: {first_line}") from error
    if not tokenizer.chat_template:
        raise ModelError(f"{name} has no chat template, so it cannot be asked a question.")
    network.set_attn_implementation({"text_config": IMPLEMENTATION})
    return LoadedModel(
        model=network,
        family=family,
        pixels=PixelPreparation.from_checkpoint(name, revision or None),
        prompts=PromptLayout.of(tokenizer, int(config.video_token_id)),
        yes_ids=answer_ids(tokenizer, "yes"),
        no_ids=answer_ids(tokenizer, "no"),
    )
