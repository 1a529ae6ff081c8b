"""Pre-labelling against the model alone, two workers against one, sentences together, and memory over a long video.

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.prelabel --what overhead,workers --out prelabel.json

Clips are rendered, and the embedded model grounds them; for ``workers`` its time is slept. PostgreSQL
(``--database sqlite,postgresql``, for ``workers`` and ``overhead``) is the server that STVG_TEST_POSTGRES_URL names.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.prelabel import memory, overhead, sentences, tables, workers
from benchmarks.report import machine, publish
from benchmarks.scale.__main__ import names
from benchmarks.scale.places import place

WHAT = ("overhead", "workers", "sentences", "memory")


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    args = _parse(arguments)
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    load = [os.getloadavg()[0]]
    for what in args.what:
        for kind in args.database if what in ("overhead", "workers") else ["sqlite"]:
            with tempfile.TemporaryDirectory(prefix="stvg-prelabel-") as name:
                folder = Path(name)
                found.setdefault(what, {})[kind] = _measured(what, args, folder, kind)
    load.append(os.getloadavg()[0])
    publish({"arguments": vars(args), "machine": machine(), "load": load, **found}, tables.rows(found), args.out)
    return found


def _measured(what: str, args: argparse.Namespace, folder: Path, kind: str) -> dict[str, Any]:
    where, ahead = place(kind, folder / "databases"), args.ahead
    if what == "overhead":
        return overhead.measure(
            folder, where, count=args.clips, seconds=args.seconds, rounds=args.rounds, ahead=ahead
        )  # fmt: skip
    if what == "workers":
        return workers.measure(
            folder, where, jobs=args.jobs, slept=args.slept, numbers=args.workers, rounds=args.rounds, ahead=ahead
        )
    if what == "sentences":
        return sentences.measure(
            folder, where, count=args.sentences, seconds=args.seconds, rounds=args.rounds, ahead=ahead
        )
    return memory.measure(folder, where, minutes=args.minutes, seconds=args.seconds, ahead=ahead)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", type=names(*WHAT), default=list(WHAT))
    parser.add_argument("--database", type=names("sqlite", "postgresql"), default=["sqlite"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ahead", type=int, choices=[0, 1], default=1, help="STVG_AHEAD of the workers")
    parser.add_argument("--clips", type=int, default=10, help="of overhead")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the longest clips")
    parser.add_argument("--sentences", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=60, help="of workers")
    parser.add_argument("--slept", type=float, default=0.3, help="seconds for each job of workers")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 10, 60, 600], help="lengths for memory")
    parser.add_argument("--out", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
