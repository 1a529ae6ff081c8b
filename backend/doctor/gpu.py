"""Is there the GPU that the settings want, and does the model fit? The only check that loads torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.bootstrap import method_settings
from backend.doctor.finding import Finding, fail, ok, warn
from backend.doctor.installation import Installation
from stvg_core.demo import MODEL_DIR
from stvg_core.errors import ModelError
from stvg_core.mllm.checkpoints import CHECKPOINTS
from stvg_core.settings import GroundingSettings

ABOUT = "gpu"


@dataclass(frozen=True)
class Gpu:
    """A GPU that torch sees; memory in bytes."""

    name: str
    free: int
    total: int


def check(installation: Installation) -> Iterator[Finding]:
    """Is there a GPU, and does the model fit?"""
    settings = installation.settings
    try:
        method = method_settings(settings)
    except ModelError:
        return  # the check of the model says it
    try:
        gpus = seen()
    except ImportError as error:
        yield fail(ABOUT, f"torch cannot be loaded: {error}.", "Install the package again: pip install stvg")
        return
    if method.locator_model and method.proposer == "embedded":
        yield ok(ABOUT, "No GPU is needed: no model runs on this machine.")
        return
    yield judge(gpus, settings.device, settings.model, method)


def seen() -> list[Gpu]:
    """The GPUs of this machine, in torch's order."""
    import torch

    found = []
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(number)
        found.append(Gpu(torch.cuda.get_device_name(number), free, total))
    return found


def judge(gpus: Sequence[Gpu], device: str | None, model: str, method: GroundingSettings) -> Finding:
    """Does what is there fit what is set?"""
    wanted = device is not None and device != "cpu"
    if not gpus and wanted:
        mend = "Install a torch for its driver, or unset STVG_DEVICE to work on the processor."
        return fail(ABOUT, f"STVG_DEVICE is {device}, and torch sees no GPU.", mend)
    if method.precision == "4bit" and (not gpus or device == "cpu"):
        return fail(ABOUT, "4-bit weights need a GPU, and none is used.", "Choose another STVG_PRECISION.")
    embedded = model == str(MODEL_DIR)
    if not gpus or device == "cpu":
        there = "STVG_DEVICE is cpu" if gpus else "There is no GPU"
        if embedded:
            return ok(ABOUT, f"{there}; the embedded model works on the processor.")
        return warn(ABOUT, f"{there}: a video takes minutes.", "Run the worker where torch sees a GPU.")
    number = 0
    if device is not None and device.startswith("cuda:"):
        text = device.partition(":")[2]
        number = int(text) if text.isdecimal() else len(gpus)
    if number >= len(gpus):
        there = "one GPU, cuda:0" if len(gpus) == 1 else f"{len(gpus)} GPUs, from cuda:0 on"
        return fail(ABOUT, f"STVG_DEVICE is {device}, and there is {there}.", "Set STVG_DEVICE to one of them.")
    used = list(gpus) if device == "auto" else [gpus[number]]
    names = ", ".join(f"{gpu.name} ({gpu.free / 1e9:.0f} of {gpu.total / 1e9:.0f} GB free)" for gpu in used)
    need = _need(model, method)
    if need is not None and need > sum(gpu.free for gpu in used):
        mend = "Choose STVG_PRECISION=4bit, a smaller model, or STVG_DEVICE=auto with more GPUs; or free the memory."
        return warn(ABOUT, f"{names}; {model} needs about {need / 1e9:.0f} GB.", mend)
    return ok(ABOUT, f"{names}.")


def _need(model: str, method: GroundingSettings) -> float | None:
    """Bytes of memory at least, calculated; None of a checkpoint that is not in the table."""
    name = model.partition("@")[0]
    for checkpoint in CHECKPOINTS:
        if checkpoint.hub_id == name:
            return checkpoint.memory(four_bit=method.precision == "4bit", slots=method.n_slots, recompute=True)
    return None
