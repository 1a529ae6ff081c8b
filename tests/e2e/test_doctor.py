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


def of(rows: Rows, about: str) -> Rows:
    """Other tests may have made projects too: each has its row."""
    found = [row for row in rows if row["about"] == about]
    assert found
    return found


def all_ok(rows: Rows) -> bool:
    return all(row["status"] == "ok" for row in rows)


def connections(loop: Loop) -> Rows:
    """What is said of the projects that are there; those of other tests may be deleted by now, which is told apart."""
    return [row for row in of(examine(loop), "connection") if not row["said"].endswith("is no more in Label Studio.")]


def test_all_is_well_and_what_is_not_reached_is_said(loop: Loop) -> None:
    rows = examine(loop)
    assert [row for row in rows if row["status"] == "fail"] == []
    there, address = connections(loop), loop.stack.url
    assert f"Label Studio reaches {address} for project {loop.project.id}." in [row["said"] for row in there]
    assert all_ok(there) and all(address in row["said"] for row in there)
    [label_studio] = of(rows, "label studio")
    assert label_studio["status"] == "ok" and "legacy token" in label_studio["said"]
    rates = of(rows, "frame rates")
    assert all_ok(rates) and not all(row["said"].startswith("0 ") for row in rates)
    assert loop.stack.password not in json.dumps(rows)
    loop.stack.web.stop()
    try:
        unreached = connections(loop)
    finally:
        loop.stack.web.start()
        loop.stack.web.wait_until(loop.stack.healthy, 600)
    assert len(unreached) == len(there)
    assert all(row["status"] == "fail" and "ML_BLOCK_LOCAL_IP=false" in row["mend"] for row in unreached)
    assert all_ok(connections(loop))
