"""Training in several processes of one thread each, on one machine."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from stvg_core.demo.recipe.plan import SEED, build_stages
from stvg_core.demo.recipe.runner import run_stages

# Large tensors come and go in every step: keep their memory instead of returning it to the system each time.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}


def train(work: Path, processes: int, until: str | None = None, port: int = 29571) -> None:
    """Run the plan to its end, or up to and including the stage ``until``; returns when every process has."""
    os.environ.update(ALLOCATOR)
    os.environ.update(OMP_NUM_THREADS="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    spawn(_process, (work, processes, until), nprocs=processes)  # type: ignore[no-untyped-call]


def _process(rank: int, work: Path, processes: int, until: str | None) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if processes > 1:
        dist.init_process_group("gloo", rank=rank, world_size=processes)
    run_stages(build_stages(until), work, SEED, rank)
    if dist.is_initialized():
        dist.destroy_process_group()
