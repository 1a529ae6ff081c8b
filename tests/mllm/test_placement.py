"""Devices and precisions: what is to be had is used, what is not is said in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import accelerate
import pytest
import torch

from stvg_core.errors import ModelError
from stvg_core.mllm import placement
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.placement import Placement
from stvg_core.mllm.session import Session
from stvg_core.tube import Frames

QUESTIONS = ["Is there the red circle in this video?", "a star."]


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two GPUs, as far as torch says."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize(
    ("device", "precision", "said"),
    [("cuda", "auto", "finds no CUDA GPU"), ("tpu9", "auto", "no device 'tpu9'"), ("cpu", "8bit", "'8bit' is not"),
     ("cpu", "4bit", "needs a CUDA GPU"), ("auto", "4bit", "needs a CUDA GPU")],
)  # fmt: skip
def test_what_is_not_to_be_had(tiny_folder: Path, device: str, precision: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        load(tiny_folder, device=device, precision=precision)


@pytest.mark.usefixtures("with_gpu")
def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "is_bitsandbytes_available", lambda: False)
    with pytest.raises(ModelError, match=r"bitsandbytes is missing: pip install 'stvg\[gpu\]'"):
        Placement.of("cuda", "4bit")
    monkeypatch.setattr(placement, "is_bitsandbytes_available", lambda: True)
    monkeypatch.setattr(placement, "is_accelerate_available", lambda: False)
    for device, precision in (("cuda", "4bit"), ("auto", "bfloat16")):
        with pytest.raises(ModelError, match="accelerate is missing"):
            Placement.of(device, precision)


@pytest.mark.usefixtures("with_gpu")
def test_what_a_gpu_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Placement.of(None, "auto") == Placement("cuda", torch.bfloat16, False)
    assert Placement.of("cuda:1", "float16").dtype == torch.float16
    with pytest.raises(ModelError, match="2 GPUs"):
        Placement.of("cuda:2", "auto")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert Placement.of("auto", "auto") == Placement("auto", torch.float16, False)
    monkeypatch.setattr(placement, "is_bitsandbytes_available", lambda: True)
    arguments = Placement.of("cuda:1", "4bit").arguments()
    assert arguments["device_map"] == {"": "cuda:1"}
    quantised = arguments["quantization_config"]
    assert quantised.load_in_4bit and quantised.bnb_4bit_compute_dtype == torch.float16
    assert Placement.of("auto", "4bit").arguments()["device_map"] == "auto"


@pytest.mark.usefixtures("with_gpu")
@pytest.mark.parametrize(
    ("published", "supported", "taken"),
    [(torch.float16, True, torch.float16), (torch.bfloat16, True, torch.bfloat16), (None, True, torch.bfloat16),
     (torch.float32, True, torch.bfloat16), (torch.bfloat16, False, torch.float16)],
)  # fmt: skip
def test_auto_is_what_the_checkpoint_was_published_in(
    monkeypatch: pytest.MonkeyPatch, published: torch.dtype | None, supported: bool, taken: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert Placement.of("cuda", "auto").as_published(published).dtype == taken
    assert Placement.of("cpu", "auto").as_published(published).dtype == torch.float32


@pytest.mark.usefixtures("with_gpu")
@pytest.mark.parametrize(("precision", "taken"), [("auto", torch.float16), ("bfloat16", torch.bfloat16)])
@pytest.mark.parametrize("where", ["top", "text_config"])
def test_a_checkpoint_says_what_it_was_published_in(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, taken: torch.dtype, where: str
) -> None:
    """The weights go to a CPU here; what they would have been loaded as on a GPU is what counts."""
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    for part in (config, config["text_config"]):
        for name in ("dtype", "torch_dtype"):
            part.pop(name, None)
    (config if where == "top" else config["text_config"])["torch_dtype"] = "float16"
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(Placement, "moved", lambda self, network: network)
    assert load(folder, device="cuda", precision=precision).model.dtype == taken


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_lower_precision_answers_about_the_same(
    tiny_folder: Path, tiny: LoadedModel, noise: Callable[..., Frames], precision: str
) -> None:
    loaded = load(tiny_folder, device="cpu", precision=precision)
    assert loaded.model.dtype == getattr(torch, precision)
    assert not any(weight.requires_grad for weight in loaded.model.parameters()) and not loaded.model.training
    session, exact = Session(loaded, noise(4)), Session(tiny, noise(4))
    zero, prefix = session.origin(backwards=False, learnable=True)
    answer = session.ask(prefix, QUESTIONS, rows=True)
    (gradient,) = torch.autograd.grad(answer.yes_minus_no[0], zero)
    assert zero.dtype == gradient.dtype == answer.yes_minus_no.dtype == answer.rows[0].dtype == torch.float32
    expected = exact.ask(exact.prefill(), QUESTIONS, rows=True)
    assert gradient.isfinite().all()
    torch.testing.assert_close(answer.yes_minus_no, expected.yes_minus_no, atol=0.3, rtol=0)
    torch.testing.assert_close(answer.rows[0], expected.rows[0], atol=5e-3, rtol=0)


def test_a_model_placed_by_accelerate(
    family_folder: Path, any_family: LoadedModel, noise: Callable[..., Frames]
) -> None:
    loaded = load(family_folder, device="auto", precision="float32")
    assert loaded.device == any_family.device
    _same_answers(Session(loaded, noise(4)), Session(any_family, noise(4)))


def test_weights_that_come_and_go(
    family_folder: Path, any_family: LoadedModel, noise: Callable[..., Frames], tmp_path: Path
) -> None:
    """Weights that lie elsewhere and are fetched by hooks, as where the GPUs do not hold them all."""
    loaded = load(family_folder, device="cpu")
    inner = loaded.model.model
    parts = {f"model.{name}": "disk" for name, _ in inner.named_children() if name != "language_model"}
    parts |= {f"model.{name}": "disk" for name, _ in inner.named_parameters(recurse=False)}
    parts |= {f"model.language_model.{name}": "disk" for name, _ in inner.language_model.named_children()}
    parts["lm_head"] = "disk"
    accelerate.dispatch_model(loaded.model, parts, main_device="cpu", offload_dir=tmp_path, force_hooks=True)
    assert loaded.model.get_input_embeddings().weight.device.type == "meta"
    assert loaded.device == torch.device("cpu")
    _same_answers(Session(loaded, noise(4)), Session(any_family, noise(4)))


def _same_answers(one: Session, other: Session) -> None:
    answers = []
    for session in (one, other):
        zero, prefix = session.origin(backwards=True, learnable=True)
        answer = session.ask(prefix, QUESTIONS, rows=True)
        answers.append((answer, torch.autograd.grad(answer.yes_minus_no[0], zero)[0]))
    (found, gradient), (expected, exact) = answers
    assert all(torch.equal(row, right) for row, right in zip(found.rows, expected.rows, strict=True))
    assert torch.equal(gradient, exact) and torch.equal(found.yes_minus_no, expected.yes_minus_no)
