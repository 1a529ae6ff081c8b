"""A model's files are looked at without loading them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.doctor import checkpoints
from backend.doctor.installation import Installation
from stvg_core.demo import MODEL_DIR
from tests.doctor.conftest import found, one, settings
from tests.tiny_detectors import save_grounding_dino, save_sam2

Spoil = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL_DIR, tmp_path / "copy"))


def model(folder: Path | str) -> tuple[str, str]:
    return one(checkpoints.check_model, Installation(settings(model=str(folder))))


def test_the_embedded_model_is_whole() -> None:
    status, line = model(MODEL_DIR)
    assert status == "ok" and "llava-onevision-embedded@" in line


def _write(name: str, content: str) -> Spoil:
    return lambda folder: (folder / name).write_text(content)


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (_write("config.json", "{"), "not valid JSON"),
        (_write("config.json", '{"a": 1}'), "model_type"),
        (_write("config.json", '{"model_type": "gpt2"}'), "gpt2 model"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "pickled"),
        (_cut, "model.safetensors is not whole"),
        (_write("model.safetensors.index.json", json.dumps({"weight_map": {"a": "other.safetensors"}})), "other."),
        (_write("model.safetensors.index.json", "[]"), "cannot be read"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer"),
        (_write("stvg.json", "{"), "stvg.json"),
    ],
)
def test_what_a_model_folder_lacks(folder: Path, spoil: Spoil, said: str) -> None:
    spoil(folder)
    status, line = model(folder)
    assert status == "fail" and said in line


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
