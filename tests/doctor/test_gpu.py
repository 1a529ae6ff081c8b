"""Which GPU is there and what is wanted of it; the GPUs are made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from backend.doctor import gpu
from backend.doctor.gpu import Gpu
from backend.doctor.installation import Installation
from stvg_core.demo import MODEL_DIR
from stvg_core.mllm.checkpoints import CHECKPOINTS
from stvg_core.settings import GroundingSettings
from tests.doctor.conftest import one, settings

SMALL, LARGE = Gpu("small", int(4e9), int(8e9)), Gpu("large", int(140e9), int(141e9))
BIG = max(CHECKPOINTS, key=lambda checkpoint: checkpoint.parameters).hub_id
EMBEDDED = str(MODEL_DIR)


@pytest.mark.parametrize(
    ("gpus", "device", "model", "precision", "status", "said"),
    [
        ([], None, EMBEDDED, "auto", "ok", "no GPU; the embedded model"),
        ([], "cpu", BIG, "auto", "warn", "minutes"),
        ([LARGE], "cpu", BIG, "auto", "warn", "STVG_DEVICE is cpu"),
        ([], "cuda", EMBEDDED, "auto", "fail", "torch sees no GPU"),
        ([], "auto", EMBEDDED, "auto", "fail", "torch sees no GPU"),
        ([], None, BIG, "4bit", "fail", "STVG_PRECISION"),
        ([LARGE], None, BIG, "auto", "ok", "large (140 of 141 GB free)"),
        ([SMALL], None, BIG, "auto", "warn", "4bit"),
        ([SMALL, LARGE], "cuda:1", BIG, "auto", "ok", "large"),
        ([SMALL, LARGE], "cuda:2", BIG, "auto", "fail", "2 GPUs"),
        ([SMALL], "cuda:x", BIG, "auto", "fail", "one GPU, cuda:0"),
        ([SMALL, LARGE], "auto", BIG, "auto", "ok", "small"),
    ],
)
def test_what_is_there_and_what_is_set(
    gpus: Sequence[Gpu], device: str | None, model: str, precision: str, status: str, said: str
) -> None:
    method = replace(GroundingSettings(), precision=precision)  # type: ignore[arg-type]
    found = gpu.judge(gpus, device, model, method)
    assert found.status == status and said in found.line() and (status == "ok") == (not found.mend)


def test_torch_is_asked() -> None:
    assert one(gpu.check, Installation(settings()))[0] in ("ok", "warn")


def test_a_torch_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Gpu]:
        raise ImportError("libcuda.so.1 is missing")

    monkeypatch.setattr(gpu, "seen", broken)
    status, line = one(gpu.check, Installation(settings()))
    assert status == "fail" and "libcuda" in line
