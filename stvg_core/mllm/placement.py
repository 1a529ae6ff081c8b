"""Where do the weights go, and in which numbers? Answers before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import transformers
from transformers.utils import is_accelerate_available, is_bitsandbytes_available

from stvg_core.errors import ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# The vision tower is a small share of the weights, and the head decides between two words: both keep their precision.
NOT_QUANTISED = ("vision_tower", "visual", "multi_modal_projector", "lm_head")


@dataclass(frozen=True)
class Placement:
    """A device and a precision that are to be had on this machine.

    Attributes:
        device: "cpu", "cuda", "cuda:1", ..., or "auto" for all GPUs.
        dtype: of the weights, and of the computation where they are quantised.
        four_bit: quantise the language model's weights to 4 bits.
    """

    device: str
    dtype: torch.dtype
    four_bit: bool

    @classmethod
    def of(cls, device: str | None, precision: str) -> Placement:
        """Check what was asked for.

        Raises:
            ModelError: no such device or precision here, or a package is missing.
        """
        gpu = torch.cuda.is_available()
        device = device or ("cuda" if gpu else "cpu")
        if device == "auto":
            _require(is_accelerate_available(), "accelerate", "Device auto spreads a model over several GPUs")
        else:
            _check_device(device, gpu)
        on_gpu = gpu if device == "auto" else torch.device(device).type == "cuda"
        if precision == "4bit":
            if not on_gpu:
                raise ModelError("Precision 4bit needs a CUDA GPU; take float32, or bfloat16, on a CPU.")
            _require(is_bitsandbytes_available(), "bitsandbytes", "Precision 4bit quantises the weights while loading")
            _require(is_accelerate_available(), "accelerate", "Precision 4bit quantises the weights while loading")
        elif precision not in (*DTYPES, "auto"):
            known = ", ".join([*DTYPES, "4bit", "auto"])
            raise ModelError(f"Precision {precision!r} is not known. Take one of {known}.")
        return cls(device, DTYPES.get(precision) or _default(on_gpu), precision == "4bit")

    def as_published(self, published: torch.dtype | None) -> Placement:
        """With the half precision that a checkpoint was published in, where it has one and the device knows it.

        A model that was trained in bfloat16 can overflow in float16, and one of float16 loses three bits in bfloat16.
        Float32 stays: a CPU has no use for the others.
        """
        if self.dtype == torch.float32 or published not in (torch.bfloat16, torch.float16):
            return self
        if published == torch.bfloat16 and not torch.cuda.is_bf16_supported():
            return self
        return replace(self, dtype=published)

    def arguments(self) -> dict[str, Any]:
        """What ``from_pretrained`` is to be given."""
        if self.four_bit:
            quantised = transformers.BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=self.dtype, llm_int8_skip_modules=list(NOT_QUANTISED),
            )  # fmt: skip
            where = "auto" if self.device == "auto" else {"": self.device}
            return {"dtype": self.dtype, "quantization_config": quantised, "device_map": where}
        return {"dtype": self.dtype} | ({"device_map": "auto"} if self.device == "auto" else {})

    def moved(self, network: Any) -> Any:
        """The loaded network on its device; one that was loaded onto its devices stays there."""
        return network if self.four_bit or self.device == "auto" else network.to(self.device)


def _default(on_gpu: bool) -> torch.dtype:
    if not on_gpu:
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _check_device(device: str, gpu: bool) -> None:
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"There is no device {device!r}. Take cpu, cuda, cuda:0, or auto.") from error
    if wanted.type == "cuda" and not gpu:
        raise ModelError(
            f"Device {device} was asked for, but torch {torch.__version__} finds no CUDA GPU; take device cpu, or "
            "install a torch that knows the GPU."
        )
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise ModelError(f"There is no {device}: this machine has {torch.cuda.device_count()} GPUs, from cuda:0 on.")


def _require(there: bool, package: str, why: str) -> None:
    if not there:
        raise ModelError(f"{why}, and for that {package} is missing: pip install 'stvg[gpu]', or {package} alone.")
