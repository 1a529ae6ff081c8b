"""Attention rows without attention maps.

Whole N x N maps of all layers are 24 GB at 3.9k tokens; the method needs the rows of a handful of role tokens. So the
language model runs on SDPA, and while a :class:`RowCapture` is open, the rows of the last tokens of each sequence are
computed by an explicit softmax beside it and averaged over heads at once: over all heads of the kept layers, and over
some chosen heads. Only where heads are to be chosen is each kept apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

IMPLEMENTATION = "stvg_rows"
_active: ContextVar[RowCapture | None] = ContextVar("stvg_row_capture", default=None)


@dataclass
class RowCapture:
    """Collects rows while open.

    Attributes:
        last: how many tokens at the end of each sequence are watched, R.
        keys: ``[K]`` int64, the keys that are kept: where the cells lie among all tokens.
        layers: which layers are kept; None means all.
        heads: by layer, which heads are kept beside them, whether their layer is among ``layers`` or not.
        apart: keep each of ``heads`` for itself, not their mean.
        rows: per layer, ``[B, R, K]`` float32 (float64 in a float64 model), mean over heads, on the layer's device.
    """

    last: int
    keys: torch.Tensor
    layers: frozenset[int] | None = None
    heads: Mapping[int, Sequence[int]] = field(default_factory=dict)
    apart: bool = False
    rows: list[torch.Tensor] = field(default_factory=list)

    def wants(self, layer: int) -> bool:
        """Is anything of this layer kept?"""
        return self.layers is None or layer in self.layers or layer in self.heads

    def add(self, layer: int, attention: torch.Tensor) -> None:
        """Keep what is wanted of ``[B, heads, R, N]``, the watched rows over all tokens."""
        keys = self.keys_on(attention.device)
        if self.layers is None or layer in self.layers:
            self.rows.append(attention.mean(dim=1).index_select(-1, keys))
        for head in self.heads.get(layer, ()):
            one = attention[:, head].index_select(-1, keys).to(self.keys.device)
            if self.apart or not self._of_heads:
                self._of_heads.append(one)
            else:  # one more [B, R, K] in all, however many heads
                self._of_heads[0] += one

    def mean(self) -> torch.Tensor:
        """``[B, R, K]``, mean over the kept layers, on the device of ``keys``."""
        if not self.rows:
            raise ValueError(f"no attention rows were captured for layers {self.layers}; does the model have them?")
        return torch.stack([rows.to(self.keys.device) for rows in self.rows]).mean(dim=0)

    def of_heads(self) -> torch.Tensor:
        """On the device of ``keys``: ``[B, R, K]``, the mean over ``heads``, where each head counts the same; kept
        apart ``[B, heads, R, K]``, by layer and, in it, in the order given.
        """
        count = sum(map(len, self.heads.values()))
        if not self._of_heads:
            raise ValueError(f"no attention rows were captured for heads {dict(self.heads)}; does the model have them?")
        return torch.stack(self._of_heads, dim=1) if self.apart else self._of_heads[0] / count

    def keys_on(self, device: torch.device) -> torch.Tensor:
        """``keys`` on a layer's device; copied once where a model is spread over several."""
        if device not in self._copies:
            self._copies[device] = self.keys.to(device, non_blocking=True)
        return self._copies[device]

    _copies: dict[torch.device, torch.Tensor] = field(default_factory=dict, repr=False)
    _of_heads: list[torch.Tensor] = field(default_factory=list, repr=False)


@contextmanager
def capturing(capture: RowCapture | None) -> Iterator[None]:
    """Let the attention layers write into ``capture`` inside the block (nothing happens for None)."""
    token = _active.set(capture)
    try:
        yield
    finally:
        _active.reset(token)


@torch.no_grad()
def _rows(
    capture: RowCapture, module: Any, query: torch.Tensor, key: torch.Tensor, mask: Any, scaling: float | None
) -> None:
    batch, heads, _, width = query.shape
    kv_heads = key.shape[1]
    dtype = torch.promote_types(query.dtype, torch.float32)
    # Grouped queries share a key head: fold the group into the rows instead of copying the keys.
    last = query[:, :, -capture.last :].reshape(batch, kv_heads, -1, width)
    scores = torch.matmul(last.to(dtype), key.to(dtype).transpose(2, 3)) * (width**-0.5 if scaling is None else scaling)
    scores = scores.view(batch, heads, capture.last, -1)
    if mask is not None:
        cut = mask[:, :, -capture.last :, : scores.shape[-1]]
        scores = scores.masked_fill(~cut, float("-inf")) if cut.dtype == torch.bool else scores + cut
    elif capture.last > 1:
        size, keys = capture.last, scores.shape[-1]
        future = torch.ones(size, keys, dtype=torch.bool, device=scores.device).triu(keys - size + 1)
        scores = scores.masked_fill(future, float("-inf"))
    capture.add(module.layer_idx, scores.softmax(dim=-1))


def attention_with_rows(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: Any, **kwargs: Any
) -> tuple[torch.Tensor, None]:
    """SDPA, plus the watched rows; the shape of an attention function of transformers."""
    capture = _active.get()
    if capture is not None and capture.wants(module.layer_idx):
        _rows(capture, module, query, key, attention_mask, kwargs.get("scaling"))
    if attention_mask is not None and query.shape[1] > key.shape[1]:
        return _grouped(query, key, value, attention_mask, kwargs.get("scaling")), None
    output: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    return output


def _grouped(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """Attention with a mask where several query heads share a key head, ``[B, L, heads, head]``.

    With a mask, transformers copies keys and values once per query head, and the graph keeps the copies. Here the heads
    of a group become further rows of one head instead.
    """
    batch, heads, length, width = query.shape
    kv_heads, keys = key.shape[1], key.shape[2]
    group = heads // kv_heads
    seen = mask[..., :keys].expand(batch, -1, length, keys)
    if seen.shape[1] == 1:
        seen = seen[:, :, None].expand(batch, 1, group, length, keys)
    folded = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(batch, kv_heads, group * length, width), key, value,
        attn_mask=seen.reshape(batch, -1, group * length, keys), scale=scaling,
    )  # fmt: skip
    return folded.reshape(batch, heads, length, width).transpose(1, 2).contiguous()


AttentionInterface.register(IMPLEMENTATION, attention_with_rows)
# Without a mask function under the same name, transformers hands over no mask at all, and says nothing.
AttentionMaskInterface.register(IMPLEMENTATION, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
