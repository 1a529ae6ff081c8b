"""Model files that are missing, broken or of an unknown kind: said when a process starts, not by the first job."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from backend.bootstrap import LoadedGrounder
from backend.doctor import checkpoints
from backend.doctor.finding import Finding, ok
from backend.doctor.installation import Installation
from backend.settings import Settings
from stvg_core.errors import ModelError
from stvg_core.mllm.loading import load
from stvg_core.settings import GroundingSettings
from tests.doctor.conftest import found, settings
from tests.faults.fault import fault
from tests.faults.without import nothing
from tests.tiny_detectors import save_grounding_dino, save_sam2
from tests.tiny_models import save_llava_onevision

FAULTS = (33,)

Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llava_onevision(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def write(name: str, content: str) -> Spoil:
    return lambda folder: (folder / name).write_text(content)


def cut(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return spoil


def gone(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


SPOILT: dict[str, Spoil] = {
    "an empty folder": empty,
    "no config": gone("config.json"),
    "half a config": cut("config.json"),
    "a config that is no object": write("config.json", "null"),
    "a config without a kind": write("config.json", '{"a": 1}'),
    "an unknown kind": write("config.json", '{"model_type": "gpt2"}'),
    "a kind that nobody knows": write("config.json", '{"model_type": "no_such_model"}'),
    "no weights": gone("model.safetensors"),
    "half of the weights": cut("model.safetensors"),
    "weights that are text": write("model.safetensors", "version https://git-lfs.github.com/spec/v1\n"),
    "pickled weights": pickled,
    "a part of the weights is missing": write(
        "model.safetensors.index.json", json.dumps({"weight_map": {"a": "other.safetensors"}})
    ),
    "no tokenizer": gone("tokenizer.json"),
    "half a tokenizer": cut("tokenizer.json"),
    "a tokenizer that is no object": write("tokenizer.json", "3"),
    "settings of the tokenizer that are no object": write("tokenizer_config.json", "[]"),
    "no chat template": gone("chat_template.jinja"),
    "an empty chat template": write("chat_template.jinja", "\n"),
    "a preset that cannot be read": write("stvg.json", "{"),
    "half of the frames' settings": cut("video_preprocessor_config.json"),
}


def said_of(folder: Path) -> list[tuple[str, str]]:
    """What ``stvg doctor`` finds."""
    entries = found(checkpoints.check_model, Installation(settings(model=str(folder))))
    return [(entry.status, entry.line()) for entry in entries]


def believed(about: str, *given: object, **more: object) -> Finding:
    return ok(about, "The model is here.")


@pytest.mark.parametrize("kind", SPOILT)
@fault(
    33,
    guard="backend.doctor.checkpoints.look",
    without=believed,
    also={
        "backend.doctor.checkpoints.present_model_version": lambda settings: "m@1/0",
        "backend.doctor.checkpoints.method_settings": lambda settings: GroundingSettings(),
    },
)
def test_stvg_doctor_says_what_a_model_lacks(folder: Path, kind: str) -> None:
    SPOILT[kind](folder)
    [(status, line)] = said_of(folder)
    assert status == "fail" and len(line) > 20


@fault(33, guard="backend.doctor.checkpoints._settings", without=lambda folder: "is broken.")
def test_a_whole_model_is_no_finding(folder: Path) -> None:
    [(status, _)] = said_of(folder)
    assert status == "ok"


UNREAD = (
    "an empty folder", "half a config", "a config that is no object", "a kind that nobody knows", "no weights",
    "half of the weights", "weights that are text", "pickled weights", "half a tokenizer",
    "a tokenizer that is no object", "settings of the tokenizer that are no object",
)  # fmt: skip
"""What libraries find out, each in its own way."""


def as_they_raise(model: str) -> AbstractContextManager[None]:
    return nullcontext()


@pytest.mark.parametrize("kind", UNREAD)
@fault(33, guard="stvg_core.mllm.loading.reading", without=as_they_raise, by=Exception)
def test_a_model_that_cannot_be_read_is_one_sentence(folder: Path, kind: str) -> None:
    SPOILT[kind](folder)
    with pytest.raises(ModelError) as caught:
        load(folder, device="cpu")
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def without_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights[next(name for name in weights if name.endswith("layers.1.self_attn.q_proj.weight"))]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def with_another_shape(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("layers.1.self_attn.q_proj.weight"))
    weights[name] = weights[name][:-8].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("spoil", [without_a_weight, with_another_shape])
@fault(
    33,
    guard="stvg_core.mllm.loading._check_complete",
    without=nothing,
    also={"stvg_core.mllm.loading.reading": as_they_raise},
    by=Exception,
)
def test_weights_that_are_missing_or_of_another_shape_are_not_made_up(folder: Path, spoil: Spoil) -> None:
    spoil(folder)
    with pytest.raises(ModelError, match=r"cannot be loaded"):
        load(folder, device="cpu")


@fault(33, guard="stvg_core.proposals.grounded_proposer.GroundedProposer.load", without=nothing)
@pytest.mark.parametrize("broken", ["detector", "tracker"])
def test_a_worker_loads_its_detector_and_tracker_before_the_first_job(whole: Path, tmp_path: Path, broken: str) -> None:
    folders = {"detector": save_grounding_dino(tmp_path / "dino"), "tracker": save_sam2(tmp_path / "sam")}
    cut("model.safetensors")(folders[broken])
    chosen: dict[str, Any] = {name: str(folder) for name, folder in folders.items()}
    given = Settings(
        model=str(whole), proposer="grounding_dino", device="cpu", data_dir=tmp_path, decode_seconds=0, **chosen
    )
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        LoadedGrounder(given)
    assert str(folders[broken]) in str(caught.value)
