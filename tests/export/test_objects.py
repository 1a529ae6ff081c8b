"""Objects with a sentence of their own leave as records of their own."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from backend.annotations.objects import own_sentences
from backend.db.annotations import versions
from backend.db.engine import Database
from backend.export import frames_csv, labelstudio
from backend.export.record import Record, VideoLabels
from backend.export.records import records
from backend.labelstudio.config import read_config
from backend.labelstudio.result import result_to_tubes
from backend.review import recording
from labeling_config import video_tube
from tests.export.rows import CORRECTED, PROPOSED, a_prediction, a_task, a_tube, annotate


def a_further(keyframes: list[Any] = CORRECTED, *, region: str = "J84v", suggested: str = "tube-1") -> dict[str, Any]:
    entry = a_tube(keyframes, label="Other", region=region)
    return {**entry, "sentence": "the blue star", "suggested_as": suggested}


def annotated(database: Database, *tubes: dict[str, Any], **values: Any) -> tuple[list[Record], Counter[str]]:
    counts: Counter[str] = Counter()
    with database.write() as session:
        task = a_task(session)
        annotate(session, task, *tubes, prediction=a_prediction(session, task), **values)
        recording.record(session, versions(session, 101)[0])
    with database.read() as session:
        return list(records(session, counts)), counts


def labels(found: list[Record]) -> VideoLabels:
    return VideoLabels("clip.mp4", "clip", found[0].video, found)


def test_one_record_per_object_with_its_own_sentence(database: Database) -> None:
    found, counts = annotated(database, a_further(), a_tube(PROPOSED), a_further(PROPOSED, region="x", suggested=""))
    assert [(r.object, r.query, r.label, r.origin) for r in found] == [
        (0, "the red box", "Target", "accepted"),
        (1, "the blue star", "Other", "corrected"),
        (2, "the blue star", "Other", "drawn"),
    ]
    assert [r.name for r in found] == ["101", "101-2", "101-3"]
    assert [r.model_version for r in found] == ["m", "m", None]
    assert counts["exported"] == 3


def test_an_object_without_a_sentence_stays_behind_and_one_with_needs_no_other(database: Database) -> None:
    found, counts = annotated(database, a_further())
    assert [r.object for r in found] == [1] and counts["no box drawn"] == 1


def test_a_verdict_on_the_suggestion_says_nothing_of_further_objects(database: Database) -> None:
    found, counts = annotated(database, a_tube(PROPOSED), a_further(PROPOSED), verdict="wrong object")
    assert [(r.object, r.judged_wrong, r.verdict) for r in found] == [(1, False, None)]
    assert counts["judged wrong and not corrected"] == 1


def test_label_studios_file_keeps_the_objects_of_a_task_together(database: Database, tmp_path: Path) -> None:
    found, _ = annotated(database, a_tube(PROPOSED), a_further())
    with labelstudio.write(tmp_path / "out.json") as add:
        add(labels(found))
    [task] = json.loads((tmp_path / "out.json").read_text())
    assert task["data"]["query"] == "the red box"
    [annotation] = task["annotations"]
    boxes = [r for r in annotation["result"] if r["type"] == "videorectangle"]
    assert [r["id"] for r in boxes] == ["label-101", "label-101-2"]
    assert [r.get("meta", {}).get("text") for r in boxes] == [None, ["the blue star"]]
    assert len([r for r in annotation["result"] if r["type"] == "timelinelabels"]) == 1
    config = read_config(video_tube())
    own, further = result_to_tubes(annotation["result"], config, n_frames=50)
    assert (own.tube.start_frame, further.tube.start_frame) == (PROPOSED[0][0], CORRECTED[0][0])
    with database.read() as session:
        again = own_sentences(session, None, annotation["result"], config)
    assert {name: one.sentence for name, one in again.items()} == {"label-101-2": "the blue star"}


def test_the_task_without_an_object_of_its_own_keeps_its_data(database: Database, tmp_path: Path) -> None:
    found, _ = annotated(database, a_further())
    with labelstudio.write(tmp_path / "out.json") as add:
        add(labels(found))
    [task] = json.loads((tmp_path / "out.json").read_text())
    assert task["data"].get("query") != "the blue star"


def test_rows_of_the_csv_can_be_told_apart(database: Database, tmp_path: Path) -> None:
    found, _ = annotated(database, a_tube(PROPOSED), a_further())
    with frames_csv.write(tmp_path / "out.csv") as add:
        add(labels(found))
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    assert {(row["annotation"], row["sentence"]) for row in rows} == {
        ("101", "the red box"), ("101-2", "the blue star"),
    }  # fmt: skip
