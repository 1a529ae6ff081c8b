"""Stores webhooks and reads them, run on the modules of the checkout that is measured (PYTHONPATH).

    python reader.py --bodies FILE --report FILE

``--bodies``: one webhook in each line. ``--report``: written at the end: ``{"read", "reading", "comparing"}`` with
``{"cpu_s", "statements"}`` of turning the events into annotations, and of comparing the people who annotated the same
task. Nothing runs beside it, and CPU seconds are counted, so that a busy machine says the same. Only names that every
version has are used.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, event

parser = argparse.ArgumentParser()
parser.add_argument("--bodies", type=Path, required=True)
parser.add_argument("--report", type=Path, required=True)
args = parser.parse_args()
counts = {"statements": 0}


def count_statement(connection: object, cursor: object, statement: str, *_: object) -> None:
    counts["statements"] += not statement.startswith("BEGIN")


event.listen(Engine, "before_cursor_execute", count_statement)

from backend.db import events  # noqa: E402 (after the listener)
from backend.db.engine import Database  # noqa: E402
from backend.jobs.corrections import read_events  # noqa: E402
from backend.review import disagreement  # noqa: E402


def figures(work: Callable[[], int]) -> tuple[int, dict[str, float]]:
    """What the work says, its CPU seconds and statements."""
    before, began = counts["statements"], time.process_time()
    found = work()
    return found, {"cpu_s": time.process_time() - began, "statements": counts["statements"] - before}


database = Database(os.environ["STVG_DATABASE_URL"])
with database.write() as session:
    for body in args.bodies.read_bytes().splitlines():
        events.store(session, body, action="ANNOTATION_CREATED", project_id=1)
read, reading = figures(lambda: read_events(database))
_, comparing = figures(lambda: disagreement.record_due(database))
database.close()
part = args.report.with_suffix(".part")
part.write_text(json.dumps({"read": read, "reading": reading, "comparing": comparing}))
part.replace(args.report)
time.sleep(3600.0)  # until it is stopped
