"""``stvg doctor`` beside a real Label Studio: all is well; then Label Studio does not reach the service."""

from __future__ import annotations

import json

import pytest

from backend.processes import ProcessError
from tests.e2e.loop import Loop

pytestmark = pytest.mark.label_studio

Rows = list[dict[str, str]]


def examine(loop: Loop) -> Rows:
    """What it prints, whatever its exit status is."""
    try:
        printed = loop.stack.run("doctor", "--json")
    except ProcessError:
        printed = (loop.stack.data_dir / "doctor.log").read_text()
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def of(rows: Rows, about: str) -> dict[str, str]:
    [found] = [row for row in rows if row["about"] == about]
    return found


def test_all_is_well_and_what_is_not_reached_is_said(loop: Loop) -> None:
    rows = examine(loop)
    assert [row for row in rows if row["status"] == "fail"] == []
    assert of(rows, "connection")["status"] == "ok" and loop.stack.url in of(rows, "connection")["said"]
    assert of(rows, "label studio")["status"] == "ok" and "legacy token" in of(rows, "label studio")["said"]
    assert of(rows, "frame rates")["status"] == "ok" and not of(rows, "frame rates")["said"].startswith("0 ")
    assert loop.stack.password not in json.dumps(rows)
    loop.stack.web.stop()
    try:
        unreached = of(examine(loop), "connection")
    finally:
        loop.stack.web.start()
        loop.stack.web.wait_until(loop.stack.healthy, 600)
    assert unreached["status"] == "fail" and "ML_BLOCK_LOCAL_IP=false" in unreached["mend"]
    assert of(examine(loop), "connection")["status"] == "ok"
