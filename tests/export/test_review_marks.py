"""``--suggestions``: what nobody has looked at leaves by itself and marked; an export names every task that stays."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.cli.evaluate import command as evaluate
from backend.cli.export import command
from backend.cli.main import stvg
from backend.db import jobs
from backend.db.engine import Database
from backend.db.tables import Task
from backend.export.datasheet import left_out
from backend.export.errors import ExportError
from backend.export.exporting import Outcome, export
from backend.export.formats import FORMATS
from backend.export.open_tasks import FAILED, LABELLED, NOT_LOOKED_AT, WAITING
from backend.export.selection import Selection
from backend.importing.pushing import ANNOTATION
from backend.review import decisions
from backend.settings import SettingsError
from stvg_core.datasets.base import DatasetError
from stvg_core.datasets.review_marks import MARK, count_unreviewed
from tests.db.helpers import becomes
from tests.export.rows import CORRECTED, START, a_task, a_tube, a_video, annotate
from tests.export.test_suggestions import decide, suggest

ROOT = Path(__file__).parents[2]
SUGGESTIONS = Selection(suggestions=True)
OPEN = {1, 2, 3, 4}
STAYS = {
    "suggestion accepted by a reviewer": {5},
    "suggestion rejected by a reviewer": {6},
    "suggestion sent back by a reviewer": {7},
    "the suggestion says that the object is not there": {8},
    "the sentence was changed after the suggestion": {9},
    "the video was changed after the suggestion": {10},
    FAILED: {11},
    WAITING: {12, 13},
    LABELLED: {14, 15},
}


def a_task_of_every_kind(session: Session) -> None:
    """Numbers as in :data:`OPEN` and :data:`STAYS`; one more open one in project 8."""
    made = {number: a_task(session, number, query=f"box {number}") for number in range(1, 16)}
    found = {n: suggest(session, task) for n, task in made.items() if n not in (11, 12, 13)}
    decide(session, made[2])
    decisions.undo(session, made[2].id, reviewer="ann")
    annotate(session, made[3], a_tube(CORRECTED), minute=1)
    annotate(session, made[3], minute=2, deleted=True)
    found[4].query = "Box\u00a04 "  # the same sentence for a reader
    decide(session, made[5])
    decide(session, made[6], "rejected")
    decide(session, made[7], "sent back")
    found[8].keyframes = None
    made[9].query = "another object"
    made[10].video_id = a_video(session, "c").id
    for number, values in (
        (11, {"deliver": True, "state": "failed"}),
        (12, {"deliver": True}),
        (13, {"deliver": False}),
    ):
        job, _ = jobs.enqueue(
            session, identity=f"j{number}", task_id=made[number].id, video_ref="", query="", model_version="m",
            deliver=bool(values["deliver"]), priority=0,
        )  # fmt: skip
        # An annotator's own question (13) is no suggestion for the task.
        answer = found[1].id if number == 13 else None
        becomes(session, job, state=str(values.get("state", "done")), prediction_id=answer)
    annotate(session, made[14], a_tube(), prediction=found[14])
    annotate(session, made[15], was_cancelled=True)
    suggest(session, a_task(session, 1, project=8))


def outcome_of(database: Database, out: Path, selection: Selection, project_id: int | None = 7) -> Outcome:
    with database.read() as session:
        return export(session, FORMATS["csv"], out, selection=selection, project_id=project_id, overwrite=True)


def test_what_nobody_has_looked_at_leaves_and_the_rest_is_counted(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        a_task_of_every_kind(session)
    found = outcome_of(database, tmp_path / "a.csv", SUGGESTIONS)
    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["task"]) for row in rows} == OPEN
    assert {(row["origin"], row["annotator"], row["verdict"]) for row in rows} == {(MARK, "", "")}
    assert dict(left_out(found.counts)) == {reason: len(tasks) for reason, tasks in STAYS.items()}
    assert found.counts["exported"] == found.counts[MARK] == len(OPEN)


def test_the_labels_export_names_the_same_tasks_the_other_way_round(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        a_task_of_every_kind(session)
    found = outcome_of(database, tmp_path / "a.csv", Selection())
    reasons = dict(left_out(found.counts))
    # 1, 2, 3, 4 and those that only the look at each suggestion tells apart: 8, 9, 10.
    assert reasons.pop(NOT_LOOKED_AT) == 7
    assert reasons == {
        "suggestion rejected by a reviewer": 1, "suggestion sent back by a reviewer": 1, FAILED: 1, WAITING: 2,
        "skipped by the annotator": 1,
    }  # fmt: skip
    assert found.counts["exported"] == 2
    assert 2 + 7 + sum(reasons.values()) == 15, "every task of the project is accounted for"
    sheet = found.datasheet.read_text()
    assert f"| {NOT_LOOKED_AT} | 7 |" in sheet and MARK not in sheet


@pytest.mark.parametrize("selection", [SUGGESTIONS, Selection()])
def test_without_a_project_every_task_of_all_is_accounted_for(
    sqlite_database: Database, tmp_path: Path, selection: Selection
) -> None:
    with sqlite_database.write() as session:
        a_task_of_every_kind(session)
    found = outcome_of(sqlite_database, tmp_path / "a.csv", selection, project_id=None)
    with sqlite_database.read() as session:
        number = len(session.scalars(select(Task.id)).all())
    assert found.counts["exported"] + sum(count for _, count in left_out(found.counts)) == number == 16


def test_a_new_suggestion_after_a_rejection_is_one_that_nobody_has_looked_at(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with sqlite_database.write() as session:
        task = a_task(session)
        old = suggest(session, task)
        decide(session, task, "rejected")
    assert outcome_of(sqlite_database, tmp_path / "a.csv", SUGGESTIONS).counts["exported"] == 0
    with sqlite_database.write() as session:
        from tests.db.helpers import a_prediction, becomes

        task = session.scalars(select(Task)).one()
        new = a_prediction(session, identity="newer", query=task.query)
        new.video_id = old.video_id
        job, _ = jobs.enqueue(
            session, identity="again", task_id=task.id, video_ref=task.video_ref, query=task.query,
            model_version="n", deliver=True, priority=0,
        )  # fmt: skip
        becomes(session, job, state="done", prediction_id=new.id)
    found = outcome_of(sqlite_database, tmp_path / "a.csv", SUGGESTIONS)
    assert (found.counts["exported"], left_out(found.counts)) == (1, [])


def test_filters_of_suggestions(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        for number, score in ((1, 0.9), (2, 0.2), (3, None)):
            found = suggest(session, a_task(session, number))
            found.score = found.score if score is None else score
        for job, _ in jobs.listing(session):
            when = START.replace(year=2020) if job.task.ls_task_id == 3 else START
            becomes(session, job, finished_at=when)
    chosen = Selection(suggestions=True, min_score=0.5, since=START.date())
    outcome = outcome_of(sqlite_database, tmp_path / "a.csv", chosen)
    assert (outcome.counts["exported"], dict(left_out(outcome.counts))) == (
        1, {"score below the one asked for": 1, "outside the dates": 1},
    )  # fmt: skip
    sheet = outcome.datasheet.read_text()
    assert "score 0.5 or more" in sheet and f"suggested on {START.date().isoformat()} or later" in sheet
    for wrong in (
        {"suggestions": True, "accepted_only": True},
        {"suggestions": True, "annotators": frozenset({3})},
        {"min_score": 0.5},
        {"suggestions": True, "min_score": float("nan")},
    ):
        with pytest.raises(ExportError, match=r"--suggestions|--min-score"):
            Selection(**wrong)  # type: ignore[arg-type]


READ_BACK = {
    "hcstvg1": ("out", 2), "hcstvg2": ("out", 2), "vidstg": ("out/annotations.json", 2), "coco-vid": ("out", 2),
    "youtube-vis": ("out", 2), "mot": ("out/1/gt/gt.txt", 1), "cvat": ("out/1.xml", 2), "csv": ("out", 16),
    "labelstudio": ("out", 0), "parquet": ("out", 2),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_every_format_says_so(sqlite_database: Database, sqlite_url: str, tmp_path: Path, kind: str) -> None:
    """Two suggestions on one video; the same two as labels carry no mark."""
    with sqlite_database.write() as session:
        made = [a_task(session, number, query=f"box {number}", ref="1.mp4") for number in (1, 2)]
        for task in made:
            suggest(session, task)
    run_export(sqlite_url, kind, tmp_path / "out", "--suggestions")
    name, marks = READ_BACK[kind]
    assert count_unreviewed(tmp_path / name) == marks
    sheet = (tmp_path / "out.datasheet.md").read_text()
    assert "Not ground truth" in sheet and f"| {MARK} | 2 |" in sheet and "nobody (not reviewed)" in sheet
    assert "| accepted |" not in sheet and "accepted suggestion" not in sheet
    if kind == "labelstudio":
        for task in json.loads((tmp_path / name).read_text()):
            [prediction] = task["predictions"]
            assert "annotations" not in task
            assert (prediction["model_version"], prediction["score"]) == ("m", 0.5)
            assert {region["origin"] for region in prediction["result"]} == {"prediction"}
    if kind == "parquet":
        pyarrow = pytest.importorskip("pyarrow.parquet")
        assert set(pyarrow.read_table(tmp_path / "out")["origin"].to_pylist()) == {MARK}
    if kind == "vidstg":
        frames = json.loads((tmp_path / "out/vidor/1.json").read_text())["trajectories"]
        assert {box["generated"] for frame in frames for box in frame} == {1}, "no box was set by a hand"

    with sqlite_database.write() as session:
        for task in session.scalars(select(Task)).all():
            decide(session, task)
    run_export(sqlite_url, kind, tmp_path / "out", "--overwrite")
    assert count_unreviewed(tmp_path / name) == 0
    assert "Not ground truth" not in (tmp_path / "out.datasheet.md").read_text()


def run_export(url: str, kind: str, out: Path, *more: str) -> tuple[str, str]:
    """What the command printed: on stdout and on stderr."""
    arguments = ["--format", kind, "--out", str(out), "--database-url", url, *more]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_an_export_without_labels_says_why(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        suggest(session, a_task(session))
    printed, said = run_export(sqlite_url, "hcstvg2", tmp_path / "a.json")
    assert "0 labels written" in printed and "left out" not in printed
    assert f"1 tasks left out: {NOT_LOOKED_AT}" in said and "stvg export --suggestions" in said
    printed, said = run_export(sqlite_url, "hcstvg2", tmp_path / "a.json", "--suggestions")
    assert "1 suggestions that nobody has looked at" in printed and said == ""


def test_a_place_whose_name_is_not_utf8(sqlite_url: str, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "STVG_DATABASE_URL": sqlite_url}
    run = "from backend.cli.main import main; main()"
    words = ["export", "--format", "csv", "--out", folder + b"/caf\xe9.csv"]
    done = subprocess.run([sys.executable, "-c", run, *words], env=environment, capture_output=True)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    assert b"0 labels written" in done.stdout and Path(os.fsdecode(folder + b"/caf\xe9.csv")).exists()


def test_a_split_takes_them_too(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        for number in range(1, 9):
            suggest(session, a_task(session, number, video=a_video(session, "abcdefgh"[number - 1])))
    run_export(sqlite_url, "csv", tmp_path / "a.csv", "--suggestions", "--split", "x=0.5,y=0.5")
    found: Counter[str] = Counter()
    for part in "xy":
        with (tmp_path / f"a-{part}.csv").open() as file:
            found.update({row["task"] for row in csv.DictReader(file)})
    assert sorted(map(int, found.elements())) == list(range(1, 9))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--accepted-only",), ExportError),
        (("--annotator", "3"), ExportError),
        (("--as", "annotations"), SettingsError),
    ],
)
def test_what_does_not_go_together_is_refused(
    sqlite_url: str, tmp_path: Path, words: tuple[str, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        run_export(sqlite_url, "labelstudio", tmp_path / "a.json", "--suggestions", *words)
    assert not (tmp_path / "a.json").exists()


def test_they_are_not_taken_for_truth(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        for number in (1, 2):
            suggest(session, a_task(session, number, query=f"box {number}"))
    out = tmp_path / "a.json"
    run_export(sqlite_url, "hcstvg2", out, "--suggestions")
    words = ["--truth", out, "--predictions", out, "--json", tmp_path / "scores.json"]
    done = CliRunner().invoke(evaluate, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0 and "2 labels" in done.stderr and "nobody has reviewed" in done.stderr
    assert json.loads((tmp_path / "scores.json").read_text())["truth_not_reviewed"] == 2


def refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, file: Path, *more: str) -> bool:
    """Does ``stvg import`` refuse to make annotations of it, before it asks Label Studio anything?"""
    monkeypatch.setenv("STVG_LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("STVG_LABEL_STUDIO_TOKEN", "t")
    (tmp_path / "videos").mkdir(exist_ok=True)
    words = ["import", file, "--format", kind, "--project", "p", "--videos", tmp_path / "videos", "--as", ANNOTATION]
    done = CliRunner().invoke(stvg, [*map(str, words), *more])
    return isinstance(done.exception, DatasetError) and "no ground truth" in str(done.exception)


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_they_do_not_become_annotations(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Whether the folder is named or a file in it."""
    with sqlite_database.write() as session:
        suggest(session, a_task(session, ref="1.mp4"))
    run_export(sqlite_url, kind, tmp_path / "out", "--suggestions")
    for name in {"out", READ_BACK[kind][0]}:
        assert refused(monkeypatch, tmp_path, kind, tmp_path / name), name


