"""A varying rate is said of a task, but not where the page plays a copy with an even one."""

from __future__ import annotations

import pytest

from backend.db.engine import Database
from backend.jobs.grounding import warning_for
from tests.db.helpers import a_task
from tests.export.test_times import a_variable_video

COPY = "/data/local-files/?d=copies/a-h264-0123456789ab.mp4"


@pytest.mark.parametrize(
    ("changed", "said"), [({}, True), ({"video": COPY}, True), ({"video": COPY, "stvg_original": "/a.mp4"}, False)]
)
def test_a_varying_rate(sqlite_database: Database, changed: dict[str, str], said: bool) -> None:
    with sqlite_database.write() as session:
        task, video = a_task(session), a_variable_video(session, times=True)
        task.data = {**task.data, "fps": video.fps, **changed}
        warning = warning_for(task, video)
    assert ("variable frame rate" in (warning or "")) is said
