"""What :mod:`benchmarks.gpu_7b` measures of the language model part by part: time, peak of the memory, what fits.

A part for which the memory does not suffice says so in its figures; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from benchmarks import batched_prefills
from benchmarks.memory import peak_bytes
from benchmarks.report import ratios, spread
from benchmarks.shapes import PARTS, QUERY, random_frames
from stvg_core.errors import ModelError
from stvg_core.method.look import look
from stvg_core.mllm import attention_rows, together
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.placement import Placement
from stvg_core.mllm.session import Session
from stvg_core.mllm.together import Together
from stvg_core.out_of_memory import is_short_of_memory
from stvg_core.query import NEUTRAL_PROMPT
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames

QUESTIONS = [PARTS.spatial_question, PARTS.temporal_question, NEUTRAL_PROMPT]


def timed(run: Callable[[], object], device: str) -> float:
    """Seconds; by CUDA events on a GPU, all work of the run included."""
    if torch.device(device).type != "cuda":
        began = time.perf_counter()
        run()
        return time.perf_counter() - began
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize(device)
    start.record()
    run()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3


def cost(run: Callable[[], object], device: str, repeats: int) -> dict[str, Any]:
    """Seconds after one run to warm up, and the peak above what was allocated before; or that it does not fit."""
    try:
        peak = peak_bytes(run, device)
        return {"seconds": spread(timed(run, device) for _ in range(repeats)), "peak_gb": peak / 1e9}
    except (RuntimeError, MemoryError) as error:
        if not is_short_of_memory(error):
            raise
    torch.cuda.empty_cache()
    return {"out_of_memory": True}


@contextmanager
def limited(device: str, gigabytes: float | None) -> Iterator[str]:
    """Inside the block, torch takes at most so many GB (of 10⁹ bytes) of a GPU, and says that there are no more.

    A card that is sold as one of 24 GB leaves 22 to 24 GiB, of which the driver takes about half of one: 24 * 10⁹ bytes
    are 22.4 GiB. Yields what was done, in words.
    """
    if gigabytes is None or torch.device(device).type != "cuda":
        yield "all of it" if gigabytes is None else "all of it: there is no GPU whose memory could be limited"
        return
    total = torch.cuda.get_device_properties(device).total_memory
    limit = int(gigabytes * 1e9)
    if limit > total:
        raise ModelError(f"{device} has {total / 1e9:.0f} GB, less than the {gigabytes:.0f} GB to be tried.")
    real = torch.cuda.mem_get_info

    def info(one: Any = None) -> tuple[int, int]:
        return max(0, min(real(one)[0], limit - torch.cuda.memory_reserved(one))), limit

    torch.cuda.set_per_process_memory_fraction(limit / total, device)
    torch.cuda.mem_get_info = info
    try:
        yield f"{gigabytes:.1f} GB of {total / 1e9:.1f}"
    finally:
        torch.cuda.mem_get_info = real
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def precision(device: str) -> dict[str, str]:
    """What ``precision auto`` takes here, by what a checkpoint was published in."""
    usual = Placement.of(device, "auto")
    published = (torch.bfloat16, torch.float16, torch.float32, None)
    return {str(one): str(usual.as_published(one).dtype) for one in published}


def prefills(loaded: LoadedModel, frames: Frames, device: str, repeats: int) -> dict[str, Any]:
    """One learnable prefill, the first look's questions on it and both gradients; as it is and recomputed; and a
    prefill without a gradient.
    """

    def learnable(session: Session) -> None:
        zero, prefix = session.origin(backwards=False, learnable=True)
        margin = session.ask(prefix, QUESTIONS).yes_minus_no
        for n in range(2):
            torch.autograd.grad(margin[n], zero, retain_graph=True)
        session.release()

    found: dict[str, Any] = {}
    for name, again in (("as it is", False), ("recomputed", True)):
        session = Session(replace(loaded, recompute=again), frames)
        found[name] = cost(lambda session=session: learnable(session), device, repeats)  # type: ignore[misc]
        session.release()
    session = Session(loaded, frames)
    return found | {"without a gradient": cost(lambda: session.prefill(), device, repeats)}


@contextmanager
def unfolded() -> Iterator[None]:
    """Grouped heads of questions with a mask are copied, as transformers does it, inside the block."""
    ours = attention_rows._grouped

    def copied(query: Any, key: Any, value: Any, mask: Any, scaling: Any) -> torch.Tensor:
        groups = query.shape[1] // key.shape[1]
        key, value = (one.repeat_interleave(groups, dim=1) for one in (key, value))
        seen = mask[..., : key.shape[2]]
        found = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=scaling)
        return found.transpose(1, 2).contiguous()

    attention_rows._grouped = copied
    try:
        yield
    finally:
        attention_rows._grouped = ours


def asking(loaded: LoadedModel, frames: Frames, device: str, repeats: int) -> dict[str, Any]:
    """The first look's questions with a graph, with groups of heads folded and copied; their answers' difference."""
    session = Session(loaded, frames)
    prefix = session.prefill(session.zero_v())

    def ask() -> torch.Tensor:
        # The prefill has no graph here: what the questions keep is seen alone.
        states = [(keys.detach().requires_grad_(True), values) for keys, values in prefix.keys_values]
        return session.ask(replace(prefix, keys_values=states), QUESTIONS).yes_minus_no

    folded = cost(ask, device, repeats)
    first = ask().detach()
    with unfolded():
        copied = cost(ask, device, repeats)
        other = ask().detach()
    return {"folded": folded, "copied": copied, "answers_differ_by": float((first - other).abs().max())}


def re_attention(loaded: LoadedModel, frames: Frames, settings: GroundingSettings, device: str, repeats: int) -> Any:
    """A whole look with and without LRA."""
    session = Session(loaded, frames)

    def run(steps: int) -> None:
        look(session, QUERY, PARTS, replace(settings, lra_steps=steps), keep=False)
        session.release()
        session.neutral.clear()

    return {name: cost(lambda steps=steps: run(steps), device, repeats) for name, steps in (("off", 0), ("on", 1))}  # type: ignore[misc]


def batches(
    loaded: LoadedModel, family: str, slots: list[int], sentences: int, device: str, repeats: int, *, tiny: bool
) -> list[dict[str, Any]]:
    """Prefills as a batch, whole looks in groups with batches, and groups without: each against one by one, at the
    tokens of so many slots; and how many prefills the product would batch. Tells where the limit of
    :mod:`stvg_core.mllm.together` should lie.
    """
    kind, found = torch.device(device).type, []
    usual = together.FULL[kind]
    loaded = replace(loaded, together=Together())
    for count in slots:
        session = Session(loaded, random_frames(family, tiny=tiny, slots=count))
        tokens, by_rule = session.prefill().length, session.at_once()
        for way in batched_prefills.WAYS:
            together.FULL[kind] = 1 if way == "shared" else 10**9
            try:
                figures = _in_turn(session, way, sentences, device, repeats)
            except (RuntimeError, MemoryError) as error:
                if not is_short_of_memory(error):
                    raise
                figures = {"out_of_memory": True}
            finally:
                together.FULL[kind] = usual
                session.release()
            found.append({"tokens": tokens, "way": way, "sentences": sentences, "batch_by_rule": by_rule, **figures})
    return found


def _in_turn(session: Session, way: str, sentences: int, device: str, repeats: int) -> dict[str, Any]:
    alone, both = batched_prefills.pair(session, way, sentences)
    apart = max(float((one - other).abs().max()) for one, other in zip(alone(), both(), strict=True))
    taken = [(timed(alone, device), timed(both, device)) for _ in range(repeats)]
    return {
        "alone_over_together": ratios([one for one, _ in taken], [other for _, other in taken]),
        "seen_differs_by": apart,
    }
