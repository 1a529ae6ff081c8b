"""Calibrations in the database: which corrections count, who runs one, and what it leaves behind."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from backend.db import audits, calibrations, lease
from backend.db.engine import Database
from backend.db.tables import Calibration, Prediction, Task
from backend.db.types import now
from backend.jobs import calibrating
from backend.jobs import usable_corrections as corrected_
from backend.jobs.usable_corrections import gather
from backend.review import decisions
from backend.review.drawn_tube import Drawn
from stvg_core.errors import StvgError
from tests.calibration.planted import BOTH_WAYS, SETTINGS, planted
from tests.calibration.rows import WEIGHTS, a_suggestion, corrected, versions
from tests.db.helpers import a_task
from tests.review.rows import says
from tests.review.tubes import whole


def _fill(database: Database, count: int = 24, **choices: bool) -> None:
    with database.write() as session:
        for number in range(count):
            corrected(session, number, **choices)  # type: ignore[arg-type]


def _ask(database: Database, **values: object) -> int:
    with database.write() as session:
        return calibrating.request(session, versions(), requested_by="ann", **values).id  # type: ignore[arg-type]


def _row(database: Database, number: int) -> Calibration:
    with database.read() as session:
        return session.get_one(Calibration, number)


def _run(database: Database, **values: object) -> int:
    return calibrating.run_due(database, versions(), name="w", **values)  # type: ignore[arg-type]


def test_what_holds_is_adopted_and_can_be_reverted(database: Database) -> None:
    _fill(database)
    number = _ask(database)
    assert _run(database) == 1 and _run(database) == 0
    row = _row(database, number)
    assert (row.state, row.base, row.reason, row.leased_by) == ("adopted", versions().base, None, None)
    assert row.finished_at is not None and row.report["items"] == 24 and row.report["interval"][0] > 0
    with database.read() as session:
        changed = calibrations.adopted(session, versions().looks)
        assert changed == row.settings != {}
        assert versions().settings(session) == replace(SETTINGS, **changed)
        assert versions().present(session) == row.model_version == f"{WEIGHTS}/{replace(SETTINGS, **changed).digest()}"
        (act,) = audits.newest(session)
        assert (act.who, act.action, act.target) == ("ann", "calibration adopted", f"calibration {number}")
    with database.write() as session:
        assert calibrating.revert(session, versions(), who="ann") is not None
        assert calibrating.revert(session, versions(), who="ann") is None
    with database.read() as session:
        assert versions().present(session) == versions().base
        assert versions().of(session, str(row.model_version)) is not None  # jobs that wait for it can still be answered
        assert audits.newest(session)[0].detail == {"from": row.model_version, "to": versions().base}


def test_a_second_calibration_begins_where_the_first_one_ended(sqlite_database: Database) -> None:
    _fill(sqlite_database)
    first, second = _ask(sqlite_database), _ask(sqlite_database, project_id=1)
    assert first != second == second and _ask(sqlite_database) == first  # one that waits serves both requests
    assert _run(sqlite_database) == 2
    row = _row(sqlite_database, second)
    assert row.state == "refused" and row.base == _row(sqlite_database, first).model_version
    assert "nothing to adopt" in str(row.reason) and row.settings == {} and row.model_version is None
    with sqlite_database.write() as session:
        calibrating.revert(session, versions(), who="x")
        assert versions().present(session) == versions().base


def test_noise_and_too_few_corrections_are_refused_with_a_reason(sqlite_database: Database) -> None:
    _fill(sqlite_database, 5)
    number = _ask(sqlite_database)
    assert _run(sqlite_database) == 1
    row = _row(sqlite_database, number)
    assert row.state == "refused" and "5 corrected items of 5 videos" in str(row.reason)
    with sqlite_database.read() as session:
        assert versions().present(session) == versions().base
        assert audits.newest(session)[0].action == "calibration refused"


def test_two_processes_never_run_one_twice(database: Database) -> None:
    number = _ask(database)
    with database.write() as session:
        assert calibrations.lease(session, "a", looks=versions().looks, seconds=60) is not None
    with database.write() as session:
        assert calibrations.lease(session, "b", looks=versions().looks, seconds=60) is None
    assert _run(database) == 0 and _row(database, number).state == "running"


def test_another_model_leaves_it_alone(sqlite_database: Database) -> None:
    number = _ask(sqlite_database)
    other = versions(replace(SETTINGS, n_slots=11))
    assert calibrating.run_due(sqlite_database, other, name="w") == 0
    assert _row(sqlite_database, number).state == "queued"


def test_one_whose_process_was_killed_is_run_again_but_not_for_ever(database: Database) -> None:
    number = _ask(database)
    for _ in range(lease.MAX_DEATHS):
        with database.write() as session:
            killed = calibrations.lease(session, "killed", looks=versions().looks, seconds=60)
            assert killed is not None
            session.execute(update(Calibration).values(lease_until=now() - timedelta(seconds=1)))
    assert _run(database) == 0
    row = _row(database, number)
    assert row.state == "failed" and "5 workers in a row" in str(row.reason)
    with database.write() as session:
        assert not calibrations.finish(session, number, str(killed.leased_by), "adopted")  # its lease is gone


def test_a_lost_lease_drops_what_was_found(sqlite_database: Database) -> None:
    _fill(sqlite_database)
    number = _ask(sqlite_database)

    def steal(share: float) -> None:
        with sqlite_database.write() as session:
            session.execute(update(Calibration).values(leased_by="somebody else"))

    assert _run(sqlite_database, progress=steal) == 0
    assert _row(sqlite_database, number).leased_by == "somebody else"
    with sqlite_database.read() as session:
        assert calibrations.adopted(session, versions().looks) == {} and not audits.newest(session)


def test_a_lease_is_renewed_on_the_way(sqlite_database: Database) -> None:
    _fill(sqlite_database)
    number = _ask(sqlite_database)
    ends = set()

    def watch(share: float) -> None:
        ends.add(_row(sqlite_database, number).lease_until)

    assert _run(sqlite_database, lease_s=1e-3, progress=watch) == 1
    assert len(ends) > 2


def test_stopping_gives_it_back(sqlite_database: Database) -> None:
    _fill(sqlite_database)
    number = _ask(sqlite_database)
    stop = threading.Event()
    assert _run(sqlite_database, stop=stop, progress=lambda share: stop.set()) == 0
    row = _row(sqlite_database, number)
    assert (row.state, row.leased_by, row.report) == ("queued", None, {})


def test_settings_that_changed_meanwhile_make_it_begin_again(sqlite_database: Database) -> None:
    _fill(sqlite_database)
    number = _ask(sqlite_database)
    between: list[str] = []

    def adopt(share: float) -> None:
        if not between:
            with sqlite_database.write() as session:
                row = Calibration(looks=versions().looks, base="x", state="adopted", settings={"centre": 0.45})
                row.model_version, row.finished_at = versions().name(replace(SETTINGS, centre=0.45)), now()
                session.add(row)
                between.append(str(row.model_version))

    assert _run(sqlite_database, progress=adopt) == 1
    assert _row(sqlite_database, number).base == between[0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(StvgError("the evidence is torn"), "the evidence is torn"), (RuntimeError("secret"), "Internal error")],
)
def test_a_failure_is_told(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    number = _ask(sqlite_database)

    def fail(*args: object, **values: object) -> None:
        raise error

    monkeypatch.setattr(calibrating, "look", fail)
    assert _run(sqlite_database) == 1
    row = _row(sqlite_database, number)
    assert row.state == "failed" and str(row.reason).startswith(reason) and "secret" not in str(row.reason)


def test_only_corrections_that_say_where_the_object_is_count(database: Database) -> None:
    with database.write() as session:
        for number in range(10):
            corrected(session, number)
        rows = {task.ls_task_id - 100: task for task in session.scalars(select(Task))}
        of = {n: session.scalars(select(Prediction).where(Prediction.region_id == f"tube-{n}")).one() for n in rows}
        late = {"author_id": 2, "ls_updated_at": now()}
        says(session, 901, rows[1], prediction=of[1], was_cancelled=True, **late)  # a skip does not outdo a correction
        says(session, 902, rows[2], prediction=of[2], **late)  # nothing left of the suggestion
        says(session, 903, rows[3], prediction=of[3], problem="odd", result=[], **late)
        for number, decision in ((4, "rejected"), (5, "sent back"), (6, "accepted")):
            seen = decisions.subject(session, rows[number].id)[0]
            assert seen is not None
            decisions.decide(
                session, rows[number].id, decision, reason="wrong object", comment="", reviewer="r", seen=seen.id
            )
        of[7].prompt = {"frame": 1, "box": [0, 0, 1, 1], "label": "Target"}
        of[8].model_version = "other@1/x"
        of[9].evidence_info = {}
        skipped = a_task(session, 200)
        says(session, 904, skipped, was_cancelled=True, author_id=1)
        alone = a_task(session, 201)
        says(session, 905, alone, whole(2, 9), author_id=1)
    with database.read() as session:
        found = gather(session, versions(), SETTINGS)
    assert [item.name for item in found.items] == ["1/100", "1/101", "1/106"]
    assert dict(found.left_out) == {
        "annotation: rejected": 1, "annotation: unreadable": 1, "annotation: skipped": 1, "review: rejected": 1,
        "review: sent back": 1, "follows a box that was drawn": 1, "other model or other looks": 1, "no rows": 1,
        "no prediction": 1,
    }  # fmt: skip


def test_a_correction_of_an_older_model_serves_with_the_scores_of_the_present_one(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        row = corrected(session, 1)
        assert row.prediction is not None
        row.prediction.model_version, row.prediction.evidence_info = "older@1/x", {}
        case = planted(1)
        newer = a_suggestion(session, 1, case.evidence, case.tube, version=versions().base + " ")
        newer.model_version = versions().base
    with sqlite_database.read() as session:
        (item,) = gather(session, versions(), SETTINGS).items
    assert item.evidence.rows is not None and item.truth[0].start_frame == case.truth.start_frame


def test_items_lack_what_the_present_settings_need(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        corrected(session, 1, method=replace(BOTH_WAYS, tas_temporal=False))
        task = a_task(session, 300)
        case = planted(2, BOTH_WAYS)
        nothing = a_suggestion(
            session, 2, replace(case.evidence, rows=None, chosen=-1), None, version=versions(BOTH_WAYS).base
        )
        task.video_id = nothing.video_id
        says(session, 300, task, Drawn.whole(case.truth), prediction=nothing)
    with sqlite_database.read() as session:
        found = gather(session, versions(BOTH_WAYS), BOTH_WAYS)
    assert not found.items
    assert dict(found.left_out) == {"no rows of the reversed video": 1, "no candidate object": 1}


def test_a_project_can_be_chosen_and_gaps_are_kept(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        corrected(session, 1)
        corrected(session, 2, project=2)
        task = a_task(session, 400, project=2)
        case = planted(3)
        row = a_suggestion(session, 3, case.evidence, case.tube, version=versions().base)
        says(session, 400, task, Drawn(whole(10, 60).tube, ((10, 20), (50, 60))), prediction=row)
    with sqlite_database.read() as session:
        items = gather(session, versions(), SETTINGS, project_id=2).items
    assert [item.name for item in items] == ["2/102", "2/400"]
    assert [(part.start_frame, part.end_frame) for part in items[1].truth] == [(10, 20), (50, 60)]


@pytest.mark.parametrize("page", [1, 2, 100])
def test_of_many_corrections_the_newest_are_used(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(corrected_, "MOST", 3)
    monkeypatch.setattr(corrected_, "_PAGE", page)
    with sqlite_database.write() as session:
        for number in range(6):
            row = corrected(session, number)
            row.ls_updated_at = now() - timedelta(days=number)
            if number == 1:
                assert row.prediction is not None
                row.prediction.prompt = {"frame": 1, "box": [0, 0, 1, 1], "label": "Target"}
    with sqlite_database.read() as session:
        found = gather(session, versions(), SETTINGS)
    assert [item.name for item in found.items] == ["1/100", "1/102", "1/103"]
    assert dict(found.left_out) == {"follows a box that was drawn": 1, "older than the newest 3": 2}
