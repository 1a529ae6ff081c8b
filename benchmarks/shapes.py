"""Models of real 7B shapes with random weights: what time and memory depend on, without a download.

The sizes are those of the published configurations of LLaVA-OneVision-7B and Qwen2.5-VL-7B. Weights are drawn on the
device itself. The tokenizer knows the words of the questions used here, so a question is about as long as with a real
one; what the model answers is meaningless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import transformers
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from stvg_core.mllm.attention_rows import IMPLEMENTATION
from stvg_core.mllm.families import family_of
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.pixels import PixelPreparation
from stvg_core.mllm.prompts import PromptLayout, answer_ids
from stvg_core.query import NEUTRAL_PROMPT, SubQueries
from stvg_core.tube import Array, Frames

QUERY = "The man in purple clothes takes a step forward and sits on the bench."
PARTS = SubQueries(
    "the man in purple clothes", "the man in purple clothes takes a step forward and sits on the bench", found=True
)
SLOTS = 20
Vision = Literal["whole", "one thin layer"]

_PAD, _START, _END, _VIDEO, _UNKNOWN = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<video>", "<unk>"
_TEMPLATE = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for item in message['content'] %}"
    "{{ '<video>' if item['type'] == 'video' else item['text'] }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# Both language models are Qwen2-7B: 28 layers of 233 million parameters in matrices.
_TEXT = {
    "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
    "num_attention_heads": 28, "num_key_value_heads": 4, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0,
}  # fmt: skip
_TINY_TEXT = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2}


@dataclass(frozen=True)
class Shape:
    """A family's sizes.

    Attributes:
        name: of the published model.
        configure: ``(text sizes, vision tower, ids of the video and the image token, tiny) -> config``.
        pixels: ``(height, width)`` of the frames that the model gets.
    """

    name: str
    configure: Callable[[dict[str, Any], Vision, dict[str, int], bool], Any]
    pixels: Callable[[bool], tuple[int, int]]


def _llava_onevision(text: dict[str, Any], tower: Vision, ids: dict[str, int], tiny: bool) -> Any:
    # SigLIP so400m at 384 pixels without its last layer: 27 x 27 patches, pooled to 14 x 14 cells a frame.
    vision = {
        "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 26, "num_attention_heads": 16,
        "image_size": 384, "patch_size": 14, "vision_use_head": False,
    }  # fmt: skip
    if tiny:
        vision |= {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        vision |= {"image_size": 56, "patch_size": 8}
    elif tower == "one thin layer":
        vision |= {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    rope = {"rope_type": "default", "rope_theta": 1_000_000.0}
    return transformers.LlavaOnevisionConfig(
        vision_config=transformers.SiglipVisionConfig(**vision),
        text_config=transformers.Qwen2Config(**text, rope_parameters=rope),
        video_token_index=ids["video"], image_token_index=ids["image"], vision_feature_layer=-1,
        vision_feature_select_strategy="full", tie_word_embeddings=False,
    )  # fmt: skip


def _qwen2_5_vl(text: dict[str, Any], tower: Vision, ids: dict[str, int], tiny: bool) -> Any:
    # 32 layers, four of them with attention over the whole slot, the others in windows of 112 pixels.
    vision: dict[str, Any] = {
        "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584,
        "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2,
    }  # fmt: skip
    if tiny:
        vision |= {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "window_size": 16}
        vision |= {"patch_size": 4, "fullatt_block_indexes": [1]}
    elif tower == "one thin layer":
        vision |= {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "fullatt_block_indexes": [0]}
    vision["out_hidden_size"] = text["hidden_size"]
    sections = [2, 3, 3] if tiny else [16, 24, 24]
    rope = {"rope_type": "default", "rope_theta": 1_000_000.0, "mrope_section": sections}
    return transformers.Qwen2_5_VLConfig(
        text_config=text | {"rope_parameters": rope}, vision_config=vision, tie_word_embeddings=False,
        video_token_id=ids["video"], image_token_id=ids["image"],
    )  # fmt: skip


SHAPES = {
    "llava_onevision": Shape("LLaVA-OneVision-7B", _llava_onevision, lambda tiny: (56, 56) if tiny else (384, 384)),
    # 392 pixels are 14 cells of 28: 196 cells a slot, as many as the session allows.
    "qwen2_5_vl": Shape("Qwen2.5-VL-7B", _qwen2_5_vl, lambda tiny: (32, 32) if tiny else (392, 392)),
}


def build(
    family: str, *, device: str, dtype: torch.dtype, tiny: bool = False, layers: int | None = None,
    hidden: int | None = None, vocabulary: int | None = None, tower: Vision = "whole", seed: int = 0,
) -> LoadedModel:  # fmt: skip
    """A model with random weights, ready for a session.

    Args:
        family: a key of :data:`SHAPES`.
        tiny: a shape for tests, of the same classes.
        layers, hidden, vocabulary: sizes other than the published ones; ``hidden`` keeps the width of a head and scales
            the number of heads with it.
        tower: "one thin layer" gives as many visual tokens of the same width for next to no work.
    """
    tokenizer = build_tokenizer()
    text = dict(_TEXT) | ({**_TINY_TEXT, "num_hidden_layers": 2, "vocab_size": len(tokenizer)} if tiny else {})
    if hidden is not None:
        text |= _narrower(text, hidden)
    if layers is not None:
        text["num_hidden_layers"] = layers
    if vocabulary is not None:
        text["vocab_size"] = max(vocabulary, len(tokenizer))
    ids = {"video": tokenizer.convert_tokens_to_ids(_VIDEO), "image": text["vocab_size"] - 1}
    config = SHAPES[family].configure(text, tower, ids, tiny)
    entry = family_of(family)
    torch.manual_seed(seed)
    with torch.device(device):
        network = getattr(transformers, entry.model_class)._from_config(config, dtype=dtype, attn_implementation="sdpa")
    network = network.eval().requires_grad_(False)
    network.set_attn_implementation({"text_config": IMPLEMENTATION})
    size = SHAPES[family].pixels(tiny) if family == "llava_onevision" else None
    yes, no = answer_ids(tokenizer, "yes", "no")
    return LoadedModel(
        model=network, family=entry,
        pixels=PixelPreparation(size=size, resample=3, rescale=1 / 255, mean=(0.5,) * 3, std=(0.5,) * 3),
        prompts=PromptLayout.of(tokenizer, ids["video"]),
        yes_ids=yes, no_ids=no,
    )  # fmt: skip


def _narrower(text: dict[str, Any], hidden: int) -> dict[str, int]:
    head = text["hidden_size"] // text["num_attention_heads"]
    heads = max(1, hidden // head)
    groups = max(1, text["num_attention_heads"] // text["num_key_value_heads"])
    if hidden % head or heads % groups:
        raise ValueError(f"--hidden must be a multiple of {head * groups}: whole groups of heads {head} wide")
    ratio = text["intermediate_size"] / text["hidden_size"]
    return {
        "hidden_size": hidden, "num_attention_heads": heads, "num_key_value_heads": heads // groups,
        "intermediate_size": round(hidden * ratio),
    }  # fmt: skip


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word, punctuation mark and line break; the chat template is Qwen2's."""
    said = f"{QUERY} {PARTS.spatial_question} {PARTS.temporal_question} {NEUTRAL_PROMPT}"
    words = ["yes", "Yes", "no", "No", "system", "user", "assistant", "You", "are", "helpful", "one", "some", "blue"]
    words += ["red", "\n", "."]
    splitting = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("\n", "isolated"),
            pre_tokenizers.Split(Regex(r"[^\S\n]+"), "removed"),
            pre_tokenizers.Punctuation("isolated"),
        ]
    )
    words += [word for word, _ in splitting.pre_tokenize_str(said)]
    entries = dict.fromkeys([_PAD, _START, _END, _VIDEO, _UNKNOWN, *words])
    core = Tokenizer(models.WordLevel({word: number for number, word in enumerate(entries)}, unk_token=_UNKNOWN))
    core.pre_tokenizer = splitting
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=_PAD, unk_token=_UNKNOWN, additional_special_tokens=[_START, _END, _VIDEO]
    )
    tokenizer.chat_template = _TEMPLATE
    return tokenizer


def random_frames(family: str, *, tiny: bool = False, slots: int = SLOTS, seed: int = 0) -> Frames:
    """Noise in the size that the model gets, one frame per second, as many as fill ``slots``."""
    count = slots * family_of(family).frames_per_slot
    height, width = SHAPES[family].pixels(tiny)
    pixels = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return Frames(pixels, np.arange(count), np.arange(count, dtype=np.float64))


def random_boxes(slots: int, tracks: int = 6, seed: int = 0) -> Array:
    """``(tracks, slots, 4)`` boxes of a third of the frame that wander."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 0.6, (tracks, 1, 2)) + rng.uniform(-0.01, 0.01, (tracks, slots, 2)).cumsum(axis=1)
    corner = corner.clip(0, 0.65)
    return np.concatenate([corner, corner + 0.33], axis=-1).astype(np.float32)
