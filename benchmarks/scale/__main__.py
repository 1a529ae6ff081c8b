"""Measure a checkout at a size, beside an older one where ``--code`` names it.

    .venv/bin/python -m benchmarks.scale --database sqlite,postgresql --tasks 100000 \
        --what predict,webhooks,events,pages,export,reconcile,effort,idle --code ../old-checkout --out scale.json

The databases are filled once and kept in ``--cache`` (SQLite) or, with ``--keep``, on the server that
STVG_TEST_POSTGRES_URL names. PostgreSQL's are dropped at the end otherwise.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.report import machine, publish
from benchmarks.scale import commands, idle, pages, predicting, reading, tables, webhooks
from benchmarks.scale.fill import name_of
from benchmarks.scale.places import Place, place
from benchmarks.scale.programs import ROOT, Code
from benchmarks.scale.target import Prepared, Target, prepare

MEASURES: dict[str, dict[str, Callable[[Target], dict[str, Any]]]] = {
    "predict": {"predict": predicting.single, "predict together": predicting.together},
    "webhooks": {
        "webhooks": webhooks.alone,
        "webhooks beside a worker": webhooks.beside_a_worker,
        "more webhooks beside a worker": partial(webhooks.beside_a_worker, rate=webhooks.MORE),
    },
    "events": {"events": reading.measure},
    "pages": {"pages": pages.measure},
    "export": {"export": commands.export},
    "reconcile": {"reconcile": commands.reconcile},
    "effort": {"effort": commands.effort},
    "idle": {"idle": idle.measure},
}


def measure(prepared: list[Prepared], args: argparse.Namespace) -> list[dict[str, Any]]:
    """Every measurement with every code in turn, each on a copy of its own."""
    found = []
    for what in args.what:
        for name, run in MEASURES[what].items():
            for nth in range(args.rounds):
                for one in prepared if nth % 2 == 0 else prepared[::-1]:
                    found.append(_once(one, name, run, args))
    return found


def _once(
    one: Prepared, name: str, run: Callable[[Target], dict[str, Any]], args: argparse.Namespace
) -> dict[str, Any]:
    entry: dict[str, Any] = {"what": name, **_about(one)}
    with tempfile.TemporaryDirectory(prefix="stvg-scale-") as folder:
        options = {"seconds": args.seconds, "limit": args.limit, "requests": args.requests}
        with one.fresh(Path(folder), **options) as target:
            try:
                entry["figures"] = run(target)
            except Exception as error:  # one failure must not cost the other figures
                entry["failed"] = f"{type(error).__name__}: {error}"
    _say(f"{entry['database']} {one.tasks} {one.code.name} {name}: {entry.get('figures') or entry['failed']}")
    return entry


def _about(one: Prepared) -> dict[str, Any]:
    return {"code": one.code.name, "database": one.place.kind, "tasks": one.tasks}


def _prepared(codes: list[Code], where: Place, tasks: int) -> tuple[list[Prepared], list[dict[str, Any]]]:
    ready, figures = [], []
    for code in codes:
        one, filling = prepare(code, where, tasks)
        ready.append(one)
        size = {"database_mb": round(where.size(one.database) / 1e6, 1), "filling_s": round(filling, 1)}
        figures.append({"what": "upgrade", **_about(one), "figures": one.upgrade.figures() | size})
        _say(f"{where.kind} {tasks} {code.name}: filled in {filling:.1f} s, upgraded: {one.upgrade.figures()}")
    return ready, figures


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    args = _parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that databases and processes are cleared away
    codes = [Code("new", ROOT)] if args.only != "old" else []
    codes += [Code("old", args.code.resolve())] if args.code else []
    report: dict[str, Any] = {"arguments": vars(args), "machine": machine(), "measured": []}
    for kind in args.database:
        where = place(kind, args.cache)
        for tasks in args.tasks:
            ready, figures = _prepared(codes, where, tasks)
            try:
                report["measured"] += figures + measure(ready, args)
            finally:
                for one in ready:
                    one.drop()
                    if kind == "postgresql" and not args.keep:
                        where.drop(name_of(tasks, one.model_version))
            if args.out is not None:  # what is known so far, should the next size not end
                args.out.write_text(json.dumps(report, default=str, indent=1), encoding="utf-8")
    publish(report, tables.rows(report["measured"]), args.out)
    return report


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", type=names("sqlite", "postgresql"), default=["sqlite"])
    parser.add_argument("--tasks", type=lambda text: [int(part) for part in text.split(",")], default=[10_000])
    parser.add_argument("--what", type=names(*MEASURES), default=list(MEASURES))
    parser.add_argument("--code", type=Path, help="an older checkout to measure beside this one")
    parser.add_argument("--only", choices=["old"], help="leave this checkout out")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="of sending webhooks, and of watching an idle worker"
    )
    parser.add_argument("--requests", type=int, default=500, help="single /predict requests")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which a command is stopped")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "stvg-scale")
    parser.add_argument("--keep", action="store_true", help="keep the filled PostgreSQL databases")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    if args.only and not args.code:
        parser.error("--only old needs --code")
    return args


def names(*known: str) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        parts = text.split(",")
        wrong = [part for part in parts if part not in known]
        if wrong:
            raise argparse.ArgumentTypeError(f"{', '.join(wrong)}: choose from {', '.join(known)}")
        return parts

    return read


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    main()
