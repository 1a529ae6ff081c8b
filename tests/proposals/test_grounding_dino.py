"""The real detector on tiny weights: shapes, thresholds, where a box lands, and how it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GroundingDinoForObjectDetection

from stvg_core.errors import ModelError
from stvg_core.proposals.grounding_dino import GroundingDino
from tests.proposals.painted import see_red_boxes
from tests.tiny_detectors import save_sam2


def pictures(count: int, size: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    out = np.full((count, size[1], size[0], 3), 120, np.uint8)
    x1, y1, x2, y2 = box
    out[:, y1:y2, x1:x2] = (230, 20, 20)
    return out


def test_random_weights_give_boxes_inside_the_picture(detector_folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (5, 60, 100, 3)).astype(np.uint8)
    found = GroundingDino(str(detector_folder), device="cpu", box_threshold=0.2, text_threshold=0.2).detect(
        noise, "man"
    )
    assert len(found) == 5
    assert sum(len(scores) for _, scores in found) > 0
    for boxes, scores in found:
        assert boxes.shape == (len(scores), 4) and boxes.dtype == np.float32
        assert ((boxes >= 0) & (boxes <= 1)).all() and (boxes[:, 2:] > boxes[:, :2]).all()
        assert (scores > 0.2).all()


@pytest.mark.parametrize(("threshold", "count"), [(0.79, 1), (0.81, 0)])
@pytest.mark.parametrize("which", ["box_threshold", "text_threshold"])
def test_both_thresholds_hold(
    which: str, threshold: float, count: int, detector_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    see_red_boxes(monkeypatch, score=0.8)
    detector = GroundingDino(str(detector_folder), device="cpu", **{which: threshold})
    ((_, scores),) = detector.detect(pictures(1, (90, 60), (30, 20, 60, 40)), "man")
    assert len(scores) == count


@pytest.mark.parametrize(("size", "box"), [((120, 80), (12, 40, 36, 72)), ((80, 120), (40, 12, 72, 36))])
def test_a_box_lands_where_the_object_is(
    size: tuple[int, int], box: tuple[int, int, int, int], detector_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    see_red_boxes(monkeypatch)
    found = GroundingDino(str(detector_folder), device="cpu").detect(pictures(2, size, box), "man")
    for boxes, scores in found:
        assert scores == pytest.approx([0.8], abs=1e-5)
        assert boxes[0] == pytest.approx(np.array(box) / np.array([*size, *size]), abs=0.03)


def test_a_separator_above_the_threshold_is_no_word(detector_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = GroundingDinoForObjectDetection.forward

    def forward(self: GroundingDinoForObjectDetection, **inputs: torch.Tensor) -> object:
        output = real(self, **inputs)
        output.logits = torch.full_like(output.logits, -20.0)
        output.logits[:, 0, 2] = 3.0  # [CLS] man . [SEP]: the full stop
        return output

    monkeypatch.setattr(GroundingDinoForObjectDetection, "forward", forward)
    ((boxes, scores),) = GroundingDino(str(detector_folder), device="cpu").detect(
        np.zeros((1, 40, 40, 3), np.uint8), "man"
    )
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_an_endless_phrase_is_cut_to_what_the_model_reads(detector_folder: Path) -> None:
    detector = GroundingDino(str(detector_folder), device="cpu")
    assert len(detector.detect(np.zeros((1, 40, 40, 3), np.uint8), "man " * 300)) == 1


def test_what_cannot_be_loaded_is_said_in_a_sentence(detector_folder: Path, tmp_path: Path) -> None:
    picture = np.zeros((1, 40, 40, 3), np.uint8)
    with pytest.raises(ModelError, match="is a sam2_video model where a grounding-dino model is needed"):
        GroundingDino(str(save_sam2(tmp_path / "sam")), device="cpu").detect(picture, "man")
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in detector_folder.iterdir():
        if file.suffix != ".safetensors":
            (bare / file.name).write_bytes(file.read_bytes())
    torch.save(
        GroundingDinoForObjectDetection.from_pretrained(detector_folder).state_dict(), bare / "pytorch_model.bin"
    )
    with pytest.raises(ModelError, match="cannot be loaded"):  # pickled weights are never unpickled
        GroundingDino(str(bare), device="cpu").detect(picture, "man")
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in detector_folder.iterdir():
        (broken / file.name).write_bytes(
            file.read_bytes()[:5000] if file.suffix == ".safetensors" else file.read_bytes()
        )
    with pytest.raises(ModelError, match="cannot be loaded"):
        GroundingDino(str(broken), device="cpu").detect(picture, "man")


def test_out_of_memory_is_left_to_the_caller(detector_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, **inputs: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    picture = np.zeros((1, 40, 40, 3), np.uint8)
    detector = GroundingDino(str(detector_folder), device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(GroundingDinoForObjectDetection, "forward", full)
        with pytest.raises(torch.OutOfMemoryError):
            detector.detect(picture, "man")
    with monkeypatch.context() as patch:
        patch.setattr(GroundingDinoForObjectDetection, "to", lambda self, device: full(self))
        with pytest.raises(torch.OutOfMemoryError):
            GroundingDino(str(detector_folder), device="cpu").detect(picture, "man")
