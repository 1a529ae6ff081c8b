"""Loading a checkpoint: a local folder or a hub id, safetensors only, never remote code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import cached_file

from stvg_core.errors import ModelError
from stvg_core.mllm.attention_rows import IMPLEMENTATION
from stvg_core.mllm.checkpoint_errors import reading
from stvg_core.mllm.encoding import input_device
from stvg_core.mllm.families import Family, family_of
from stvg_core.mllm.pixels import Fit, PixelPreparation
from stvg_core.mllm.placement import Placement
from stvg_core.mllm.prompts import PromptLayout, answer_ids
from stvg_core.mllm.together import Together


@dataclass(frozen=True)
class LoadedModel:
    """A frozen model with all that a session needs.

    Attributes:
        recompute: spend time on less memory for the gradient (:mod:`stvg_core.mllm.recompute`); None: where the memory
            of the GPU is short.
        together: how many prefills go through the model at once; copies of this object share it.
    """

    model: Any
    family: Family
    pixels: PixelPreparation
    prompts: PromptLayout
    yes_ids: tuple[int, ...]
    no_ids: tuple[int, ...]
    recompute: bool | None = None
    together: Together = field(default_factory=Together, repr=False, compare=False)

    @property
    def device(self) -> torch.device:
        """Where inputs go and results come back, see :func:`input_device`."""
        return input_device(self.model)

    @property
    def n_layers(self) -> int:
        return int(self.model.config.get_text_config().num_hidden_layers)

    @property
    def n_heads(self) -> int:
        """In each layer; of queries, where several share a key."""
        return int(self.model.config.get_text_config().num_attention_heads)


def load(model: str | Path, *, device: str | None = None, precision: str = "auto", fit: Fit = "squash") -> LoadedModel:
    """Load weights, tokenizer and chat template, and set the language model to row-capturing attention.

    Args:
        model: local folder or hub id (``owner/name`` or ``owner/name@revision``).
        device: "cpu", "cuda", "cuda:1", ...; None takes a GPU where there is one; "auto" spreads the model over all
            GPUs (needs accelerate).
        precision: "float32", "bfloat16", "float16", "4bit" (needs a GPU, bitsandbytes and accelerate), or "auto":
            float32 on a CPU; on a GPU what the checkpoint was published in, if that is bfloat16 or float16, else
            bfloat16 (float16 on a GPU that has no bfloat16).
        fit: how a frame gets into the model's square, see :meth:`PixelPreparation.from_checkpoint`.

    Raises:
        ModelError: missing or broken files, an unknown family, no safetensors, not enough GPU memory, or a device or
            precision that is not to be had here.
    """
    placement = Placement.of(device, precision)
    name, _, revision = (str(model), "", "") if Path(model).is_dir() else str(model).partition("@")
    # One bar is enough: the caller shows progress of its own.
    transformers.utils.logging.disable_progress_bar()
    where: dict[str, Any] = {"revision": revision} if revision else {}
    try:
        with reading(name):
            config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False, **where)
            family = family_of(config.model_type)
            if precision == "auto":
                placement = placement.as_published(_published_in(config))
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False, **where)
            tokenizer.chat_template = _chat_template(name, tokenizer, revision or None)
            network, said = getattr(transformers, family.model_class).from_pretrained(
                name, use_safetensors=True, attn_implementation="sdpa", output_loading_info=True,
                **placement.arguments(), **where,
            )  # fmt: skip
            network = placement.moved(network).eval().requires_grad_(False)
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{name} does not fit into the memory of {placement.device}. Take a smaller model, precision 4bit, or "
            "another device."
        ) from error
    _check_complete(name, said)
    if not tokenizer.chat_template:
        raise ModelError(f"{name} has no chat template, so it cannot be asked a question.")
    network.set_attn_implementation({"text_config": IMPLEMENTATION})
    spelling = family.spelling(tokenizer, config)
    yes, no = answer_ids(tokenizer, "yes", "no")
    return LoadedModel(
        model=network,
        family=family,
        pixels=PixelPreparation.from_checkpoint(name, revision or None, fit=fit),
        prompts=PromptLayout.of(tokenizer, tokenizer.convert_tokens_to_ids(spelling.mark), spelling),
        yes_ids=yes,
        no_ids=no,
    )


def _published_in(config: Any) -> torch.dtype | None:
    """What the checkpoint says of its weights; None where it does not."""
    found = getattr(config, "dtype", None) or getattr(config.get_text_config(), "dtype", None)
    return getattr(torch, found, None) if isinstance(found, str) else found


def _check_complete(name: str, said: dict[str, Any]) -> None:
    """transformers fills weights that a checkpoint lacks with random numbers, and only logs it."""
    wrong = sorted([*said["missing_keys"], *(str(key) for key in said["mismatched_keys"])])
    if wrong:
        raise ModelError(
            f"The model {name} cannot be loaded: {len(wrong)} of its weights are missing or of the wrong shape, "
            f"{wrong[0]} first; is the download complete?"
        )


def _chat_template(name: str, tokenizer: Any, revision: str | None) -> Any:
    """The processor's template where a checkpoint keeps it in a file of its own (older ones do), else the tokenizer's.

    A newer ``chat_template.jinja`` is the tokenizer's already.
    """
    quiet = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    if cached_file(name, "chat_template.jinja", revision=revision, **quiet) is None:
        found = cached_file(name, "chat_template.json", revision=revision, **quiet)
        if found is not None:
            return json.loads(Path(found).read_text(encoding="utf-8"))["chat_template"]
    return tokenizer.chat_template
