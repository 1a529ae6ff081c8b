"""SAM 2: one object followed through consecutive pictures by its mask (arXiv 2408.00714), through transformers.

transformers' own video processor needs torchvision; the pictures are prepared by :mod:`stvg_core.mllm.pixels` from the
same configuration files. Pictures are streamed, and of what was tracked only as much is kept as the model's memory
looks back, so that a long interval needs no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import transformers

from stvg_core.errors import ModelError
from stvg_core.mllm.checkpoint_errors import reading
from stvg_core.mllm.pixels import PixelPreparation
from stvg_core.proposals.checkpoints import load_network, where_from
from stvg_core.proposals.masks import MASK_SIDE, box_and_mask, mask_box, mask_in_box
from stvg_core.tube import Array

BATCH = 1
"""Pictures read at once: a single one is not copied, and its memory serves the next one."""
_OBJECT = 1  # the number of the only object in a session
_CORNERS = (2, 3)  # SAM's labels of a box's first and second corner

Read = Callable[[list[int]], Array]
"""Positions -> ``(T, H, W, 3)`` uint8 RGB pictures."""


@dataclass(frozen=True)
class Followed:
    """An object on ``N`` pictures.

    Attributes:
        boxes: ``(N, 4)`` float32 normalised xyxy around the masks, NaN where the object is not seen.
        masks: ``(N, m, m)`` uint8, what share of each part of the box its mask covers, in 255ths; all 0 without a box.
    """

    boxes: Array
    masks: Array

    @classmethod
    def nowhere(cls, count: int) -> Followed:
        return cls(np.full((count, 4), np.nan, np.float32), np.zeros((count, MASK_SIDE, MASK_SIDE), np.uint8))


class Sam2Tracker:
    """Follows objects; loads its weights when it is first used.

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
            boxes[position] = mask_box(self._look(session, position, picture, backwards=False), picture.shape[:2])
        for backwards, way in ((False, _ahead(count, seeds)), (True, _behind(seeds))):
            for position, picture in _stream(read, way):
                logits = self._look(session, position, picture, backwards=backwards)
                boxes[position] = mask_box(logits, picture.shape[:2])
            self._forget(session, keep=0)  # the way back begins from the seeded pictures
        return boxes

    def follow_all(self, read: Read, count: int, seeds: Sequence[dict[int, Array]]) -> list[Followed]:
        """Several objects on the same pictures, each as :meth:`follow` follows it alone, with their masks.

        A picture is read and encoded once per way, for all objects. An object has a session of its own, because a look
        moves every object of a session on, also those that are first seen elsewhere. The sessions share the encoded
        picture, which is what costs most. Memory grows with the number of objects, not with ``count``.

        Args:
            seeds: of each object, position -> ``(4,)`` normalised box; at least one.

        Raises: as :meth:`follow`.
        """
        found = [Followed.nowhere(count) for _ in seeds]
        sessions = [self._session() for _ in seeds]
        for session in sessions[1:]:
            session.cache = sessions[0].cache
        seeded, ahead, behind = _ways(count, seeds)

        def look(number: int, position: int, picture: Array, *, backwards: bool = False) -> None:
            logits = self._look(sessions[number], position, picture, backwards=backwards)
            box, mask = box_and_mask(logits, picture.shape[:2])
            if np.isfinite(box).all():
                found[number].boxes[position], found[number].masks[position] = box, mask_in_box(mask, box)

        for position, picture in _stream(read, seeded):
            for number in seeded[position]:
                self._seed(sessions[number], position, seeds[number][position])
                look(number, position, picture)
        for backwards, way in ((False, ahead), (True, behind)):
            for position, picture in _stream(read, way):
                for number in way[position]:
                    look(number, position, picture, backwards=backwards)
            for session in sessions:
                self._forget(session, keep=0)
        return found

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

    def _look(self, session: Any, position: int, picture: Array, *, backwards: bool) -> torch.Tensor:
        """``[h, w]`` logits of the mask."""
        pixels = self._pixels(picture[None])[0].to(self.device, self._dtype)
        seen = self._network(session, frame_idx=position, frame=pixels, reverse=backwards)
        del session.processed_frames[position]
        self._forget(session, keep=self._memory, around=position)
        logits: torch.Tensor = seen.pred_masks[0, 0]
        return logits

    @staticmethod
    def _forget(session: Any, *, keep: int, around: int = 0) -> None:
        """Drop what was tracked further away than ``keep`` positions; seeded pictures stay."""
        for outputs in session.output_dict_per_obj.values():
            tracked = outputs["non_cond_frame_outputs"]
            for old in [position for position in tracked if keep == 0 or abs(position - around) > keep]:
                del tracked[old]
            for kept in (*tracked.values(), *outputs["cond_frame_outputs"].values()):
                kept.pop("high_res_masks", None)  # of the model's full size, and remembered in another form already

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


def looking_order(count: int, seeds: Collection[int]) -> list[int]:
    """The positions in the order in which :meth:`Sam2Tracker.follow` reads them."""
    return [*seeds, *_ahead(count, seeds), *_behind(seeds)]


def looking_order_of_all(count: int, seeds: Sequence[Collection[int]]) -> list[int]:
    """The same of :meth:`Sam2Tracker.follow_all`."""
    return [position for way in _ways(count, seeds) for position in way]


Way = dict[int, list[int]]
"""Positions in the order in which they are looked at -> the numbers of the objects that are followed there."""


def _ways(count: int, seeds: Sequence[Collection[int]]) -> tuple[Way, Way, Way]:
    """The seeded positions, the way ahead and the way back."""
    ahead, behind = [set(_ahead(count, own)) for own in seeds], [set(_behind(own)) for own in seeds]
    ways = ((range(count), [set(own) for own in seeds]), (range(count), ahead), (range(count - 1, -1, -1), behind))
    seeded, forwards, backwards = (
        {at: who for at in order if (who := [n for n, own in enumerate(places) if at in own])} for order, places in ways
    )
    return seeded, forwards, backwards


def _ahead(count: int, seeds: Collection[int]) -> list[int]:
    return [position for position in range(min(seeds), count) if position not in seeds]


def _behind(seeds: Collection[int]) -> list[int]:
    return list(range(min(seeds) - 1, -1, -1))


def _stream(read: Read, positions: Iterable[int]) -> Iterator[tuple[int, Array]]:
    waiting = list(positions)
    for first in range(0, len(waiting), BATCH):
        batch = waiting[first : first + BATCH]
        yield from zip(batch, read(batch), strict=True)
