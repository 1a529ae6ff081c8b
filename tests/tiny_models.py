"""Tiny random-weight checkpoints of the real model classes, saved and loaded like any other."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    SiglipVisionConfig,
)

from stvg_core.demo.recipe.vocabulary import build_tokenizer


def save_llava_onevision(folder: Path, *, seed: int = 0, image_size: int = 56, patch: int = 8) -> Path:
    """Grouped-query attention, an odd patch grid (7 x 7 pooled to 4 x 4), an untied head: what breaks shortcuts."""
    tokenizer = build_tokenizer()
    vocabulary = tokenizer.get_vocab()
    torch.manual_seed(seed)
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=image_size,
            patch_size=patch, vision_use_head=False,
        ),
        text_config=Qwen2Config(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, initializer_range=0.3, tie_word_embeddings=False,
        ),
        video_token_index=vocabulary["<video>"], image_token_index=vocabulary["<image>"], vision_feature_layer=-1,
        vision_feature_select_strategy="full", tie_word_embeddings=False,
    )  # fmt: skip
    model = LlavaOnevisionForConditionalGeneration(config)
    with torch.no_grad():
        model.model.image_newline.normal_()
    size = {"height": image_size, "width": image_size}
    return _save(folder, model, tokenizer, "video_preprocessor_config.json", {"size": size})


def save_qwen(folder: Path, *, seed: int = 0, older: bool = False) -> Path:
    """Qwen2.5-VL, or Qwen2-VL: frames in their own shape, two per slot, positions in space and time, a system turn."""
    tokenizer = build_tokenizer()
    tokenizer.chat_template = (
        "<|im_start|>system\nyou describe<|im_end|>\n{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{% for item in message['content'] %}{{ '<video>' if item['type'] == 'video' else item['text'] }}{% endfor %}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    vocabulary = tokenizer.get_vocab()
    torch.manual_seed(seed)
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
    }  # fmt: skip
    ids = {"video_token_id": vocabulary["<video>"], "image_token_id": vocabulary["<image>"]}
    vision = {"depth": 2, "num_heads": 2, "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2}
    model: PreTrainedModel
    if older:
        vision |= {"embed_dim": 24, "hidden_size": 32, "mlp_ratio": 2}
        model = Qwen2VLForConditionalGeneration(Qwen2VLConfig(text_config=text, vision_config=vision, **ids))
    else:
        vision |= {"hidden_size": 24, "intermediate_size": 48, "out_hidden_size": 32, "window_size": 16}
        vision |= {"fullatt_block_indexes": [1], "tokens_per_second": 2}
        model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision, **ids))
    return _save(folder, model, tokenizer, "preprocessor_config.json", {"min_pixels": 64, "max_pixels": 100_000})


FAMILIES = {
    "llava_onevision": save_llava_onevision,
    "qwen2_vl": lambda folder: save_qwen(folder, older=True),
    "qwen2_5_vl": save_qwen,
}
"""Every family of the table with a way to make a tiny checkpoint of it."""


def _save(
    folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str, size: dict[str, object]
) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    pixels = {"resample": 3, "rescale_factor": 1 / 255, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / name).write_text(json.dumps(pixels | size))
    return folder
