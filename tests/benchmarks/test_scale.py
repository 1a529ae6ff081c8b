"""The benchmark of the service at many tasks: every measurement runs at a size of seconds, and its rows are true."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backend.annotations.keyframe_rows import keyframes
from backend.jobs.identity import prediction_identity, region_id
from backend.labelstudio.events import parse_event
from backend.labelstudio.payloads import parse_predict
from benchmarks.scale import __main__ as scale
from benchmarks.scale import bodies, content, fill, labels, tables
from benchmarks.scale.places import Files
from benchmarks.scale.programs import ROOT

TASKS, VERSION = 60, "model@1/0"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Filled databases, for all tests of this file."""
    return tmp_path_factory.mktemp("scale")


def test_every_measurement_runs(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scale.json"
    options = ["--tasks", str(TASKS), "--seconds", "1", "--requests", "3", "--cache", str(cache), "--out", str(out)]
    found = scale.main(options)["measured"]
    assert [entry for entry in found if "failed" in entry] == []
    figures = {entry["what"]: entry["figures"] for entry in found}
    assert figures.keys() == {"upgrade", *(name for parts in scale.MEASURES.values() for name in parts)}
    assert figures["predict"]["n"] == 3
    assert figures["webhooks"]["sent"] == figures["webhooks"]["stored"] + figures["webhooks"]["lost"] == 100
    assert figures["webhooks beside a worker"]["unreadable"] == 0
    assert figures["events"]["unread"] == 0 and figures["events"]["reading_statements"] > 0
    assert figures["export"]["hcstvg1"]["written_mb"] > 0
    assert figures["reconcile"]["pages_read"] == 1
    assert figures["idle"]["statements_at_the_start"] > 0
    assert json.loads(out.read_text())["measured"] == found
    assert f"| sqlite | {TASKS} | predict | p50_ms |" in capsys.readouterr().out
    assert len(list(cache.iterdir())) == 1  # the filled database; its copies are gone


def test_two_checkouts_are_measured_in_turn(cache: Path) -> None:
    options = ["--tasks", str(TASKS), "--what", "effort", "--rounds", "2", "--code", str(ROOT), "--cache", str(cache)]
    found = scale.main(options)["measured"]
    assert [entry["code"] for entry in found if entry["what"] == "effort"] == ["new", "old", "old", "new"]


def test_the_rows_are_as_the_program_writes_them(tmp_path: Path) -> None:
    files = Files(tmp_path)
    name = fill.filled(files, TASKS, VERSION)
    with sqlite3.connect(tmp_path / f"{name}.sqlite3") as database:
        predictions = database.execute("SELECT identity, video_id, query, region_id FROM prediction").fetchall()
        annotations = database.execute("SELECT id, ls_annotation_id, tubes, deleted FROM annotation").fetchall()
        diffs = Counter(row for (row,) in database.execute("SELECT annotation_id FROM diff WHERE object = 0"))
        videos = dict(database.execute("SELECT id, sha256 FROM video"))
        (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    assert revision == fill.REVISION
    assert len(predictions) > TASKS / 2 and len(annotations) > TASKS / 3
    for identity, video, sentence, region in predictions:
        assert identity == prediction_identity(videos[video], sentence, VERSION)
        assert region == region_id(identity)
    assert diffs == dict.fromkeys((row[0] for row in annotations), 1)
    for entry in (entry for row in annotations for entry in json.loads(row[2])):
        assert keyframes(entry["keyframes"])[-1].frame < content.FRAMES
    gone = {number for _, number, _, deleted in annotations if deleted}
    listed = [entry["id"] for n in range(1, TASKS + 1) for entry in bodies.listed(content.task(n), VERSION)]
    assert set(listed) == {row[1] for row in annotations} - gone


def test_the_bodies_are_read_as_real_ones() -> None:
    asked = parse_predict(json.loads(bodies.predict([1, 2])))
    assert asked.project_id == content.PROJECT and [task.id for task in asked.tasks] == [1, 2]
    sent = [bodies.webhook(nth, TASKS, VERSION) for nth in range(20)]
    events = [parse_event(json.loads(body)) for body in sent]
    assert {event.action for event in events} == {"ANNOTATION_CREATED", "ANNOTATION_UPDATED"}
    assert len({(event.annotations[0].id, event.annotations[0].updated_at) for event in events}) == 20
    assert all(5000 < len(body) < 9000 for body in sent)


def test_the_shares_are_as_they_are_said() -> None:
    """Of a thousand tasks."""
    done = [one for n in range(1, 1001) if (one := content.task(n)).kind == content.DONE]
    found = [labels.said_of(one, content.suggested(one)) for one in done]
    annotated = [people for people in found if people]
    every = [annotation for people in annotated for annotation in people]
    assert 0.92 < len(done) / 1000 < 0.96
    assert 0.55 < len(annotated) / len(done) < 0.65
    assert 0.03 < sum(len(people) == 2 for people in annotated) / len(annotated) < 0.07
    assert 0.07 < sum(len(one.versions) > 1 for one in every) / len(every) < 0.13
    assert 0.01 < sum(one.deleted for one in every) / len(every) < 0.05


def test_the_table_compares_two_codes_and_says_what_was_stopped() -> None:
    about: dict[str, Any] = {"what": "export", "database": "sqlite", "tasks": 100}
    measured = [
        {**about, "code": "new", "figures": {"csv": {"seconds": 2.0, "over_limit": False}}},
        {**about, "code": "old", "figures": {"csv": {"seconds": 300.0, "over_limit": True}}},
        {**about, "code": "old", "failed": "RuntimeError: no"},
    ]
    assert tables.rows(measured)[2:] == [
        "| sqlite | 100 | export | csv seconds | 2 | over 300 | 150.0 |",
        "failed: sqlite 100 export old: RuntimeError: no",
    ]
