"""The real tracker on tiny weights: the same as transformers' own way, in bounded memory, boxes where the masks are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Sam2VideoInferenceSession, Sam2VideoModel, Sam2VideoProcessor

from stvg_core.errors import ModelError
from stvg_core.proposals import sam2
from stvg_core.proposals.masks import mask_box
from stvg_core.proposals.sam2 import Sam2Tracker
from tests.proposals.painted import see_red_masks
from tests.tiny_detectors import SAM_SIDE, save_grounding_dino

NOISE = np.random.default_rng(0).integers(0, 255, (14, 48, 80, 3)).astype(np.uint8)
BOX = np.array([0.2, 0.25, 0.6, 0.75], np.float32)


def masks_of(monkeypatch: pytest.MonkeyPatch) -> dict[int, torch.Tensor]:
    """What the model answers, by position."""
    real, seen = Sam2VideoModel.forward, {}

    def forward(self: Any, session: Any, **inputs: Any) -> Any:
        output = real(self, session, **inputs)
        seen[output.frame_idx] = output.pred_masks[0, 0]
        return output

    monkeypatch.setattr(Sam2VideoModel, "forward", forward)
    return seen


def test_streaming_and_forgetting_change_nothing(tracker_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers' own way: the whole video in the session, nothing dropped, boxes through its processor."""
    tracker = Sam2Tracker(str(tracker_folder), device="cpu")
    model = Sam2VideoModel.from_pretrained(tracker_folder).eval()
    pixels = sam2.PixelPreparation.from_checkpoint(tracker_folder)(NOISE)
    session = Sam2VideoInferenceSession(video=pixels, video_height=48, video_width=80, dtype=torch.float32)
    processor = Sam2VideoProcessor.__new__(Sam2VideoProcessor)  # its constructor asks for torchvision
    processor.target_size, processor.point_pad_value = SAM_SIDE, -10
    processor.process_new_points_or_boxes_for_video_frame(
        session, 0, [1], input_boxes=[[(BOX * [80, 48, 80, 48]).tolist()]]
    )
    model(session, frame_idx=0)
    theirs = {out.frame_idx: out.pred_masks[0, 0] for out in model.propagate_in_video_iterator(session)}
    ours = masks_of(monkeypatch)
    boxes = tracker.follow(lambda positions: NOISE[positions], len(NOISE), {0: BOX})
    assert boxes.shape == (len(NOISE), 4)
    assert sorted(ours) == sorted(theirs) == list(range(len(NOISE)))
    for position, mask in ours.items():
        torch.testing.assert_close(mask, theirs[position])
    # A shorter memory than the model's would be noticed.
    remembered = dict(ours)
    monkeypatch.setattr(Sam2Tracker, "_memory", 1)
    tracker.follow(lambda positions: NOISE[positions], len(NOISE), {0: BOX})
    assert (ours[13] - remembered[13]).abs().max() > 1e-4


