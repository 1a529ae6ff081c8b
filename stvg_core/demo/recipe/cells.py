"""What each cell of the 6 x 6 grid shows: the answers that the dense heads are trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stvg_core.demo.recipe.architecture import CELLS, GRID
from stvg_core.demo.scenes import ACTIONS, COLOURS, SHAPES, Scene, half_extent

IGNORE = -100
SEEN, HINT = 0.12, 0.03  # coverage from which a cell shows an object; below the second it certainly does not
STILL, NOTHING = len(ACTIONS), len(ACTIONS) + 1  # action classes beside the eight actions


@dataclass
class CellTruth:
    """Per frame and cell (T, 36): class numbers (``IGNORE`` where unclear) and numbers in units of cells."""

    colour: np.ndarray  # int, len(COLOURS) for none
    shape: np.ndarray  # int, len(SHAPES) for none
    action: np.ndarray  # int, STILL or NOTHING beside the actions
    place: np.ndarray  # (T, 36, 4): centre minus cell centre in x and y, half width, half height
    change: np.ndarray  # (T, 36, 3): shift in x and y and log growth since the frame before; 0 in the first frame


def coverage(scene: Scene, frames: np.ndarray) -> np.ndarray:
    """Share of each cell that each object's box covers, (objects, T, 36); 0 where the object is out of the
    frame.
    """
    boxes = np.nan_to_num(np.stack([scene.boxes(i, frames) for i in range(len(scene.objects))]), nan=0.0) * GRID
    edges = np.arange(GRID)
    across = np.minimum(boxes[..., 2:3], edges + 1) - np.maximum(boxes[..., 0:1], edges)
    down = np.minimum(boxes[..., 3:4], edges + 1) - np.maximum(boxes[..., 1:2], edges)
    area = down.clip(0)[..., :, None] * across.clip(0)[..., None, :]
    flat: np.ndarray = area.reshape(*area.shape[:2], CELLS)
    return flat


def cell_truth(scene: Scene, frames: np.ndarray) -> CellTruth:
    """The dense answers for the object that dominates each cell; what is drawn later wins near ties."""
    frames = np.asarray(frames)
    share = coverage(scene, frames)
    count = len(scene.objects)
    front = share + (share > SEEN) * np.linspace(0, 0.25, count)[:, None, None]
    top = front.argmax(axis=0)  # (T, 36)
    best = share.max(axis=0)

    def spread(values: np.ndarray) -> np.ndarray:
        """(objects, T, ...) to (T, 36, ...) by the dominating object."""
        chosen: np.ndarray = values[top, np.arange(len(frames))[:, None]]
        return chosen

    def classes(of_object: np.ndarray, none: int) -> np.ndarray:
        chosen = np.where(best >= SEEN, spread(of_object), none)
        chosen[(best > HINT) & (best < SEEN)] = IGNORE
        return chosen

    shape = (count, len(frames))
    colour = np.broadcast_to(np.array([COLOURS.index(o.colour) for o in scene.objects])[:, None], shape)
    form = np.broadcast_to(np.array([SHAPES.index(o.shape) for o in scene.objects])[:, None], shape)
    action = np.stack(
        [np.where(o.acting(frames), ACTIONS.index(o.action) if o.action else STILL, STILL) for o in scene.objects]
    )
    pose = scene.poses(frames)
    reach = pose[..., 2:3] * np.array(half_extent(scene.width, scene.height))
    middle = (np.stack(np.meshgrid(np.arange(GRID), np.arange(GRID)), axis=-1).reshape(CELLS, 2) + 0.5) / GRID
    place = np.concatenate([spread(pose[..., :2]) - middle, spread(reach)], axis=-1) * GRID
    step = np.zeros((*shape, 3))
    step[:, 1:, :2] = np.diff(pose[..., :2], axis=1) * GRID
    step[:, 1:, 2] = np.diff(np.log(pose[..., 2]), axis=1) * 4
    return CellTruth(
        classes(colour, len(COLOURS)), classes(form, len(SHAPES)), classes(action, NOTHING),
        place.astype(np.float32), spread(step).clip(-3, 3).astype(np.float32),
    )  # fmt: skip
