"""The worker: what it stores, how jobs fail, and what a killed worker leaves to the next."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.db.tables import Job, Prediction, Task
from backend.jobs.payload import keyframes
from backend.labelstudio.payloads import TaskPayload
from backend.media import MediaLibrary
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from stvg_core.boxes import box_iou
from stvg_core.keyframes import expand
from stvg_core.method.evidence import Evidence
from tests.jobs.conftest import Loop, make_loop


def test_a_prediction_is_stored_with_all_that_led_to_it(each_loop: Loop) -> None:
    loop = each_loop
    loop.ask(loop.task(1))
    assert loop.worker.drain() == 1
    with loop.database.read() as session:
        stored = session.scalars(select(Prediction)).one()
        evidence = Evidence.from_bytes(
            stored.evidence, chosen=stored.evidence_chosen, consistency=float("nan"), info=stored.evidence_info
        )
        assert stored.video.sha256 and stored.video.fps == 25 and stored.video.size_bytes == 5
        task = session.scalars(select(Task)).one()
        assert task.video_id == stored.video_id and task.warning is None
    assert stored.evidence_info == {"role_token": 3, "p_yes": None} and stored.evidence_consistency is None
    assert evidence.chosen == 0 and evidence.track_boxes.shape == (1, 5, 4)
    tube, truth = expand(keyframes(stored.keyframes or [])), loop.engine._tube("the red box")
    assert (
        (tube.start_frame, tube.end_frame)
        == (truth.start_frame, truth.end_frame)
        == (stored.start_frame, stored.end_frame)
    )
    assert np.asarray(box_iou(tube.boxes, truth.boxes)).min() >= 0.9
    assert loop.job().state == "done" and loop.job().prediction_id == stored.id


def test_a_failed_job_says_why_and_the_next_goes_on(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.ask(
        loop.task(1, video="bad.mp4"),
        loop.task(2, "crash please"),
        loop.task(3, video="missing.mp4"),
        loop.task(4, video="../../etc/passwd"),
        loop.task(5),
    )
    with caplog.at_level(logging.ERROR):
        assert loop.worker.drain() == 5
    jobs = [loop.job(number) for number in (1, 2, 3, 4, 5)]
    assert [job.state for job in jobs] == ["failed", "failed", "failed", "failed", "done"]
    assert jobs[0].reason == "bad.mp4 is not a video."
    assert jobs[1].reason is not None and jobs[1].reason.startswith("Internal error") and "crash" not in jobs[1].reason
    assert "RuntimeError: the fake engine was asked to crash" in caplog.text, "the log has the traceback"
    assert "no file missing.mp4" in str(jobs[2].reason) and "refused" in str(jobs[3].reason)


def test_a_worker_leaves_the_jobs_of_another_model_to_its_workers(loop: Loop) -> None:
    loop.ask(loop.task(1))
    loop.engine.model_version = "other@2/0"
    assert loop.worker.drain() == 0 and loop.job().state == "queued" and loop.job().attempts == 0
    loop.engine.model_version = "fake@1/0"
    assert loop.worker.drain() == 1 and loop.job().state == "done"


@pytest.mark.parametrize(
    ("data", "engine_fps", "warning"),
    [
        ({"fps": 25}, (25, 1), None),
        ({"fps": 24}, (25, 1), "24 frames per second, the video has 25"),
        ({"fps": 29.97}, (30000, 1001), None),
        ({"fps": None}, (30000, 1001), None),
    ],
)
def test_a_wrong_frame_rate_is_noted_on_the_task(
    loop: Loop, data: dict[str, object], engine_fps: tuple[int, int], warning: str | None
) -> None:
    loop.engine.fps = engine_fps
    loop.ask(loop.task(1, **data))
    loop.worker.drain()
    with loop.database.read() as session:
        said = session.scalars(select(Task)).one().warning
    assert said is None if warning is None else warning in str(said)


def test_long_work_keeps_its_lease_and_shows_its_stage(loop: Loop) -> None:
    loop.ask(loop.task(1))
    loop.engine.seconds, loop.worker.lease_s = 600, 600
    working = threading.Thread(target=loop.worker.run_once)
    working.start()
    until = {None}
    while len(until) < 3:  # taken, and renewed
        until.add(loop.job().lease_until)
        time.sleep(0.02)
    other = make_loop(loop.database, loop.videos)
    assert not other.worker.run_once(), "the lease was renewed"
    assert loop.job().stage == "ground" and loop.job().progress == 0.5
    loop.engine.seconds = 0
    working.join()
    assert loop.job().state == "done" and loop.job().attempts == 1


def test_a_stopped_worker_gives_its_job_back(loop: Loop) -> None:
    loop.ask(loop.task(1))
    loop.engine.seconds = 30
    working = threading.Thread(target=loop.worker.run)
    working.start()
    while not loop.engine.calls:
        time.sleep(0.01)
    loop.worker.stop.set()
    working.join()
    job = loop.job()
    assert job.state == "queued" and job.attempts == 0 and job.leased_by is None


def test_an_object_of_a_storage_is_grounded_through_label_studio(each_loop: Loop, tmp_path: Path) -> None:
    loop = each_loop
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.url.host}{request.url.path} {'authorization' in request.headers}")
        if request.url.host == "ls":
            return httpx.Response(303, headers={"Location": "http://store.intern/b/a.mp4?X-Amz-Signature=hush"})
        return httpx.Response(200, content=b"a.mp4")

    downloader = Downloader(
        label_studio_url="http://ls",
        label_studio_headers=lambda: {"Authorization": "Token t"},
        allowed_origins=["http://store.intern"],
        transport=httpx.MockTransport(answer),
    )
    loop.worker.media = MediaLibrary(MediaCache(tmp_path / "objects", 1 << 20), downloader, pause_s=0)
    loop.ask(_stored(loop, 17))
    assert loop.worker.drain() == 1 and loop.job().state == "done"
    assert asked == ["ls/tasks/17/presign/ True", "store.intern/b/a.mp4 False"]
    assert loop.job().video_ref == "s3://b/a.mp4"
    loop.ask(_stored(loop, 18, "another sentence"))
    assert loop.worker.drain() == 1 and len(asked) == 2, "the same object is not fetched twice"


def _stored(loop: Loop, number: int, query: str = "the red box") -> TaskPayload:
    data = {"video": "s3://b/a.mp4", "query": query, "fps": 25}
    loop.label_studio.add_task(number, **data)
    return TaskPayload(number, data)


def test_a_deadlock_is_no_death_of_the_worker(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop.ask(loop.task(1))

    def deadlock(*args: object, **more: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("deadlock detected"))

    with monkeypatch.context() as patch:
        patch.setattr("backend.jobs.grounding.store_answer", deadlock)
        with pytest.raises(OperationalError):
            loop.worker.run_once()
    job = loop.job()
    assert (job.state, job.attempts, job.deaths, job.leased_by) == ("queued", 0, 0, None)
    assert loop.worker.drain() == 1 and loop.job().state == "done"


def test_one_that_is_asked_to_leave_ends_its_job_first(loop: Loop) -> None:
    """Those that only stand in line go back to the queue, with no attempt used."""
    loop.ask(loop.task(1, "the man"), loop.task(2, "the dog"), loop.task(3, "the cat"))
    loop.worker.ended = lambda outcome: loop.worker.enough.set()
    loop.worker.run()
    with loop.database.read() as session:
        assert [(job.state, job.attempts) for job in session.scalars(select(Job).order_by(Job.id))] == [
            ("done", 1), ("queued", 0), ("queued", 0),
        ]  # fmt: skip
