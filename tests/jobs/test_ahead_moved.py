"""Tasks that become Label Studio's while a worker holds their jobs."""

from __future__ import annotations

from sqlalchemy import select

from backend.db import jobs, projects
from backend.db.adopting import There, move
from backend.db.identity import job_identity
from backend.db.local_keys import key_of, parse_key, token_of
from backend.db.local_tasks import LocalTasks, Wanted
from backend.db.tables import Delivery, Project
from tests.db.helpers import CONFIG
from tests.jobs.conftest import Loop
from tests.jobs.test_ahead import VIDEOS, during, ready, states


def test_local_tasks_that_go_to_label_studio_meanwhile_are_answered_there(each_loop: Loop) -> None:
    """Their jobs are held under an address that only local projects may name."""
    loop = each_loop
    with loop.database.write() as session:
        number = projects.local(session, "Clips", CONFIG).id
        token = token_of(session.get_one(Project, number))
        wanted = []
        for video in VIDEOS[:3]:
            (loop.videos / video).write_bytes(video.encode())
            wanted.append(Wanted((loop.videos / video).as_uri(), "the red box", {}, video))
        found, _ = LocalTasks(number).add(session, wanted)
        there = {}
        for known, one in zip(found, wanted, strict=True):
            video, version = one.video_ref, loop.engine.model_version
            identity = job_identity(number, known.number, video, one.query, version)
            asked = jobs.Question(identity, known.id, number, video, one.query, version)
            jobs.enqueue_many(session, [asked])
            address = f"/data/local-files/?d={one.name}"
            key = parse_key(key_of(token, known.id, address))
            assert key is not None
            there[known.id] = There(70 + known.number, address, one.query, {}, key)
    loop.worker.ahead = 1

    def go() -> None:
        ready(loop)
        with loop.database.write() as session:
            assert len(move(session, 1, there)) == 3

    during(loop, "a.mp4", go)
    assert loop.worker.drain() == 3
    assert [loop.job(n).reason for n in (1, 2, 3)] == [None] * 3 and states(loop) == [("done", 1)] * 3
    with loop.database.read() as session:
        assert sorted(session.scalars(select(Delivery.task_id))) == sorted(there)
