"""Truths and predictions from the database."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from backend.db import predictions, task_state
from backend.db.engine import Database
from backend.db.tables import Prediction, Task
from backend.evaluation.database_samples import SourceTruths, corrected_truths, newest_predictions, source_truths
from backend.export.names import VideoNames
from stvg_core.evaluation.compare import compare
from stvg_core.evaluation.protocols import Protocol
from tests.export.rows import CORRECTED, PROPOSED, START, a_prediction, a_task, a_tube, a_video, annotate
from tests.export.test_times import a_variable_video


def predict(session: Session, task: Task, keyframes: list[Any] | None, *, version: str, minute: int) -> Prediction:
    assert task.video_id is not None
    return predictions.store(
        session, f"{task.ls_task_id}-{version}", video_id=task.video_id, query=task.query, attribute_query="",
        action_query="", model_version=version, region_id="r", score=0.5, evidence=b"", evidence_chosen=0,
        start_frame=keyframes[0][0] if keyframes else None, end_frame=keyframes[-1][0] if keyframes else None,
        keyframes=keyframes, created_at=START + timedelta(minutes=minute),
    )  # fmt: skip


def test_the_newest_prediction_is_compared_with_the_correction(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        predict(session, task, CORRECTED, version="old", minute=1)
        predict(session, task, PROPOSED, version="new", minute=2)
        annotate(session, task, a_tube(CORRECTED), prediction=a_prediction(session, a_task(session, 2)))
        predict(session, a_task(session, 3, query="another"), None, version="new", minute=3)
    with database.read() as session:
        name, counts = VideoNames().name, Counter[str]()
        truths = corrected_truths(session, name, counts, project_id=None, accepted_only=False)
        newest = newest_predictions(session, name, project_id=None, model_version=None)
        older = newest_predictions(session, name, project_id=7, model_version="old")
        assert newest_predictions(session, name, project_id=8, model_version=None) == []
    assert {p.model_version for p in newest} == {"m", "new"} and {p.model_version for p in older} == {"old"}
    [truth] = truths
    assert (truth.video, truth.sentence, truth.size, truth.fps, truth.n_frames) == (
        "1.mp4", "the red box", (320, 240), 25.0, 50,
    )  # fmt: skip
    assert [(p.sentence, p.first) for p in newest if p.video == "1.mp4"][:1] == [("the red box", 2)]
    assert [p.first for p in newest if p.sentence == "another"] == [None]
    assert compare(Protocol.HCSTVG, truths, older).samples[0].scores.viou == pytest.approx(1.0)
    # The proposal is two frames longer at the start, and its box moves slower.
    assert compare(Protocol.HCSTVG, truths, newest).samples[0].scores.tiou == pytest.approx(6 / 8)


def test_a_tubes_length_is_the_pictures_own(database: Database) -> None:
    """15 frames before a pause of eight seconds, and one after it."""
    with database.write() as session:
        video = a_variable_video(session, times=True)
        annotate(session, a_task(session, video=video), a_tube([[15, 0.1, 0.1, 0.4, 0.4], [20, 0.3, 0.1, 0.6, 0.4]]))
    with database.read() as session:
        [truth] = corrected_truths(session, VideoNames().name, Counter[str](), project_id=None, accepted_only=False)
    assert truth.length_s == pytest.approx(10.1 - 1.5)


def test_two_videos_of_one_name_stay_apart(database: Database) -> None:
    with database.write() as session:
        for number, content, keyframes in ((1, "a", PROPOSED), (2, "b", CORRECTED)):
            ref = f"/data/local-files/?d={content}/clip.mp4"
            task = a_task(session, number, video=a_video(session, content), ref=ref)
            predict(session, task, keyframes, version="m", minute=number)
            annotate(session, task, a_tube(keyframes))
    with database.read() as session:
        name = VideoNames().name
        truths = corrected_truths(session, name, Counter(), project_id=None, accepted_only=False)
        found = newest_predictions(session, name, project_id=None, model_version=None)
    assert len({truth.video for truth in truths}) == 2
    assert [s.scores.viou for s in compare(Protocol.HCSTVG, truths, found).samples] == [pytest.approx(1.0)] * 2


def test_the_truth_of_a_tasks_source_counts_where_nobody_annotated(sqlite_database: Database) -> None:
    truth = {"keyframes": [[frame, 0.1, 0.1, 0.4, 0.4] for frame in range(2, 10)]}
    with sqlite_database.write() as session:
        answered, annotated, unread = a_task(session), a_task(session, 2), a_task(session, 3)
        for task in (answered, annotated, unread):
            task.truth = truth
        unread.video_id = None
        predict(session, answered, truth["keyframes"], version="new", minute=99)
        annotate(session, annotated, a_tube(CORRECTED), prediction=a_prediction(session, annotated))
        task_state.refresh(session, [answered.id, annotated.id, unread.id])
    with sqlite_database.read() as session:
        name = VideoNames().name
        found = source_truths(session, name, project_id=answered.project_id)
        truths = found.truths
        assert ([one.video for one in truths], found.unanswered) == (["1.mp4", "3.mp4"], 1)
        assert (truths[0].first, truths[0].last, truths[0].size, truths[0].n_frames) == (2, 9, (320, 240), 50)
        assert source_truths(session, name, project_id=8) == SourceTruths()
        newest = newest_predictions(session, name, project_id=answered.project_id, model_version="new")
    compared = compare(Protocol.HCSTVG, truths, newest)
    assert [round(sample.scores.viou, 6) for sample in compared.samples] == [1.0, 0.0], "without an answer it counts 0"
