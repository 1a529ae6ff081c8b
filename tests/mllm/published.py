"""The shapes of published checkpoints, as their ``config.json`` has them, for counting parameters without weights."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

from stvg_core.mllm.checkpoints import Checkpoint
from stvg_core.mllm.families import FAMILIES

SIGLIP = {
    "model_type": "siglip_vision_model", "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 26,
    "num_attention_heads": 16, "image_size": 384, "patch_size": 14, "vision_use_head": False,
}  # fmt: skip
CLIP = {
    "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
    "num_attention_heads": 16, "image_size": 336, "patch_size": 14, "projection_dim": 768,
}  # fmt: skip
INTERN = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
    "image_size": (448, 448), "patch_size": (14, 14), "attention_bias": True,
}  # fmt: skip
QWEN2 = {"depth": 32, "embed_dim": 1280, "num_heads": 16, "mlp_ratio": 4, "patch_size": 14}
QWEN25 = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "patch_size": 14}
QWEN3_SMALL = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16}
QWEN3 = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16}

# hub id: (heads, key heads, vocabulary, whether the head is tied to the embeddings, vision tower)
SHAPES: dict[str, tuple[int, int, int, bool, dict[str, Any]]] = {
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": (14, 2, 152000, True, SIGLIP),
    "llava-hf/llava-onevision-qwen2-7b-ov-hf": (28, 4, 152128, False, SIGLIP),
    "llava-hf/LLaVA-NeXT-Video-7B-hf": (32, 32, 32064, False, CLIP),
    "OpenGVLab/InternVL3-1B-hf": (14, 2, 151674, False, INTERN),
    "OpenGVLab/InternVL3-2B-hf": (12, 2, 151674, False, INTERN),
    "OpenGVLab/InternVL3-8B-hf": (28, 4, 151674, False, INTERN),
    "Qwen/Qwen2-VL-2B-Instruct": (12, 2, 151936, True, QWEN2 | {"hidden_size": 1536}),
    "Qwen/Qwen2-VL-7B-Instruct": (28, 4, 152064, False, QWEN2 | {"hidden_size": 3584}),
    "Qwen/Qwen2.5-VL-3B-Instruct": (16, 2, 151936, True, QWEN25 | {"out_hidden_size": 2048}),
    "Qwen/Qwen2.5-VL-7B-Instruct": (28, 4, 152064, False, QWEN25 | {"out_hidden_size": 3584}),
    "Qwen/Qwen3-VL-2B-Instruct": (16, 8, 151936, True, QWEN3_SMALL | {"out_hidden_size": 2048}),
    "Qwen/Qwen3-VL-4B-Instruct": (32, 8, 151936, True, QWEN3_SMALL | {"out_hidden_size": 2560}),
    "Qwen/Qwen3-VL-8B-Instruct": (32, 8, 151936, False, QWEN3 | {"out_hidden_size": 4096}),
}
TEXT_KIND = {"llava_next_video": "llama", "llava_onevision": "qwen2", "internvl": "qwen2"}


def without_weights(checkpoint: Checkpoint) -> PreTrainedModel:
    """The checkpoint's class in its full width, with one of its language model's layers, on no device."""
    heads, key_heads, vocabulary, tied, vision = SHAPES[checkpoint.hub_id]
    shape = checkpoint.shape
    text: dict[str, Any] = {
        "hidden_size": shape.width, "intermediate_size": shape.feed_forward, "num_hidden_layers": 1,
        "num_attention_heads": heads, "num_key_value_heads": key_heads, "vocab_size": vocabulary,
        "tie_word_embeddings": tied, "head_dim": shape.queries // heads,
    }  # fmt: skip
    if checkpoint.family in TEXT_KIND:
        text["model_type"] = TEXT_KIND[checkpoint.family]
    model_class = getattr(transformers, FAMILIES[checkpoint.family].model_class)
    config = model_class.config_class(text_config=text, vision_config=vision, tie_word_embeddings=tied)
    with torch.device("meta"):
        model: PreTrainedModel = model_class(config)
    return model
