"""Tiny random-weight checkpoints of the real model classes, saved and loaded like any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPVisionConfig,
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlamaConfig,
    LlavaNextVideoConfig,
    LlavaNextVideoForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SiglipVisionConfig,
)

from stvg_core.demo.recipe.vocabulary import IMAGE, VIDEO, build_tokenizer

TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "initializer_range": 0.3,
}  # fmt: skip
TOWER: dict[str, Any] = {
    "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 4, "initializer_range": 0.1, "initializer_factor": 3.0,
}  # fmt: skip
ROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
USER_TURN = (
    "<|im_start|>system\nyou describe<|im_end|>\n{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for item in message['content'] %}{{ 'PLACE' if item['type'] == 'video' else item['text'] }}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CLIP_LIKE = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}


def save_llava_onevision(folder: Path, *, seed: int = 0, image_size: int = 56, patch: int = 8) -> Path:
    """Grouped-query attention, an odd patch grid (7 x 7 pooled to 4 x 4), an untied head: what breaks shortcuts."""
    tokenizer = build_tokenizer()
    torch.manual_seed(seed)
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=image_size,
            patch_size=patch, vision_use_head=False,
        ),
        text_config=Qwen2Config(**TEXT, vocab_size=len(tokenizer), tie_word_embeddings=False),
        video_token_index=_id(tokenizer, VIDEO), image_token_index=_id(tokenizer, IMAGE), vision_feature_layer=-1,
        vision_feature_select_strategy="full", tie_word_embeddings=False,
    )  # fmt: skip
    model = LlavaOnevisionForConditionalGeneration(config)
    with torch.no_grad():
        model.model.image_newline.normal_()
    size = {"height": image_size, "width": image_size}
    return _save(folder, model, tokenizer, "video_preprocessor_config.json", {"size": size})


def save_llava_next_video(folder: Path, *, seed: int = 0, image_size: int = 32, stride: int = 2) -> Path:
    """A CLIP tower whose class token is dropped, plain averages of 2 x 2 patches, words for roles, a centre crop."""
    tokenizer = build_tokenizer()
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message['role'].upper() + ': ' }}{% for item in message['content'] %}"
        "{{ '<video>\n' if item['type'] == 'video' else item['text'] + ' ' }}{% endfor %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
    )
    torch.manual_seed(seed)
    config = LlavaNextVideoConfig(
        vision_config=CLIPVisionConfig(**TOWER | {"image_size": image_size}),
        text_config=LlamaConfig(**TEXT | {"num_key_value_heads": 4}, vocab_size=len(tokenizer)),
        video_token_index=_id(tokenizer, VIDEO), image_token_index=_id(tokenizer, IMAGE), spatial_pool_stride=stride,
    )  # fmt: skip
    size = {"shortest_edge": image_size}
    crop = {"do_center_crop": True, "crop_size": {"height": image_size, "width": image_size}}
    model = LlavaNextVideoForConditionalGeneration(config)
    return _save(folder, model, tokenizer, "preprocessor_config.json", {"size": size} | crop | CLIP_LIKE)


def save_internvl(folder: Path, *, seed: int = 0) -> Path:
    """Each frame an image with a number in front, four patches folded into a token, image markers by name."""
    markers = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    tokenizer = _with_markers(build_tokenizer(), markers | {"video_token": VIDEO})
    tokenizer.chat_template = USER_TURN.replace("PLACE", f"{VIDEO}\n")
    torch.manual_seed(seed)
    tower = {key: value for key, value in TOWER.items() if key != "initializer_factor"}
    config = InternVLConfig(
        vision_config=tower | {"image_size": (32, 32), "patch_size": (4, 4), "layer_scale_init_value": 1.0},
        text_config=Qwen2Config(**TEXT, vocab_size=len(tokenizer)),
        image_token_id=_id(tokenizer, "<IMG_CONTEXT>"), image_seq_length=16,
    )  # fmt: skip
    model = InternVLForConditionalGeneration(config)
    size = {"size": {"height": 32, "width": 32}}
    return _save(folder, model, tokenizer, "preprocessor_config.json", size | CLIP_LIKE)


def save_qwen(folder: Path, *, seed: int = 0, generation: str = "2.5") -> Path:
    """Qwen2-VL, 2.5 or 3: frames in their own shape, two per slot, positions in space and time, a system turn.

    The third also writes times between the slots and adds features of two depths of its tower (DeepStack).
    """
    tokenizer = build_tokenizer()
    tokenizer.chat_template = USER_TURN.replace("PLACE", VIDEO)
    torch.manual_seed(seed)
    vision: dict[str, Any] = {"depth": 2, "num_heads": 2, "patch_size": 4, "spatial_merge_size": 2}
    vision["temporal_patch_size"] = 2
    names = {"video_token_id": VIDEO, "image_token_id": IMAGE}
    model: PreTrainedModel
    if generation == "3":
        markers = {"vision_start_token": "<|vision_start|>", "vision_end_token": "<|vision_end|>"}
        tokenizer = _with_markers(tokenizer, markers)
        names |= {f"{name}_id": token for name, token in markers.items()}
        tokenizer.chat_template = USER_TURN.replace("PLACE", f"<|vision_start|>{VIDEO}<|vision_end|>")
        vision |= {"hidden_size": 24, "intermediate_size": 48, "out_hidden_size": 32, "num_position_embeddings": 64}
        vision |= {"deepstack_visual_indexes": [0, 1], "initializer_range": 0.2}
    elif generation == "2":
        vision |= {"embed_dim": 24, "hidden_size": 32, "mlp_ratio": 2}
    else:
        vision |= {"hidden_size": 24, "intermediate_size": 48, "out_hidden_size": 32, "window_size": 16}
        vision |= {"fullatt_block_indexes": [1], "tokens_per_second": 2}
    text = TEXT | {"vocab_size": len(tokenizer), "rope_parameters": ROPE}
    ids = {name: _id(tokenizer, token) for name, token in names.items()}
    if generation == "3":
        model = Qwen3VLForConditionalGeneration(
            Qwen3VLConfig(text_config=text | {"head_dim": 8}, vision_config=vision, **ids)
        )
    elif generation == "2":
        model = Qwen2VLForConditionalGeneration(Qwen2VLConfig(text_config=text, vision_config=vision, **ids))
    else:
        model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision, **ids))
    return _save(folder, model, tokenizer, "preprocessor_config.json", {"min_pixels": 64, "max_pixels": 100_000})


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "llava_onevision": save_llava_onevision,
    "llava_next_video": save_llava_next_video,
    "internvl": save_internvl,
    "qwen2_vl": lambda folder: save_qwen(folder, generation="2"),
    "qwen2_5_vl": save_qwen,
    "qwen3_vl": lambda folder: save_qwen(folder, generation="3"),
}
"""Every family of the table with a way to make a tiny checkpoint of it."""


def _id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    return int(tokenizer.get_vocab()[token])


def _with_markers(tokenizer: PreTrainedTokenizerFast, markers: dict[str, str]) -> PreTrainedTokenizerFast:
    """The same tokenizer with further special tokens that it knows by name."""
    tokenizer.add_special_tokens({"additional_special_tokens": list(markers.values())})
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, pad_token=tokenizer.pad_token, eos_token=tokenizer.eos_token,
        unk_token=tokenizer.unk_token, padding_side="left", extra_special_tokens=markers,
    )  # fmt: skip


def _save(
    folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str, values: dict[str, object]
) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    pixels = {"resample": 3, "rescale_factor": 1 / 255, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / name).write_text(json.dumps(pixels | values))
    return folder
