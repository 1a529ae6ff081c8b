"""One prompt at a time through transformers' own forward pass: what the two baselines are made of.

Nothing is shared between prompts: the vision tower runs again, the whole sequence is prefilled again, attention is
eager and every layer's whole N x N map is kept until the rows are cut out. The learnable prompt V and the reversed
order enter where the visual tokens leave the vision tower. The weights are the session's own: the model is switched to
eager attention and back, so both ways can be timed in turn without a second copy.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from stvg_core.mllm.loading import LoadedModel
from stvg_core.tube import Frames


@contextmanager
def eager(model: Any) -> Iterator[None]:
    """Eager attention in the language model inside the block; the vision tower keeps its own."""
    before = model.config.get_text_config()._attn_implementation
    model.set_attn_implementation({"text_config": "eager"})
    try:
        yield
    finally:
        model.set_attn_implementation({"text_config": before})


@dataclass(frozen=True)
class Said:
    """The answer to one prompt.

    Attributes:
        yes_minus_no: ``[]`` float32, log p(yes) - log p(no) of the first answer token, variants pooled.
        rows: ``[R, T, h, w]`` float32, watched tokens' attention, mean over layers and heads, without gradient.
    """

    yes_minus_no: torch.Tensor
    rows: torch.Tensor


class Unshared:
    """Asks one video, prompt by prompt.

    Args:
        loaded: the model; must be in :func:`eager` when asked.
        frames: the sampled frames.
        shape: ``(T, h, w)`` of the visual tokens.
        layers: whose attention is averaged; None leaves it to the family (the paper: all).
        vision_once: keep the first vision pass instead of making one per prompt.

    Attributes:
        prefills, decodes, backwards: how often the language model ran over the video, over one new token, and how
            many gradients were taken.
    """

    def __init__(
        self, loaded: LoadedModel, frames: Frames, shape: tuple[int, int, int], *,
        layers: tuple[int, ...] | None = None, vision_once: bool = False,
    ) -> None:  # fmt: skip
        self.loaded, self.shape, self.vision_once = loaded, shape, vision_once
        self.layers = loaded.family.layers if layers is None else layers
        self.prefills = self.decodes = self.backwards = 0
        self._video = video_inputs(loaded, frames, shape)
        self._features: torch.Tensor | None = None
        self._encoded: tuple[Any, torch.Tensor] | None = None

    def zero_v(self) -> torch.Tensor:
        """V = 0, ``[T, h*w, D]`` float32."""
        slots, h, w = self.shape
        width = self.loaded.model.config.get_text_config().hidden_size
        return torch.zeros(slots, h * w, width, device=self.loaded.device)

    def token_norm(self) -> torch.Tensor:
        """Mean norm of the visual tokens that the last prompt saw, without V."""
        if self._features is None:
            raise ValueError("no prompt has been asked yet")
        return self._features.float().norm(dim=-1).mean()

    def ask(self, question: str, v: torch.Tensor | None, *, backwards: bool, new_tokens: int = 0) -> Said:
        """From pixels to the answer; with a gradient to V if it asks for one.

        Args:
            v: V in the order shown, ``[T, h*w, D]``.
            backwards: show the slots in reversed order.
            new_tokens: 0 is one forward pass; more calls ``generate`` for exactly so many tokens.
        """
        model, layout = self.loaded.model, self.loaded.prompts
        inputs, first = self._inputs(question)
        learning = v is not None and v.requires_grad
        with torch.set_grad_enabled(learning), self._shown(v, backwards):
            if new_tokens:
                # Gradients through generate, as published code takes them: the function under its no_grad decorator.
                generate = type(model).generate.__wrapped__
                output = generate(
                    model, **inputs, do_sample=False, max_new_tokens=new_tokens, min_new_tokens=new_tokens,
                    output_attentions=True, output_logits=True, return_dict_in_generate=True, pad_token_id=0,
                )  # fmt: skip
                logits, attentions = output.logits[0], output.attentions[0]
            else:
                output = model(**inputs, output_attentions=True, use_cache=False, logits_to_keep=1)
                logits, attentions = output.logits[:, -1], output.attentions
            said = logits[0].float().log_softmax(-1)
            margin = said[list(self.loaded.yes_ids)].logsumexp(0) - said[list(self.loaded.no_ids)].logsumexp(0)
        self.prefills += 1
        self.decodes += max(0, new_tokens - 1)
        places, cells = [-place for place in layout.watched(question)], self.shape[0] * self.shape[1] * self.shape[2]
        kept = [attentions[layer] for layer in (self.layers or range(len(attentions)))]
        rows = torch.stack([map_[0, :, places, first : first + cells].detach().float() for map_ in kept])
        return Said(margin, rows.mean(dim=(0, 1)).view(len(places), *self.shape))

    def gradient(self, loss: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """dL/dV."""
        self.backwards += 1
        return torch.autograd.grad(loss, v)[0]

    def _inputs(self, question: str) -> tuple[dict[str, Any], int]:
        """Keyword arguments of the model's forward pass, and the place of the first visual token."""
        head, suffix = list(self.loaded.prompts.head), self.loaded.prompts.suffix(question)
        video = self._video.placeholders
        ids = [*head, *[self.loaded.prompts.video_token_id] * video, *suffix]
        device = self.loaded.device
        inputs = {
            "input_ids": torch.tensor([ids], device=device),
            "attention_mask": torch.ones(1, len(ids), dtype=torch.long, device=device),
            **self._video.arguments,
        }
        if self._video.in_space_and_time:
            kinds = [0] * len(head) + [2] * video + [0] * len(suffix)  # 2 is "video" in transformers' numbering
            inputs["mm_token_type_ids"] = torch.tensor([kinds], dtype=torch.int, device=device)
        return inputs, len(head)

    @contextmanager
    def _shown(self, v: torch.Tensor | None, backwards: bool) -> Iterator[None]:
        """Inside the block the vision tower's tokens leave it in the order asked for and with V on them."""
        inner = self.loaded.model.model
        original = inner.get_video_features
        slots, h, w = self.shape

        @functools.wraps(original)  # generate reads the names of its arguments
        def features(*args: Any, **kwargs: Any) -> Any:
            kwargs.pop("output_attentions", None)  # the language model's maps are asked for, not the vision tower's
            if self._encoded is None or not self.vision_once:
                with torch.no_grad():
                    encoded = original(*args, **kwargs)
                self._encoded = encoded, encoded.pooler_output[0]
            output, tokens = self._encoded
            cells = tokens[: slots * h * w].view(slots, h * w, -1)
            self._features = cells
            cells = cells.flip(0) if backwards else cells
            if v is not None:
                cells = (cells.float() + v).to(tokens.dtype)
            shown = torch.cat([cells.flatten(0, 1), tokens[slots * h * w :]])
            output.pooler_output = (shown,) if self._video.in_space_and_time else shown[None]
            return output

        inner.get_video_features = features
        try:
            yield
        finally:
            del inner.get_video_features


