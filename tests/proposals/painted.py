"""A painted clip with a red square on grey, and models that are made to see exactly that square.

The real classes run on the real pixels; only their last answer is replaced by where the picture they were given is red.
So a box comes out right only if decoding, preparation and mapping back are right.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import GroundingDinoForObjectDetection, Sam2VideoModel

from stvg_core.video import VideoReader
from stvg_core.video.h264 import h264_file

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def straight(count: int, start: tuple[int, ...], end: tuple[int, ...]) -> np.ndarray:
    """``(count, 4)`` xyxy in pixels, from one box to another."""
    return np.linspace(start, end, count).round()


def paint(path: Path, boxes: np.ndarray, size: tuple[int, int], fps: int = 20) -> VideoReader:
    """A clip with a red square at ``boxes`` (T, 4) in pixels, nothing where a row is NaN."""
    with h264_file(path, Fraction(fps), size, crf=5, preset="medium", pix_fmt="yuv444p") as write:
        for number, box in enumerate(boxes):
            picture = np.full((size[1], size[0], 3), 120, np.uint8)
            if np.isfinite(box).all():
                x1, y1, x2, y2 = box.astype(int)
                picture[y1:y2, x1:x2] = (230, 20, 20)
            write(picture, number)
    return VideoReader(path)


def red(pixels: torch.Tensor) -> torch.Tensor:
    """``[3, h, w]`` as a model gets it -> ``[h, w]`` bool."""
    picture = pixels.float().cpu() * STD + MEAN
    return (picture[0] > 0.6) & (picture[1] < 0.35)


def see_red_boxes(monkeypatch: pytest.MonkeyPatch, *, word: str | None = None, score: float = 0.8) -> list[str]:
    """GroundingDINO finds the red square, if ``word`` (any with None) is in the prompt; returns the prompts it saw."""
    real, prompts = GroundingDinoForObjectDetection.forward, []

    def forward(self: Any, pixel_values: torch.Tensor, input_ids: torch.Tensor, **inputs: Any) -> Any:
        output = real(self, pixel_values=pixel_values, input_ids=input_ids, **inputs)
        output.logits = torch.full_like(output.logits, -20.0)
        output.pred_boxes = torch.full_like(output.pred_boxes, 0.5)
        for row, (pixels, ids) in enumerate(zip(pixel_values, input_ids, strict=True)):
            prompts.append(ids.tolist())
            mask = red(pixels)
            if not mask.any() or (word is not None and VOCABULARY[word] not in ids.tolist()):
                continue
            rows, columns = torch.nonzero(mask.any(1))[:, 0], torch.nonzero(mask.any(0))[:, 0]
            x1, x2 = columns[0] / mask.shape[1], (columns[-1] + 1) / mask.shape[1]
            y1, y2 = rows[0] / mask.shape[0], (rows[-1] + 1) / mask.shape[0]
            output.pred_boxes[row, 3] = torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1])
            output.logits[row, 3, 1] = float(np.log(score / (1 - score)))
        return output

    monkeypatch.setattr(GroundingDinoForObjectDetection, "forward", forward)
    return prompts


def see_red_masks(monkeypatch: pytest.MonkeyPatch, *, blind: tuple[int, ...] = ()) -> list[int]:
    """SAM 2's masks are where the picture is red, empty on the looks numbered in ``blind``; returns the positions."""
    real, looks = Sam2VideoModel.forward, []

    def forward(self: Any, session: Any, frame_idx: int, frame: torch.Tensor, **inputs: Any) -> Any:
        output = real(self, session, frame_idx=frame_idx, frame=frame, **inputs)
        mask = F.adaptive_avg_pool2d(red(frame).float()[None, None], output.pred_masks.shape[-2:]) - 0.5
        output.pred_masks = mask - 10 * (frame_idx in blind)
        looks.append(frame_idx)
        return output

    monkeypatch.setattr(Sam2VideoModel, "forward", forward)
    return looks


VOCABULARY = {"man": 1040, "woman": 1041, "red": 1042, "circle": 1043, "object": 1044}
