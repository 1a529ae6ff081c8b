"""The straight way, for comparison: transformers' own forward pass with eager attention, a full pass per question.

The prompt is written out by transformers' own processors (their functions; the processors themselves want torchvision).
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoTokenizer

from stvg_core.mllm.families import FAMILIES
from stvg_core.mllm.loading import LoadedModel
from stvg_core.tube import Frames


class Reference:
    """A checkpoint in its own class, all attention maps kept; ``tokenizer`` saves reading a large one twice."""

    def __init__(self, folder: Path, tokenizer: Any = None) -> None:
        self.kind = AutoConfig.from_pretrained(folder).model_type
        model_class = getattr(transformers, FAMILIES[self.kind].model_class)
        self.model = model_class.from_pretrained(folder, attn_implementation="eager").eval()
        self.tokenizer = tokenizer or AutoTokenizer.from_pretrained(folder)

    def __call__(
        self, loaded: LoadedModel, frames: Frames, question: str, shape: tuple[int, int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of the first answer token, and ``[layers, heads, tokens after the video, T*h*w]``."""
        config, (t, h, w) = self.model.config, shape
        video = self.inputs(loaded, frames, shape)
        ids = torch.tensor([self.ids(frames, question, shape, video)])
        shown = ids == (config.image_token_id if self.kind == "internvl" else config.video_token_id)
        places = shown[0].nonzero()[:, 0]
        if "video_grid_thw" in video:
            video["mm_token_type_ids"] = shown.int() * 2
        with torch.no_grad():
            output = self.model(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True, **video)
        maps = torch.stack([layer[0] for layer in output.attentions])
        return output.logits[0, -1].log_softmax(-1), maps[:, :, int(places[-1]) + 1 :, places[: t * h * w]]

    def ids(self, frames: Frames, question: str, shape: tuple[int, int, int], video: dict[str, Any]) -> list[int]:
        """The whole prompt, one placeholder for each visual token."""
        message = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": question}]}]
        text = self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer(self.expanded(text, frames, shape, video))["input_ids"])

    def inputs(self, loaded: LoadedModel, frames: Frames, shape: tuple[int, int, int]) -> dict[str, Any]:
        """What the model's forward pass wants to know of the video."""
        if self.kind == "internvl":
            return {"pixel_values": loaded.pixels(frames.pixels)}
        if self.kind.startswith("llava"):
            return {"pixel_values_videos": loaded.pixels(frames.pixels)[None]}
        vision, (t, h, w) = self.model.config.vision_config, shape
        cell = vision.patch_size * vision.spatial_merge_size
        pixels = loaded.pixels(frames.pixels, (h * cell, w * cell))
        if len(pixels) % 2:
            pixels = torch.cat([pixels, pixels[-1:]])
        grid = torch.tensor([[t, h * vision.spatial_merge_size, w * vision.spatial_merge_size]])
        video = {"pixel_values_videos": patches_one_by_one(pixels, vision), "video_grid_thw": grid}
        if self.kind == "qwen2_5_vl":
            spacing = np.diff(frames.seconds[:: vision.temporal_patch_size]).mean() if t > 1 else 1.0
            video["second_per_grid_ts"] = torch.tensor([spacing])
        return video

    def expanded(self, text: str, frames: Frames, shape: tuple[int, int, int], video: dict[str, Any]) -> str:
        """The prompt with as many placeholders as there are tokens, by the family's own processor."""
        token, names = self.tokenizer, self.model.config
        of_video = str(token.convert_ids_to_tokens(names.video_token_id)) if self.kind != "internvl" else "<video>"
        own: dict[str, Any] = {"video_token": of_video}
        if self.kind == "internvl":
            own |= {"image_token": "<IMG_CONTEXT>", "start_image_token": "<img>", "end_image_token": "</img>"}
            own["image_seq_length"] = names.image_seq_length
            video = {"pixel_values_videos": video["pixel_values"][None]}
        elif self.kind.startswith("llava"):
            side = names.vision_config.image_size // names.vision_config.patch_size
            own |= {"patch_size": names.vision_config.patch_size, "num_image_tokens": side * side}
            own["vision_feature_select_strategy"] = "full"
        else:
            merges = {"merge_size": 2, "temporal_patch_size": 2}
            own["video_processor"] = own["image_processor"] = SimpleNamespace(**merges)
        if self.kind == "qwen3_vl":
            rate = 1000
            indices = [round(second * rate) for second in frames.seconds]
            video = video | {"video_metadata": [SimpleNamespace(fps=rate, frames_indices=indices)]}
            own |= {"vision_start_token": "<|vision_start|>", "vision_end_token": "<|vision_end|>"}
            own["_calculate_timestamps"] = lambda *args: transformers.Qwen3VLProcessor._calculate_timestamps(
                None, *args
            )
            # The processor that the model was released with also takes away the template's own pair of markers.
            of_video = f"<|vision_start|>{of_video}<|vision_end|>"
        written = PROCESSORS[self.kind].replace_video_token(SimpleNamespace(**own), video, 0)
        assert of_video in text
        return text.replace(of_video, written, 1)


PROCESSORS: dict[str, Any] = {
    "llava_onevision": transformers.LlavaOnevisionProcessor,
    "llava_next_video": transformers.LlavaNextVideoProcessor,
    "internvl": transformers.InternVLProcessor,
    "qwen2_vl": transformers.Qwen2VLProcessor,
    "qwen2_5_vl": transformers.Qwen2_5_VLProcessor,
    "qwen3_vl": transformers.Qwen3VLProcessor,
}


def patches_one_by_one(pixels: torch.Tensor, vision: Any) -> torch.Tensor:
    """Qwen's order written down plainly: by slot, cell row, cell column, patch row, patch column in the cell."""
    size, merge, fused = vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size
    rows = []
    for slot in range(0, len(pixels), fused):
        for top in range(0, pixels.shape[2], size * merge):
            for left in range(0, pixels.shape[3], size * merge):
                for y in range(top, top + size * merge, size):
                    for x in range(left, left + size * merge, size):
                        patch = pixels[slot : slot + fused, :, y : y + size, x : x + size]
                        rows.append(patch.transpose(0, 1).flatten())  # channel, frame, row, column
    return torch.stack(rows)