@pytest.mark.parametrize(("kind", "name"), [("csv", "out"), ("hcstvg2", "out"), ("cvat", "out/1.xml")])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le"])
def test_nor_after_somebody_saved_the_file_in_another_encoding(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str,
    encoding: str,
) -> None:  # fmt: skip
    with sqlite_database.write() as session:
        suggest(session, a_task(session, query="caf\u00e9", ref="1.mp4"))
    run_export(sqlite_url, kind, tmp_path / "out", "--suggestions")
    text = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).write_bytes(text.encode(encoding))
    assert refused(monkeypatch, tmp_path, kind, tmp_path / name, "--encoding", encoding)
    if kind != "hcstvg2":
        return
    words = ["--truth", tmp_path / name, "--predictions", tmp_path / name, "--encoding", encoding]
    assert "nobody has reviewed" in CliRunner().invoke(evaluate, list(map(str, words))).stderr


@pytest.mark.parametrize("separator", [";", "\t"])
def test_nor_after_a_spreadsheet_wrote_the_table_anew(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, separator: str
) -> None:
    with sqlite_database.write() as session:
        suggest(session, a_task(session))
    run_export(sqlite_url, "csv", tmp_path / "out", "--suggestions")
    with (tmp_path / "out").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with (tmp_path / "out").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    assert refused(monkeypatch, tmp_path, "csv", tmp_path / "out")
