"""Words that a sentence or a file's name has, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.db.engine import Database
from backend.db.tables import Task
from backend.review.queue import QueueFilter, first, look, neighbours
from backend.review.queue_search import LONGEST, MOST_WORDS, SearchError, glob, tidy
from tests.db.helpers import a_task

SENTENCES = {
    1: "The RED car turns left", 2: "the blue car", 3: "100% of the cars", 4: "a_b and [x] and \\ and 'q' and ?*",
    5: "Die Straße, Ärger und ČAJ", 6: "",
}  # fmt: skip
FILES = {
    1: "/data/local-files/?d=clips/street.mp4", 2: "/data/local-files/?d=clips/Night%20Walk.mp4",
    3: "s3://cars/archive/walk_2.MP4", 4: "https://host/street/x.mp4", 5: "/data/local-files/?d=d%C3%A4mmerung.mp4",
    6: "clip.mp4",
}  # fmt: skip


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write() as session:
        for number, sentence in SENTENCES.items():
            task = a_task(session, number)
            task.query, task.video_ref = sentence, FILES[number]
    return database


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("car", [1, 2, 3]),
        ("CAR red", [1]),
        ("left the", [1]),
        ("car nothing", []),
        ("%", [2, 3, 5]),  # a file's name may have it as well
        ("100%", [3]),
        ("a_b", [4]),
        ("_2", [3]),
        ("a%b", []),
        ("[x]", [4]),
        ("\\", [4]),
        ("'q'", [4]),
        ("?*", [4]),
        ("ärger čaj", [5]),
        ("ÄRGER", [5]),
        ("street", [1]),  # task 4 has it as a folder
        ("clips", []),
        ("walk", [2, 3]),
        ("night walk.mp4", [2]),
        ("mp4 CAR", [1, 2, 3]),
        ("dämmerung", [5]),
        ("Dämmerung STRASSE", []),
        ("straße", [5]),
        ("clip.mp4", [6]),
    ],
)
def test_every_word_is_in_the_sentence_or_the_files_name(filled: Database, search: str, expected: list[int]) -> None:
    chosen = QueueFilter(search=tidy(search))
    with filled.read() as session:
        page = look(session, chosen)
        assert sorted(row.ls_task_id for row in page.rows) == expected
        assert page.total == len(expected) == sum(page.counts.values())
        assert [row.task_id for row in first(session, chosen, 10)] == [row.task_id for row in page.rows]


def test_a_search_goes_with_other_filters_and_leads_from_task_to_task(filled: Database) -> None:
    chosen = QueueFilter(search="car")
    with filled.read() as session:
        rows = dict(session.execute(select(Task.ls_task_id, Task.id)).tuples().all())
        assert neighbours(session, chosen, rows[2]) == (rows[1], rows[3])
        assert neighbours(session, chosen, rows[3]) == (rows[2], None)
        assert neighbours(session, chosen, rows[6]) == (None, None)
        assert look(session, QueueFilter(search="car", state="accepted")).counts["waiting"] == 3
        assert look(session, QueueFilter(search="car", project_id=2)).total == 0


def test_spaces_mean_nothing() -> None:
    assert tidy("  red \t car\n") == "red car" and tidy(" \x00 ") == ""


@pytest.mark.parametrize(
    ("text", "said"), [("x" * (LONGEST + 1), "Shorten it"), ("a " * (MOST_WORDS + 1), "at most 8")]
)
def test_a_search_has_limits(text: str, said: str) -> None:
    with pytest.raises(SearchError, match=said):
        tidy(text)


def test_the_longest_search_is_answered(filled: Database) -> None:
    longest = tidy(" ".join(["é" * 24] * MOST_WORDS))
    assert len(longest) == LONGEST - 1
    with filled.read() as session:
        assert look(session, QueueFilter(search=longest)).rows == []


def test_a_pattern_has_no_wildcards_of_the_words() -> None:
    assert glob("a1") == "*[aA]1*" and glob("*[?") == "*[*][[][?]*" and glob("]^-") == "*]^-*"
