"""GroundingDINO: boxes for a phrase in single pictures (arXiv 2303.05499), through transformers."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
import transformers

from stvg_core.mllm.checkpoint_errors import reading
from stvg_core.proposals.checkpoints import load_network, where_from
from stvg_core.proposals.phrases import as_prompt
from stvg_core.tube import Array

LONGEST_SIDE = 1333  # the published preprocessing never makes pictures larger
_BATCH = 4


class GroundingDino:
    """Finds what a phrase names; loads its weights when it is first used.

    Args:
        model: hub id (``owner/name`` or ``owner/name@revision``) or folder.
        device: "cpu", "cuda", "cuda:1", ...
        box_threshold: a box needs at least one token with this similarity; the paper's 0.4.
        text_threshold: a word of the phrase, not only a separator, must reach this similarity; the paper's 0.4.
    """

    def __init__(self, model: str, *, device: str, box_threshold: float = 0.4, text_threshold: float = 0.4) -> None:
        self.model, self.device = model, device
        self.box_threshold, self.text_threshold = box_threshold, text_threshold

    def load(self) -> None:
        """Load the weights now. Raises as :meth:`detect`."""
        _ = self._network, self._processor

    def detect(self, pictures: Array, phrase: str) -> list[tuple[Array, Array]]:
        """``(T, H, W, 3)`` uint8 RGB -> per picture ``(N, 4)`` float32 normalised xyxy and ``(N,)`` float32 scores.

        Raises:
            ModelError: the checkpoint cannot be loaded.
            torch.OutOfMemoryError: the GPU's memory does not suffice.
        """
        found: list[tuple[Array, Array]] = []
        for first in range(0, len(pictures), _BATCH):
            found += self._detect(pictures[first : first + _BATCH], as_prompt(phrase))
        return found

    def _detect(self, pictures: Array, text: str) -> list[tuple[Array, Array]]:
        network, processor = self._network, self._processor
        inputs = processor(
            images=list(pictures), text=[text] * len(pictures), return_tensors="pt", truncation=True,
            max_length=network.config.max_text_len,
        ).to(self.device)  # fmt: skip
        with torch.inference_mode():
            outputs = network(**inputs)
        results = processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], threshold=self.box_threshold, text_threshold=self.text_threshold
        )
        return [self._boxes(result) for result in results]

    @staticmethod
    def _boxes(result: dict[str, Any]) -> tuple[Array, Array]:
        boxes = result["boxes"].float().cpu().numpy().clip(0.0, 1.0)
        scores = result["scores"].float().cpu().numpy()
        named = np.array([bool(text.strip(" .")) for text in result["text_labels"]], dtype=bool)
        solid = named & np.isfinite(scores) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # NaN is not greater
        return boxes[solid].astype(np.float32), scores[solid].astype(np.float32)

    @cached_property
    def _network(self) -> Any:
        # Always float32: box regression in half precision moves small boxes by pixels.
        return load_network(
            self.model, "GroundingDinoForObjectDetection", "grounding-dino", device=self.device, dtype=torch.float32
        )

    @cached_property
    def _processor(self) -> Any:
        name, source = where_from(self.model)
        with reading(self.model):
            return transformers.GroundingDinoProcessor.from_pretrained(name, trust_remote_code=False, **source)
