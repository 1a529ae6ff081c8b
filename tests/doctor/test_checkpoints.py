"""A model's files are looked at without loading them (broken ones: ``tests/faults/test_models.py``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from backend.doctor import checkpoints
from backend.doctor.installation import Installation
from stvg_core.demo import MODEL_DIR
from tests.doctor.conftest import found, one, settings
from tests.tiny_detectors import save_grounding_dino, save_sam2


def model(folder: Path | str) -> tuple[str, str]:
    return one(checkpoints.check_model, Installation(settings(model=str(folder))))


def test_the_embedded_model_is_whole() -> None:
    status, line = model(MODEL_DIR)
    assert status == "ok" and "llava-onevision-embedded@" in line


def test_no_folder_and_no_hub_id() -> None:
    status, line = model("./nowhere")
    assert status == "fail" and "STVG_MODEL" in line


def test_a_hub_id_that_was_not_fetched() -> None:
    status, line = model("nobody-has/this-model@abc")
    assert status == "warn" and "hf download nobody-has/this-model --revision abc" in line


def test_the_proposer_needs_models_only_where_it_is_chosen(tmp_path: Path) -> None:
    assert one(checkpoints.check_proposer, Installation(settings(proposer="embedded")))[0] == "ok"
    detector, tracker = save_grounding_dino(tmp_path / "dino"), save_sam2(tmp_path / "sam")

    def look(**given: object) -> list[str]:
        return [entry.status for entry in found(checkpoints.check_proposer, Installation(settings(**given)))]

    chosen = {"proposer": "grounding_dino", "detector": str(detector), "tracker": str(tracker)}
    assert look(**chosen) == ["ok", "ok"]
    assert look(**chosen | {"tracker": str(detector)}) == ["ok", "fail"]
    assert look(**chosen | {"detector": str(tracker)}) == ["fail", "ok"]


def test_no_model_library_is_loaded() -> None:
    code = (
        "import sys; from backend.doctor import checks, checkpoints; from backend.doctor.installation import *\n"
        "from backend.settings import Settings\n"
        "[found] = checkpoints.check_model(Installation(Settings())); assert found.status == 'ok', found\n"
        "heavy = {'torch', 'transformers', 'cv2'} & set(sys.modules); assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
