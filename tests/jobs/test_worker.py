"""The worker: what it stores, how jobs fail, and what a killed worker leaves to the next."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from backend.db.engine import Database
from backend.db.tables import Delivery, Job, Prediction, Task
from backend.jobs.payload import keyframes
from backend.labelstudio.payloads import TaskPayload
from backend.media import MediaLibrary
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from backend.review.queue import QueueFilter, look
from stvg_core.keyframes import expand
from stvg_core.metrics import box_iou
from stvg_core.tube import Evidence
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


def test_a_video_without_objects_gives_an_empty_prediction_with_score_0(loop: Loop) -> None:
    loop.ask(loop.task(1, "nothing here"))
    loop.worker.drain()
    assert loop.outbox.send_due() == 1
    [stored] = loop.label_studio.of_task(1)
    assert stored["result"] == [] and stored["score"] == 0
    assert loop.outbox.send_due() == 0 and loop.job().state == "done"
    loop.ask(loop.task(2, "the red box"))
    loop.worker.drain()
    with loop.database.read() as session:
        first, second = look(session, QueueFilter()).rows
    assert (first.ls_task_id, first.uncertainty) == (1, 1.0), "nothing is more uncertain"
    assert second.uncertainty is not None and second.uncertainty <= 1.0


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


def test_a_source_that_is_away_is_tried_again_so_many_times(loop: Loop) -> None:
    loop.ask(loop.task(1, video="a.mp4", query="q"))
    with loop.database.write() as session:
        session.scalars(select(Job)).one().video_ref = "/data/upload/1/away.mp4"
    for attempt in (1, 2):
        assert loop.worker.drain() == 1 and loop.job().state == "queued" and loop.job().attempts == attempt
        assert "503" in str(loop.job().reason)
        assert loop.worker.drain() == 0, "not before its pause is over"
        loop.make_due()
    assert loop.worker.drain() == 1 and loop.job().state == "failed"


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


def test_a_lost_lease_stores_nothing(each_loop: Loop) -> None:
    """The worker stalls past its lease; another finishes first; the late answer is dropped."""
    loop = each_loop
    loop.ask(loop.task(1))
    loop.worker.lease_s = 0.05
    other = make_loop(loop.database, loop.videos)
    ground = loop.engine.ground

    def stall(path, query, progress):  # type: ignore[no-untyped-def]
        time.sleep(0.1)  # longer than the lease, and no renewal comes through
        assert other.worker.run_once()
        return ground(path, query, lambda share, stage: None)

    loop.engine.ground = stall  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.jobs.lease.jobs.renew", lambda *a, **k: True)
        assert loop.worker.run_once()
    job = loop.job()
    assert job.state == "done" and (job.attempts, job.deaths) == (1, 0)
    with loop.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Prediction)) == 1
        assert session.scalar(select(func.count()).select_from(Delivery)) == 1


def test_long_work_keeps_its_lease_and_shows_its_stage(loop: Loop) -> None:
    loop.ask(loop.task(1))
    loop.engine.seconds, loop.worker.lease_s = 600, 6
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


KILLED = """
import sys
from pathlib import Path
from backend.db.engine import Database
from tests.jobs.conftest import make_loop
loop = make_loop(Database(sys.argv[1]), Path(sys.argv[2]))
loop.engine.seconds, loop.worker.lease_s = 60, 1.0
loop.worker.run()
"""


def test_after_kill_9_another_worker_finishes_exactly_once(each_loop: Loop, database_url: str) -> None:
    loop = each_loop
    loop.ask(loop.task(1))
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, database_url, str(loop.videos)]
    process = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    try:
        until = time.monotonic() + 600  # a busy machine imports slowly
        while loop.job().state != "running":
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    while not loop.worker.run_once():
        assert time.monotonic() < until
        time.sleep(0.1)
    job = loop.job()
    assert job.state == "done" and (job.attempts, job.deaths) == (1, 0)
    assert loop.outbox.send_due() == 1 and len(loop.label_studio.of_task(1)) == 1


def test_a_worker_waits_for_a_database_that_is_away(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(loop.worker, "database", away)
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        loop.worker.stop.set()
        return True

    monkeypatch.setattr(loop.worker.stop, "wait", wait)
    loop.worker.run()
    assert waited == [5.0]


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