def test_it_is_followed_both_ways_and_every_picture_is_looked_at_once(
    tracker_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = see_red_masks(monkeypatch)
    read: list[list[int]] = []

    def give(positions: list[int]) -> np.ndarray:
        read.append(positions)
        return NOISE[positions]

    Sam2Tracker(str(tracker_folder), device="cpu").follow(give, len(NOISE), {9: BOX, 4: BOX})
    assert looks == [9, 4, 5, 6, 7, 8, 10, 11, 12, 13, 3, 2, 1, 0]
    assert sorted(position for batch in read for position in batch) == list(range(len(NOISE)))
    assert max(map(len, read)) <= 8  # pictures in memory at once


def test_memory_does_not_grow_with_the_interval(tracker_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, kept = Sam2Tracker._look, []

    def look(self: Sam2Tracker, session: Any, *arguments: Any, **named: Any) -> np.ndarray:
        box = real(self, session, *arguments, **named)
        (outputs,) = session.output_dict_per_obj.values()
        kept.append((len(session.processed_frames), *(len(part) for part in outputs.values())))
        return box

    monkeypatch.setattr(Sam2Tracker, "_look", look)
    Sam2Tracker(str(tracker_folder), device="cpu").follow(lambda p: NOISE[np.array(p) % 14], 40, {20: BOX, 30: BOX})
    assert len(kept) == 40
    pictures, prompted, tracked = np.array(kept).max(axis=0)
    assert (pictures, prompted) == (0, 2)
    assert tracked <= 5  # the model looks back four object pointers


def test_prompts_are_in_the_models_pixels(tracker_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    see_red_masks(monkeypatch)
    given: dict[int, torch.Tensor] = {}
    real = Sam2VideoInferenceSession.add_point_inputs

    def add(self: Any, number: int, position: int, inputs: dict[str, torch.Tensor]) -> None:
        given[position] = inputs["point_coords"]
        real(self, number, position, inputs)

    monkeypatch.setattr(Sam2VideoInferenceSession, "add_point_inputs", add)
    Sam2Tracker(str(tracker_folder), device="cpu").follow(lambda p: NOISE[p], 3, {1: BOX})
    expected = torch.tensor([[[[0.2, 0.25], [0.6, 0.75]]]]) * SAM_SIDE
    torch.testing.assert_close(given[1], expected)


@pytest.mark.parametrize(("size", "box"), [((96, 48), (24, 12, 60, 36)), ((48, 96), (12, 24, 36, 60))])
def test_boxes_are_where_the_masks_are(
    size: tuple[int, int], box: tuple[int, int, int, int], tracker_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    see_red_masks(monkeypatch, blind=(1,))
    pictures = np.full((3, size[1], size[0], 3), 120, np.uint8)
    x1, y1, x2, y2 = box
    pictures[:, y1:y2, x1:x2] = (230, 20, 20)
    boxes = Sam2Tracker(str(tracker_folder), device="cpu").follow(lambda p: pictures[p], 3, {0: BOX})
    for row in (0, 2):
        assert boxes[row] == pytest.approx(np.array(box) / np.array([*size, *size]), abs=0.03)
    assert np.isnan(boxes[1]).all()


def test_half_precision_runs(tracker_folder: Path) -> None:
    tracker = Sam2Tracker(str(tracker_folder), device="cpu")
    tracker._dtype = torch.bfloat16  # as on a GPU
    boxes = tracker.follow(lambda p: NOISE[p], 5, {2: BOX})
    assert boxes.shape == (5, 4) and tracker._network.dtype == torch.bfloat16


@pytest.mark.parametrize("size", [(1080, 1920), (16, 16), (9, 7)])  # large, as the mask, smaller than the mask
def test_an_object_of_one_cell_keeps_its_box(size: tuple[int, int]) -> None:
    logits = torch.full((16, 16), -4.0)
    logits[5, 9] = 4.0
    box = mask_box(logits, size)
    x1, y1, x2, y2 = box
    assert x1 < 9.5 / 16 < x2 and y1 < 5.5 / 16 < y2
    assert 0 < x2 - x1 <= 2 / 16 and 0 < y2 - y1 <= 2 / 16


def test_pieces_count_and_specks_do_not() -> None:
    logits = torch.full((64, 64), -1.0)
    logits[10:30, 10:14] = 1.0  # behind a pole
    logits[10:30, 18:24] = 1.0
    logits[60, 60] = 1.0  # a stray cell
    assert mask_box(logits, (64, 64)) == pytest.approx(np.array([10, 10, 24, 30]) / 64)
    assert np.isnan(mask_box(torch.full((64, 64), -1.0), (64, 64))).all()
    assert np.isnan(mask_box(torch.full((64, 64), float("nan")), (64, 64))).all()
    assert mask_box(torch.ones(4, 4), (100, 50)).tolist() == [0, 0, 1, 1]


def test_what_cannot_be_loaded_and_memory(
    tracker_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follow(folder: Path) -> None:
        Sam2Tracker(str(folder), device="cpu").follow(lambda p: NOISE[p], 2, {0: BOX})

    with pytest.raises(ModelError, match="is a grounding-dino model where a sam2_video model is needed"):
        follow(save_grounding_dino(tmp_path / "dino"))
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in tracker_folder.iterdir():
        if file.name != "video_preprocessor_config.json":
            (bare / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="frames cannot be prepared"):
        follow(bare)

    def full(*arguments: object, **named: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Sam2VideoModel, "get_image_features", full)
    with pytest.raises(torch.OutOfMemoryError):
        follow(tracker_folder)
