"""Frames into pixels and boxes into the model's view: equal to transformers' own processors, cell by cell."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from stvg_core.method.tracks import cell_coverage
from stvg_core.mllm.encoding import grid_for
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.pixels import PixelPreparation
from stvg_core.mllm.session import Session
from stvg_core.tube import Array, Frames
from tests.mllm.reference import patches_one_by_one
from tests.tiny_models import CLIP_LIKE, FAMILIES, save_llava_next_video, save_qwen

SIZES = [(40, 64), (65, 33), (21, 20), (120, 200)]
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def picture(height: int, width: int) -> Array:
    return np.random.default_rng(height).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(
    ("family", "processor"),
    [
        ("llava_onevision", SiglipImageProcessorPil(size={"height": 56, "width": 56}, resample=3, **HALF)),
        ("internvl", GotOcr2ImageProcessorPil(size={"height": 32, "width": 32}, resample=3, **CLIP_LIKE)),
    ],
)
def test_a_squashed_frame_equals_the_processor_of_transformers(
    family: str, processor: object, height: int, width: int, tmp_path: Path
) -> None:
    ours = PixelPreparation.from_checkpoint(FAMILIES[family](tmp_path / family))(picture(height, width)[None])
    theirs = processor(images=picture(height, width), return_tensors="pt", input_data_format="channels_last")  # type: ignore[operator]
    torch.testing.assert_close(ours, theirs["pixel_values"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("crop", [32, 40], ids=["cropped", "padded"])
def test_a_cropped_frame_equals_the_processor_of_transformers(height: int, width: int, crop: int) -> None:
    """Also where the crop is larger than the frame: black around it."""
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": crop, "width": crop}, resample=3, **CLIP_LIKE
    )
    mean, std = tuple(CLIP_LIKE["image_mean"]), tuple(CLIP_LIKE["image_std"])
    ours = PixelPreparation((crop, crop), 3, 1 / 255, mean, std, shortest_edge=32)(picture(height, width)[None])
    theirs = processor(images=picture(height, width), return_tensors="pt", input_data_format="channels_last")
    torch.testing.assert_close(ours, theirs["pixel_values"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("generation", ["2", "2.5", "3"])
def test_patches_equal_the_processor_of_transformers(generation: str, tmp_path: Path) -> None:
    """It shows a picture as two equal frames."""
    loaded = load(save_qwen(tmp_path / "qwen", generation=generation), device="cpu")
    processor = Qwen2VLImageProcessorPil(
        patch_size=4, merge_size=2, temporal_patch_size=2, size={"shortest_edge": 64, "longest_edge": 100_000}, **HALF
    )
    theirs = processor(images=picture(40, 64), return_tensors="pt", input_data_format="channels_last")
    ours = loaded.pixels(np.stack([picture(40, 64)] * 2), (40, 64))
    assert theirs["image_grid_thw"].tolist() == [[1, 10, 16]]
    torch.testing.assert_close(
        patches_one_by_one(ours, loaded.model.config.vision_config), theirs["pixel_values"], atol=1e-5, rtol=1e-5
    )


def test_the_checkpoints_fit_is_what_its_files_say(tmp_path: Path) -> None:
    folder = save_llava_next_video(tmp_path / "model")
    squash, as_given = (PixelPreparation.from_checkpoint(folder, fit=fit) for fit in ("squash", "checkpoint"))
    assert squash.size == as_given.size == (32, 32)
    assert (squash.shortest_edge, as_given.shortest_edge) == (None, 32)
    for family, make in FAMILIES.items():
        if family != "llava_next_video":
            plain = make(tmp_path / family)
            one, other = (PixelPreparation.from_checkpoint(plain, fit=fit) for fit in ("squash", "checkpoint"))
            assert one == other


def short_sighted(loaded: LoadedModel) -> LoadedModel:
    """With a vision tower whose patches do not look at each other, so that a cell knows its own pixels only."""
    model = copy.deepcopy(loaded.model)
    tower = model.model.visual if hasattr(model.model, "visual") else model.model.vision_tower
    silenced = 0
    for name, module in tower.named_modules():
        if name.endswith(("self_attn.out_proj", "attention.projection_layer", "attn.proj")):
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
            silenced += 1
    assert silenced == 2
    return replace(loaded, model=model)


@pytest.fixture(scope="module", params=[*((name, "squash") for name in FAMILIES), ("llava_next_video", "checkpoint")])
def sighted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    family, fit = request.param
    return short_sighted(load(FAMILIES[family](tmp_path_factory.mktemp("sighted") / "model"), device="cpu", fit=fit))


@pytest.mark.parametrize(("height", "width"), [(120, 200), (210, 90), (64, 64)], ids=["wide", "tall", "square"])
@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (0.4, 0.7), (0.62, 0.36), (0.3, 0.42)])
def test_a_bright_square_lights_its_own_cell(sighted: LoadedModel, height: int, width: int, x: float, y: float) -> None:
    """From frame to cell through resize, crop, patches, pooling or folding: where the boxes' maths says it lies."""
    dark = np.full((2, height, width, 3), 100, np.uint8)
    session = Session(sighted, _frames(dark))
    down, across = session.h, session.w
    # The square lies inside the cell that the middle of its own place belongs to, in the model's view.
    inner = session.view(np.array([x - 1e-3, y - 1e-3, x + 1e-3, y + 1e-3]))
    row, column = int((inner[1] + inner[3]) / 2 * down), int((inner[0] + inner[2]) / 2 * across)
    cell = np.array([column + 0.15, row + 0.15, column + 0.85, row + 0.85]) / [across, down, across, down]
    box = _out_of_view(session, cell)
    lit = dark.copy()
    x1, y1, x2, y2 = (box * [width, height, width, height]).round().astype(int)
    lit[:, y1:y2, x1:x2] = 255
    shown = Session(sighted, _frames(lit))
    for before, after in zip(
        (session.visual, *session._tokens.deepstack), (shown.visual, *shown._tokens.deepstack), strict=True
    ):
        change = (after - before).norm(dim=-1)
        assert change.argmax(dim=1).tolist() == [row * across + column] * len(change)
    assert int(cell_coverage(session.view(box), down, across).argmax()) == row * across + column


