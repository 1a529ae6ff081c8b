"""Tiny random-weight checkpoints of the real model classes, saved and loaded like any other."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, Qwen2Config, SiglipVisionConfig

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
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = {"height": image_size, "width": image_size}
    pixels = {"size": size, "resample": 3, "rescale_factor": 1 / 255, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(pixels))
    return folder
