"""SAM 2: one object followed through consecutive pictures by its mask (arXiv 2408.00714), through transformers.

transformers' own video processor needs torchvision; the pictures are prepared by :mod:`stvg_core.mllm.pixels` from the
same configuration files. Pictures are streamed, and of what was tracked only as much is kept as the model's memory
looks back, so that a long interval needs no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
import transformers

from stvg_core.errors import ModelError
from stvg_core.mllm.broken import reading
from stvg_core.mllm.pixels import PixelPreparation
from stvg_core.proposals.checkpoints import load_network, where_from
from stvg_core.tube import Array

BATCH = 1
"""Pictures read at once: a single one is not copied, and its memory serves the next one."""
_SPECK = 0.1  # of the largest piece of a mask: smaller pieces do not stretch the box
_OBJECT = 1  # the number of the only object in a session
_CORNERS = (2, 3)  # SAM's labels of a box's first and second corner

Read = Callable[[list[int]], Array]
"""Positions -> ``(T, H, W, 3)`` uint8 RGB pictures."""


class Sam2Tracker:
    """Follows one object; loads its weights when it is first used.

    Args:
        model: hub id (``owner/name`` or ``owner/name@revision``) or folder.
        device: "cpu", "cuda", "cuda:1", ...
    """

    def __init__(self, model: str, *, device: str) -> None:
        self.model, self.device = model, device
        self._dtype = torch.float32 if device == "cpu" else torch.bfloat16

    def load(self) -> None:
        """Load the weights now. Raises as :meth:`follow`."""
        _ = self._network, self._pixels

    def follow(self, read: Read, count: int, seeds: dict[int, Array]) -> Array:
        """Boxes of the object on ``count`` consecutive pictures.

        Args:
            read: gives the pictures at positions in ``[0, count)``.
            seeds: position -> ``(4,)`` normalised box of the object there, the surest first; at least one.

        Returns:
            ``(count, 4)`` float32 normalised xyxy around the masks, NaN where the object is not seen.

        Raises:
            ModelError: the checkpoint cannot be loaded.
            torch.OutOfMemoryError: the GPU's memory does not suffice.
        """
        boxes = np.full((count, 4), np.nan, np.float32)
        session = self._session()
        # Read in one go: their order of trust is not the order in which they lie in the file.
        for (position, box), picture in zip(seeds.items(), read(list(seeds)), strict=True):
            self._seed(session, position, box)
            boxes[position] = self._look(session, position, picture, backwards=False)
        for backwards, way in ((False, _ahead(count, seeds)), (True, _behind(seeds))):
            for position, picture in _stream(read, way):
                boxes[position] = self._look(session, position, picture, backwards=backwards)
            self._forget(session, keep=0)  # the way back begins from the seeded pictures
        return boxes

    def _session(self) -> Any:
        return transformers.Sam2VideoInferenceSession(
            inference_device=self.device, inference_state_device=self.device, video_storage_device=self.device,
            dtype=self._network.dtype,
        )  # fmt: skip

    def _seed(self, session: Any, position: int, box: Array) -> None:
        height, width = self._side
        corners = torch.from_numpy(np.asarray(box, np.float32) * np.array([width, height, width, height], np.float32))
        points = {"point_coords": corners.view(1, 1, 2, 2), "point_labels": torch.tensor([[_CORNERS]])}
        session.add_point_inputs(session.obj_id_to_idx(_OBJECT), position, points)
        session.obj_with_new_inputs = [_OBJECT]

    def _look(self, session: Any, position: int, picture: Array, *, backwards: bool) -> Array:
        pixels = self._pixels(picture[None])[0].to(self.device, self._dtype)
        seen = self._network(session, frame_idx=position, frame=pixels, reverse=backwards)
        del session.processed_frames[position]
        self._forget(session, keep=self._memory, around=position)
        return mask_box(seen.pred_masks[0, 0], picture.shape[:2])

    @staticmethod
    def _forget(session: Any, *, keep: int, around: int = 0) -> None:
        """Drop what was tracked further away than ``keep`` positions; seeded pictures stay."""
        for outputs in session.output_dict_per_obj.values():
            tracked = outputs["non_cond_frame_outputs"]
            for old in [position for position in tracked if keep == 0 or abs(position - around) > keep]:
                del tracked[old]

    @property
    def _side(self) -> tuple[int, int]:
        if self._pixels.size is None:
            raise ModelError(f"{self.model} does not say how large its pictures are; is it a SAM 2 checkpoint?")
        return self._pixels.size

    @property
    def _memory(self) -> int:
        """How many pictures the model looks back: by masks and by object pointers."""
        config = self._network.config
        return max(int(config.num_maskmem), int(config.max_object_pointers_in_encoder))

    @cached_property
    def _network(self) -> Any:
        return load_network(self.model, "Sam2VideoModel", "sam2_video", device=self.device, dtype=self._dtype)

    @cached_property
    def _pixels(self) -> PixelPreparation:
        name, source = where_from(self.model)
        with reading(self.model):
            return PixelPreparation.from_checkpoint(name, source.get("revision"))


def mask_box(logits: torch.Tensor, size: tuple[int, int]) -> Array:
    """The box around a mask.

    Args:
        logits: ``[h, w]``, positive on the object.
        size: ``(height, width)`` of the picture. The mask is enlarged to it before it is cut at 0 and never made
            smaller, so that an object of a single cell keeps its box.

    Returns:
        ``(4,)`` float32 normalised xyxy, NaN for an empty mask.
    """
    height, width = max(size[0], logits.shape[0]), max(size[1], logits.shape[1])
    enlarged = F.interpolate(logits[None, None].float(), (height, width), mode="bilinear", align_corners=False)
    mask = (enlarged[0, 0] > 0).cpu().numpy().astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return np.full(4, np.nan, np.float32)
    pieces = stats[1:]
    areas = pieces[:, cv2.CC_STAT_AREA]
    # What stands behind a pole is in two pieces; a few stray pixels elsewhere are no piece of it.
    pieces = pieces[areas >= _SPECK * areas.max()]
    left, top = pieces[:, cv2.CC_STAT_LEFT], pieces[:, cv2.CC_STAT_TOP]
    right, bottom = left + pieces[:, cv2.CC_STAT_WIDTH], top + pieces[:, cv2.CC_STAT_HEIGHT]
    box = np.array([left.min() / width, top.min() / height, right.max() / width, bottom.max() / height], np.float32)
    return box


def looking_order(count: int, seeds: Collection[int]) -> list[int]:
    """The positions in the order in which :meth:`Sam2Tracker.follow` reads them."""
    return [*seeds, *_ahead(count, seeds), *_behind(seeds)]


def _ahead(count: int, seeds: Collection[int]) -> list[int]:
    return [position for position in range(min(seeds), count) if position not in seeds]


def _behind(seeds: Collection[int]) -> list[int]:
    return list(range(min(seeds) - 1, -1, -1))


def _stream(read: Read, positions: Iterable[int]) -> Iterator[tuple[int, Array]]:
    waiting = list(positions)
    for first in range(0, len(waiting), BATCH):
        batch = waiting[first : first + BATCH]
        yield from zip(batch, read(batch), strict=True)
