"""What every benchmark leaves behind: figures as JSON with the machine they are from, and rows for a Markdown table."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers


def machine(device: str | torch.device = "cpu") -> dict[str, Any]:
    """Date, processor, threads, GPU and versions: what a figure is worthless without."""
    facts: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    if torch.device(device).type == "cuda":
        facts |= {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return facts


def processor() -> str:
    """The processor's name as the kernel gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def spread(values: Iterable[float], digits: int = 4) -> dict[str, float]:
    """Median, smallest and largest."""
    array = np.asarray(list(values), dtype=np.float64)
    measures = {"median": np.median(array), "low": array.min(), "high": array.max()}
    return {name: round(float(value), digits) for name, value in measures.items()}


def ratios(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """Pairs of times that were taken one after the other, as :func:`spread` of slow / fast."""
    return spread((s / f for s, f in zip(slow, fast, strict=True)), 2)


def between(measured: dict[str, float], digits: int = 2) -> str:
    """``3.70 (3.60 to 3.81)``."""
    median, low, high = (f"{measured[name]:.{digits}f}" for name in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def row(*cells: object) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def publish(report: dict[str, Any], rows: Sequence[str], out: Path | None) -> None:
    """Print the figures and the rows; write the figures to ``out`` if there is one."""
    text = json.dumps(report, default=str, indent=1)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    print(text, *rows, sep="\n")  # noqa: T201
