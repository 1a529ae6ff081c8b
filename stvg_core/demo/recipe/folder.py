"""Writes the model folder in the layout of a LLaVA-OneVision checkpoint, so that nothing loads it specially."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from transformers import LlavaOnevisionForConditionalGeneration

from stvg_core.demo.recipe.architecture import IMAGE_SIZE, PATCH
from stvg_core.demo.recipe.vocabulary import CHAT_TEMPLATE, IMAGE, VIDEO, build_tokenizer

# Chosen on the validation split. Layers 3 and 4 are where the attention loss acted: those below read motion from other
# cells. This model answers with attention that is high in the whole interval, so the interval is cut low (centre). Most
# of its actions turn into others when a clip runs backwards, which is why TAS is off.
# What a fresh model starts with; the shipped folder's own file was tuned on the validation split since.
PRESETS: dict[str, Any] = {
    "settings": {
        "layers": [3, 4],
        "decomposer": "rules",
        "action_subject": "phrase",
        "lra_rule": "token_norm",
        "lra_lr": 0.03,
        "tas_question": "reversed",
        "tas_temporal": True,
        "tas_operator": "product",
        "centre": 0.12,
    },
    "notes": "Choose on the validation split; see docs/ablation.md.",
}


def write_folder(model: LlavaOnevisionForConditionalGeneration, out: Path) -> int:
    """Write weights (fp16) and every configuration file; returns the weights' size in bytes."""
    out.mkdir(parents=True, exist_ok=True)
    half = copy.deepcopy(model).to(torch.float16)
    half.save_pretrained(out)
    build_tokenizer().save_pretrained(out)
    (out / "chat_template.jinja").write_text(CHAT_TEMPLATE + "\n")
    for name, content in processor_files().items():
        _write_json(out / name, content)
    if not (out / "stvg.json").exists():  # presets may have been tuned since
        _write_json(out / "stvg.json", PRESETS)
    return (out / "model.safetensors").stat().st_size


def processor_files() -> dict[str, dict[str, Any]]:
    """Preprocessor configurations by file name: any frame is squashed to the square and scaled to [-1, 1]."""
    pixels = {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 3, "rescale_factor": 1 / 255,
        "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE}, "processor_class": "LlavaOnevisionProcessor",
    }  # fmt: skip
    image = pixels | {
        "do_pad": True, "image_grid_pinpoints": [[IMAGE_SIZE, IMAGE_SIZE]],
        "image_processor_type": "LlavaOnevisionImageProcessor",
    }  # fmt: skip
    video = pixels | {"do_sample_frames": False, "video_processor_type": "LlavaOnevisionVideoProcessor"}
    processor = {
        "image_token": IMAGE, "num_image_tokens": (IMAGE_SIZE // PATCH) ** 2,
        "processor_class": "LlavaOnevisionProcessor", "video_token": VIDEO, "vision_aspect_ratio": "anyres_max_9",
        "vision_feature_select_strategy": "full",
    }  # fmt: skip
    return {
        "preprocessor_config.json": image,
        "video_preprocessor_config.json": video,
        "processor_config.json": processor,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
