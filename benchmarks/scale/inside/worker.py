"""A worker with a fake engine, run on the modules of the checkout that is measured (PYTHONPATH).

    python worker.py --model-version V [--seconds 0.05] [--report FILE]

``--seconds``: how long each answer takes. ``--report``: a file that always holds how much was said to the database so
far: ``{"statements", "transactions", "at"}``, without BEGIN and COMMIT. Only names that every version has are used.
"""

import argparse
import json
import signal
import threading
import time
from pathlib import Path

from sqlalchemy import Engine, event

parser = argparse.ArgumentParser()
parser.add_argument("--model-version", required=True)
parser.add_argument("--seconds", type=float, default=0.05)
parser.add_argument("--report", type=Path)
args = parser.parse_args()
counts = {"statements": 0, "transactions": 0}


def count_statement(connection: object, cursor: object, statement: str, *_: object) -> None:
    counts["statements"] += not statement.startswith("BEGIN")


def count_transaction(connection: object) -> None:
    counts["transactions"] += 1


def write() -> None:
    part = args.report.with_suffix(".part")
    while True:
        part.write_text(json.dumps({**counts, "at": time.monotonic()}))
        part.replace(args.report)
        time.sleep(0.2)


if args.report is not None:
    event.listen(Engine, "before_cursor_execute", count_statement)
    event.listen(Engine, "begin", count_transaction)

from backend.bootstrap import open_worker  # noqa: E402 (after the listeners)
from backend.settings import load_settings  # noqa: E402
from backend.testing import FakeEngine  # noqa: E402

process = open_worker(load_settings(), engine=FakeEngine(args.model_version, seconds=args.seconds, n_frames=150))
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: process.stop())
if args.report is not None:
    threading.Thread(target=write, daemon=True).start()
process.run()
