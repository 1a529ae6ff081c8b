"""How much memory do the attention rows cost beside plain SDPA, at 3.9k visual tokens?

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.attention_memory --layers 1 2 3 --out memory.json

A language model of real 7B width (Qwen2.5-VL: 3584 wide, 28 heads, 4 key heads) with few layers and random weights is
asked the same batch of questions twice after 20 slots of 196 cells, with rows and without, and the peaks are compared.
What rows take is what one layer needs while they are computed, which does not depend on the depth, plus what is kept
per layer; so a line through several depths gives the 28 layers of the whole model. Nothing else is extrapolated.

SDPA's own peak can hide what a layer needs while its rows are computed (on a CPU it does, because grouped keys are
copied per head there). So the rows of one layer are also measured with SDPA taken out, and "at most" adds that to what
is kept by all layers, twice, because their mean is taken of a stack: a bound for any SDPA.

Scaled down are the depth, the vision tower (one thin layer), the vocabulary, and the prefill: its keys and values are
random numbers of the right shape. None of that is seen by the code that takes memory for rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.memory import peak_bytes
from benchmarks.report import machine, publish, row
from benchmarks.shapes import PARTS, QUERY, SLOTS, build, random_frames
from stvg_core.mllm import attention_rows as rows_module
from stvg_core.mllm.attention_rows import RowCapture, attention_with_rows, capturing
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Prefix, Session
from stvg_core.query import NEUTRAL_PROMPT
from stvg_core.tube import Frames

FAMILY = "qwen2_5_vl"
MEGABYTE = 1e6
QUESTIONS = {
    # The largest batch that a grounding asks with rows, and the single question of the later looks.
    "first look": [PARTS.spatial_question, PARTS.temporal_question, NEUTRAL_PROMPT],
    "later look": [QUERY],
}


@torch.no_grad()
def extra_bytes(loaded: LoadedModel, frames: Frames) -> dict[str, Any]:
    """Peak while asking, with rows and without, on one prefix."""
    session = Session(loaded, frames)
    text = loaded.model.config.get_text_config()
    cells = int(np.prod(session.shape))
    length = len(loaded.prompts.head) + cells
    width = text.hidden_size // text.num_attention_heads

    def state() -> torch.Tensor:
        shape = (1, text.num_key_value_heads, length, width)
        return torch.randn(shape, device=loaded.device, dtype=loaded.model.dtype)

    prefix = Prefix([(state(), state()) for _ in range(loaded.n_layers)], length, length)
    peaks: dict[str, Any] = {"visual_tokens": cells}
    for name, questions in QUESTIONS.items():
        plain = peak_bytes(lambda: session.ask(prefix, questions), loaded.device)  # noqa: B023
        rows = peak_bytes(lambda: session.ask(prefix, questions, rows=True), loaded.device)  # noqa: B023
        alone = alone_bytes(loaded, questions, cells)
        peaks[name] = {"sdpa": plain, "rows": rows, "extra": rows - plain, "one_layer_alone": alone}
    return peaks


@torch.no_grad()
def alone_bytes(loaded: LoadedModel, questions: list[str], cells: int) -> int:
    """Peak of one layer's rows with SDPA taken out, in the shapes of asking ``questions``."""
    text = loaded.model.config.get_text_config()
    width, count = text.hidden_size // text.num_attention_heads, len(questions)
    first = len(loaded.prompts.head)
    asked = max(len(loaded.prompts.suffix(question)) for question in questions)
    keys = first + cells + asked

    def tensor(heads: int, tokens: int) -> torch.Tensor:
        return torch.randn(count, heads, tokens, width, device=loaded.device, dtype=loaded.model.dtype)

    query, key = tensor(text.num_attention_heads, asked), tensor(text.num_key_value_heads, keys)
    mask = torch.ones(count, 1, asked, keys, dtype=torch.bool, device=loaded.device)
    watched = max(max(loaded.prompts.watched(question)) for question in questions)
    capture = RowCapture(watched, torch.arange(first, first + cells, device=loaded.device))
    layer = SimpleNamespace(layer_idx=0)
    no_sdpa = mock.patch.object(rows_module, "sdpa_attention_forward", lambda *args, **kwargs: (args[1], None))
    with no_sdpa, capturing(capture):
        return peak_bytes(lambda: attention_with_rows(layer, query, key, key, mask), loaded.device)


def whole_depth(depths: list[int], extra: list[int], alone: int, depth: int) -> dict[str, float]:
    """The line through the measured depths, read at ``depth``, and the bound; megabytes."""
    slope, intercept = np.polyfit(depths, extra, 1) if len(depths) > 1 else (0.0, extra[0])
    off = np.abs(np.polyval([slope, intercept], depths) - extra).max()
    return {
        "at_once": round(intercept / MEGABYTE, 2),
        "per_layer": round(slope / MEGABYTE, 3),
        "all_layers": round((intercept + slope * depth) / MEGABYTE, 1),
        "largest_distance_from_the_line": round(off / MEGABYTE, 3),
        "at_most": round((alone + 2 * slope * depth) / MEGABYTE, 1),
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tiny", action="store_true", help="a small shape, to try the script")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    frames = random_frames(FAMILY, tiny=args.tiny, slots=SLOTS)
    measured = {}
    for layers in sorted(args.layers):
        loaded = build(
            FAMILY, device=args.device, dtype=getattr(torch, args.dtype), tiny=args.tiny, layers=layers,
            vocabulary=1024, tower="one thin layer",
        )  # fmt: skip
        measured[layers] = extra_bytes(loaded, frames)
        del loaded
    full_depth = 28
    lines = {}
    for name in QUESTIONS:
        peaks = [at_depth[name] for at_depth in measured.values()]
        extra, alone = [peak["extra"] for peak in peaks], max(peak["one_layer_alone"] for peak in peaks)
        lines[name] = whole_depth(list(measured), extra, alone, full_depth)
    report = {"arguments": vars(args), "machine": machine(args.device), "bytes": measured, "megabytes": lines}
    tokens = next(iter(measured.values()))["visual_tokens"]
    rows = [
        row(
            name, len(QUESTIONS[name]), tokens, ", ".join(map(str, measured)), f"{line['per_layer']:.2f} MB",
            f"{line['all_layers']:.0f} MB", f"{line['at_most']:.0f} MB",
        )
        for name, line in lines.items()
    ]  # fmt: skip
    publish(report, rows, args.out)
    return report


if __name__ == "__main__":
    main()
