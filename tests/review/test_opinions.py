"""Which annotations are opinions on a task, and whose."""

from __future__ import annotations

import pytest

from backend.db.engine import Database
from backend.review import opinions
from backend.review.drawn_tube import Drawn, keyframes
from backend.review.opinions import by_author, of_tasks, to_json, walk
from stvg_core.keyframes import expand
from tests.db.helpers import a_prediction, a_task
from tests.review.rows import says
from tests.review.tubes import whole


def test_the_newest_word_of_each_person_counts(database: Database) -> None:
    with database.write() as session:
        one, two = a_task(session, 11), a_task(session, 12)
        says(session, 1, one, whole(0, 9, x=0.7), author_id=1)
        says(session, 2, one, whole(0, 9), author_id=1)  # the same person again, on another annotation
        says(session, 3, one, whole(0, 9), author_id=2)
        says(session, 4, one, whole(20, 29), author_id=3)
        says(session, 5, one, whole(0, 9, x=0.5), author_id=4, was_cancelled=True)
        says(session, 6, one, author_id=5, problem="unreadable")
        says(session, 7, two, whole(0, 9), author_id=1)
        says(session, 8, two, whole(0, 9), author_id=1)
    with database.read() as session:
        [entry] = of_tasks(session, project_id=1)
        assert of_tasks(session, project_id=2) == []
    assert entry.task.ls_task_id == 11
    assert [opinion.annotation_id for opinion in entry.agreement.opinions] == [2, 3, 4]
    people = by_author([entry, entry])
    assert [(row.author_id, row.tasks, row.mean, row.apart) for row in people] == [
        (3, 2, 0, 2),
        (1, 2, 0.5, 0),
        (2, 2, 0.5, 0),
    ]
    content = to_json(entry)
    assert content["viou"] == [[1, 1, 0], [1, 1, 0], [0, 0, 1]] and content["outliers"] == [4]
    assert content["consensus"]["intervals"] == [[0, 9]]
    assert content["consensus"]["keyframes"][-1] == pytest.approx([9, 0.1, 0.2, 0.3, 0.4])


def test_a_suggestion_left_and_judged_wrong_is_no_opinion_but_an_empty_task_is(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
        same = Drawn.whole(expand(keyframes(prediction.keyframes or [])))
        says(session, 1, task, same, prediction=prediction, author_id=1, verdict="absent")
        says(session, 2, task, prediction=prediction, author_id=2)
        says(session, 3, task, same, prediction=prediction, author_id=3)
        says(session, 4, task, same, prediction=prediction)  # nobody knows who: a person of its own
    with sqlite_database.read() as session:
        [entry] = of_tasks(session)
    assert [opinion.annotation_id for opinion in entry.agreement.opinions] == [2, 3, 4]
    assert [row.author_id for row in by_author([entry])] == [2, 3]
    assert entry.agreement.outliers == (0,), "two draw the tube, one says that there is none"


def test_walking_is_the_same_a_page_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opinions, "_PAGE", 2)
    with database.write() as session:
        for number in (17, 11, 14, 12, 13):
            task = a_task(session, number, project=1 + number % 2)
            for author in range(1 if number == 14 else 2):
                says(session, 10 * number + author, task, whole(0, 9), author_id=author)
    with database.read() as session:
        walked = [(entry.task.project_id, entry.task.ls_task_id) for entry in walk(session)]
        assert walked == [(entry.task.project_id, entry.task.ls_task_id) for entry in of_tasks(session)]
        assert walked == [(1, 12), (2, 11), (2, 13), (2, 17)]
        assert [entry.task.ls_task_id for entry in walk(session, project_id=2)] == [11, 13, 17]
