"""What does a worker ask of the database while there is nothing to do?"""

from __future__ import annotations

import json
import time
from typing import Any

from benchmarks.scale.label_studio import TOKEN, label_studio
from benchmarks.scale.target import Target

_SETTLE_S = 5.0
_PATIENCE_S = 60.0


def measure(target: Target) -> dict[str, Any]:
    """Statements and transactions per second, and connections, after the start is over.

    Label Studio is set, so that all chores run, but is not compared with: that is measured by itself.
    """
    report = target.folder / "idle.json"
    report.unlink(missing_ok=True)
    with label_studio(target.tasks, target.model_version) as served:
        code = target.code.with_env(
            STVG_LABEL_STUDIO_URL=served.url, STVG_LABEL_STUDIO_TOKEN=TOKEN, STVG_RECONCILE_SECONDS="0"
        )
        arguments = ("--model-version", target.model_version, "--report", str(report))
        with code.inside("worker.py", *arguments) as worker:
            deadline = time.monotonic() + _PATIENCE_S
            while not report.exists() and worker.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(min(_SETTLE_S, target.seconds))
            first, server = json.loads(report.read_text()), _server(target)
            time.sleep(target.seconds)
            last, after = json.loads(report.read_text()), _server(target)
    seconds = last["at"] - first["at"]
    found: dict[str, Any] = {"statements_at_the_start": first["statements"]}
    for name in ("statements", "transactions"):
        found[f"{name}_per_s"] = round((last[name] - first[name]) / seconds, 2)
    if server:
        transactions = after["transactions"] - server["transactions"] - 1  # our own look
        found |= {"server_transactions_per_s": round(transactions / seconds, 2), "connections": after["connections"]}
    return found


def _server(target: Target) -> dict[str, int]:
    """PostgreSQL's own counts for the database; empty on SQLite."""
    if target.place.kind != "postgresql":
        return {}
    [(transactions, connections)] = target.sql(
        "SELECT xact_commit + xact_rollback, "
        "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend') "
        "FROM pg_stat_database WHERE datname = current_database()"
    )
    return {"transactions": int(transactions), "connections": int(connections)}
