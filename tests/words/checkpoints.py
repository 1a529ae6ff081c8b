"""Checkpoint folders with real words: vocabulary, template and preprocessor files as published, tiny random weights.

What is written here of the families are facts of their published files: the text that a template makes of a video and a
question, the ids of the special tokens, and how frames are prepared. The shape of the input is theirs too (a square of
384 pixels in patches of 14), so as many cells come out; only widths and depths are small.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from stvg_core.mllm.families import FAMILIES as TABLE
from tests.mllm.published import CLIP, INTERN, QWEN2, QWEN3, QWEN25, SIGLIP, TEXT_KIND
from tests.tiny_models import ROPE, TEXT
from tests.words import vocabularies
from tests.words.vocabularies import write_llama, write_qwen

OPENAI = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
STEPS: dict[str, Any] = {
    "do_resize": True, "do_rescale": True, "do_normalize": True, "do_convert_rgb": True, "resample": 3,
    "rescale_factor": 0.00392156862745098,
}  # fmt: skip
PATCHES = {"patch_size": 14, "temporal_patch_size": 2, "merge_size": 2}
NARROW = {
    "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "num_heads": 2,
    "depth": 2, "embed_dim": 24, "projection_dim": 24,
}  # fmt: skip
VISION_MARKS = "<|vision_start|><|video_pad|><|vision_end|>"


def chatml(video: str, *, system: str = "", role: str = "\n", question: str = "", turn: str = "<|im_end|>\n") -> str:
    """A template of Qwen's kind.

    Args:
        video: what it writes for a video.
        system: the turn before the user's, as it stands.
        role, question, turn: what follows the name of the user, precedes the question and ends the turn.
    """
    return (
        f"{system}{{% for turn in messages %}}<|im_start|>{{{{ turn.role + {role!r} }}}}"
        "{% for item in turn.content %}"
        f"{{{{ {video!r} if item.type == 'video' else {question!r} + item.text }}}}{{% endfor %}}{{{{ {turn!r} }}}}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )


VICUNA = (
    "{% for turn in messages %}{{ turn.role.upper() + ': ' }}{% for item in turn.content %}"
    "{{ '<video>\\n' if item.type == 'video' else item.text + ' ' }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


@dataclass(frozen=True)
class Facts:
    """What a family's published files say.

    Attributes:
        words: writes the tokenizer's files into a folder and returns the ids of the special tokens.
        template: the chat template.
        template_file: where it is kept.
        frames: preprocessor files.
        vision: the tower's configuration in its real input shape.
        vocabulary: rows of the embeddings.
        ids: names of ids in ``config.json`` and the tokens they name.
    """

    words: Callable[[Path], dict[str, int]]
    template: str
    template_file: str
    frames: dict[str, dict[str, Any]]
    vision: dict[str, Any]
    vocabulary: int
    ids: dict[str, str]


QWEN_IDS = {
    "video_token_id": "<|video_pad|>", "image_token_id": "<|image_pad|>", "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}  # fmt: skip
LLAVA_IDS = {"video_token_index": "<video>", "image_token_index": "<image>"}
QWEN_SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
QWEN2_FRAMES = {"preprocessor_config.json": {"min_pixels": 3136, "max_pixels": 12845056} | PATCHES | OPENAI}
QWEN3_PATCHES = PATCHES | {"patch_size": 16} | HALF
INTERNVL_NAMES = {
    "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}  # fmt: skip

FAMILIES: dict[str, Facts] = {
    "llava_onevision": Facts(
        lambda folder: write_qwen(folder, vocabularies.ONEVISION, {}),
        chatml("<video>", role=" ", question="\n", turn="<|im_end|>"), "chat_template.jinja",
        {"preprocessor_config.json": STEPS | HALF | {"size": {"height": 384, "width": 384}, "do_pad": True}},
        SIGLIP, 152000, LLAVA_IDS,
    ),
    "llava_next_video": Facts(
        write_llama, VICUNA, "chat_template.jinja",
        {
            "preprocessor_config.json": STEPS | OPENAI | {
                "size": {"shortest_edge": 336}, "do_center_crop": True, "crop_size": {"height": 336, "width": 336},
            },
        },
        CLIP, 32064, LLAVA_IDS,
    ),
    "internvl": Facts(
        lambda folder: write_qwen(folder, vocabularies.INTERNVL3, INTERNVL_NAMES),
        chatml("<video>\n"), "chat_template.jinja",
        {
            "preprocessor_config.json": STEPS | IMAGENET | {
                "size": {"height": 448, "width": 448}, "crop_to_patches": False, "min_patches": 1, "max_patches": 12,
            },
        },
        INTERN, 151674, {"image_token_id": "<IMG_CONTEXT>"},
    ),
    "qwen2_vl": Facts(
        lambda folder: write_qwen(folder, vocabularies.QWEN2_VL, {}),
        chatml(VISION_MARKS, system=QWEN_SYSTEM), "chat_template.json", QWEN2_FRAMES, QWEN2, 151936, QWEN_IDS,
    ),
    "qwen2_5_vl": Facts(
        lambda folder: write_qwen(folder, vocabularies.QWEN25_VL, {}),
        chatml(VISION_MARKS, system=QWEN_SYSTEM), "chat_template.json", QWEN2_FRAMES,
        QWEN25 | {"fullatt_block_indexes": [1]}, 151936, QWEN_IDS,
    ),
    "qwen3_vl": Facts(
        lambda folder: write_qwen(folder, vocabularies.QWEN3_VL, {}),
        chatml(VISION_MARKS), "chat_template.json",
        {
            "preprocessor_config.json": QWEN3_PATCHES | {"size": {"longest_edge": 16777216, "shortest_edge": 65536}},
            "video_preprocessor_config.json": QWEN3_PATCHES | {
                "size": {"longest_edge": 25165824, "shortest_edge": 4096},
            },
        },
        QWEN3 | {"deepstack_visual_indexes": [0, 1]}, 151936, QWEN_IDS,
    ),
}  # fmt: skip
"""By ``model_type``, as in the table of families."""


def save(folder: Path, family: str, *, seed: int = 0) -> Path:
    """Write a folder that ``stvg ground --model`` takes; the same seed gives the same weights."""
    facts = FAMILIES[family]
    folder.mkdir(parents=True)
    special = facts.words(folder)
    vision = facts.vision | {name: size for name, size in NARROW.items() if name in facts.vision}
    if family.startswith("qwen"):
        # The width of what the tower gives.
        vision["hidden_size" if family == "qwen2_vl" else "out_hidden_size"] = TEXT["hidden_size"]
    text: dict[str, Any] = TEXT | {"vocab_size": facts.vocabulary, "head_dim": 8}
    if family in TEXT_KIND:
        text["model_type"] = TEXT_KIND[family]
    else:
        text["rope_parameters"] = ROPE
    model_class = getattr(transformers, TABLE[family].model_class)
    ids = {name: special[token] for name, token in facts.ids.items()}
    torch.manual_seed(seed)
    model_class(model_class.config_class(text_config=text, vision_config=vision, **ids)).save_pretrained(folder)
    as_json = facts.template_file.endswith(".json")
    template = json.dumps({"chat_template": facts.template}) if as_json else facts.template
    (folder / facts.template_file).write_text(template, encoding="utf-8")
    for name, values in facts.frames.items():
        (folder / name).write_text(json.dumps(values))
    return folder