def _out_of_view(session: Session, cell: Array) -> Array:
    """The box of the frame that is seen at ``cell``: the view is a straight map, so two points tell it all."""
    low, high = (session.view(np.array([at - 1e-4, at - 1e-4, at + 1e-4, at + 1e-4])) for at in (0.45, 0.55))
    low, high = (low[:2] + low[2:]) / 2, (high[:2] + high[2:]) / 2
    scale = (high - low) / 0.1
    start = 0.45 - low / scale
    box: Array = np.tile(start, 2) + cell / np.tile(scale, 2)
    return box


def _frames(pixels: Array) -> Frames:
    return Frames(pixels, np.arange(len(pixels)), np.arange(len(pixels)) / 10.0)


def test_boxes_outside_of_the_crop_are_gone_and_others_clipped(tmp_path: Path) -> None:
    """A frame twice as wide as high: the middle half is seen."""
    loaded = load(save_llava_next_video(tmp_path / "model"), device="cpu", fit="checkpoint")
    session = Session(loaded, _frames(np.zeros((2, 50, 100, 3), np.uint8)))
    boxes = np.array([[0.0, 0.0, 0.2, 1.0], [0.0, 0.2, 0.5, 0.6], [0.3, 0.0, 0.7, 1.0], [np.nan] * 4])
    seen = session.view(boxes)
    assert np.isnan(seen[[0, 3]]).all()
    np.testing.assert_allclose(seen[1:3], [[0.0, 0.2, 0.5, 0.6], [0.1, 0.0, 0.9, 1.0]])
    squashed = load(tmp_path / "model", device="cpu")
    assert Session(squashed, _frames(np.zeros((2, 50, 100, 3), np.uint8))).view(boxes) is boxes


@pytest.mark.parametrize(("stride", "side"), [(2, 4), (3, 2), (8, 1)])
def test_pooling_that_leaves_patches_out_is_known_to_the_view(
    stride: int, side: int, tmp_path: Path, noise: Callable[..., Frames]
) -> None:
    """8 patches pooled by 3 are two cells and two patches at the right and lower border that nothing sees."""
    session = Session(load(save_llava_next_video(tmp_path / "model", stride=stride), device="cpu"), noise(2))
    assert session.shape == (2, side, side)
    covered = side * stride / 8
    np.testing.assert_allclose(session.view(np.array([0.25, 0.0, 0.5, 1.0])), [0.25 / covered, 0, 0.5 / covered, 1.0])


@pytest.mark.parametrize(
    ("rows", "columns", "grid"),
    [(10.0, 10.0, (10, 10)), (5.1, 7.6, (5, 8)), (40.0, 40.0, (14, 14)), (20.0, 80.0, (7, 28)), (0.3, 900.0, (1, 196))],
)
def test_grids_keep_the_shape_and_the_budget(rows: float, columns: float, grid: tuple[int, int]) -> None:
    assert grid_for(rows, columns, 196) == grid