@dataclass(frozen=True)
class _VideoInputs:
    arguments: dict[str, Any]
    placeholders: int
    in_space_and_time: bool


def video_inputs(loaded: LoadedModel, frames: Frames, shape: tuple[int, int, int]) -> _VideoInputs:
    """Pixels as transformers' own forward pass takes them, for LLaVA-OneVision, Qwen2-VL and Qwen2.5-VL."""
    slots, h, w = shape
    model = loaded.model
    if loaded.family.model_type == "llava_onevision":
        pixels = loaded.pixels(frames.pixels).to(model.device, model.dtype)
        # One newline token follows the last frame.
        return _VideoInputs({"pixel_values_videos": pixels[None]}, slots * h * w + 1, False)
    vision = model.config.vision_config
    patch, merge, fused = vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size
    pixels = loaded.pixels(frames.pixels, (h * merge * patch, w * merge * patch)).to(model.device, model.dtype)
    # Cells row by row, in each its merge x merge patches, in each channel x fused frames x rows x columns.
    by_cell = pixels.view(slots, fused, 3, h, merge, patch, w, merge, patch).permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    grid = torch.tensor([[slots, h * merge, w * merge]], device=model.device)
    ends = frames.seconds.reshape(slots, fused)[:, [0, -1]].mean(axis=1)[[0, -1]]
    seconds = float(ends[1] - ends[0]) / (slots - 1) if slots > 1 else 1.0
    arguments = {"pixel_values_videos": by_cell.reshape(slots * h * w * merge * merge, -1), "video_grid_thw": grid}
    if loaded.family.model_type == "qwen2_5_vl":
        arguments["second_per_grid_ts"] = torch.tensor([seconds], device=model.device)
    return _VideoInputs(arguments, slots * h * w, True)
