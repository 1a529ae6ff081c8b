"""``stvg report`` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend.cli.main import stvg
from backend.db.engine import Database
from backend.review.drawn_tube import Drawn, keyframes
from backend.settings import SettingsError
from stvg_core.keyframes import expand
from stvg_core.tube import Tube
from tests.db.helpers import a_prediction, a_task
from tests.review.rows import says
from tests.review.tubes import moving, whole


def _report(*words: str) -> Result:
    return CliRunner().invoke(stvg, ["report", *words])


@pytest.fixture
def corrected(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("STVG_DATABASE_URL", str(sqlite_database.engine.url))
    with sqlite_database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
        same = Drawn.whole(expand(keyframes(prediction.keyframes or [])))
        says(session, 1, task, same, prediction=prediction, author_id=1, lead_time_s=4)
        says(session, 2, task, same, prediction=prediction, author_id=2, lead_time_s=6)
        says(session, 3, task, whole(2, 9, x=0.7), prediction=prediction, author_id=3)
        says(session, 4, task, author_id=4, was_cancelled=True)
    return sqlite_database


def test_effort_over_the_database(corrected: Database) -> None:
    content = json.loads(_report("effort", "--json").output)
    assert content["total"] == {
        "n": 3,
        "median_edits_with": 0.0,
        "median_edits_without": 2.0,
        "share_saved": 0.6667,
        "median_lead_time_s": 5.0,
        "n_lead_times": 2,
    }
    assert set(content["by_change"]) == {"accepted as is", "other object"} and content["left_out"] == {"skipped": 1}
    lines = _report("effort", "--project", "1").output.splitlines()
    assert lines[1].split() == ["accepted", "as", "is", "2", "0", "2", "100%", "5.0", "s"]
    assert lines[3].split() == ["all", "suggestions", "3", "0", "2", "67%", "5.0", "s"]
    assert lines[-1] == "1 left out: skipped"
    unknown = _report("effort", "--project", "77")
    assert isinstance(unknown.exception, SettingsError) and "no project 77" in str(unknown.exception)


def test_agreement_over_the_database(corrected: Database) -> None:
    content = json.loads(_report("agreement", "--json").output)
    assert content["tasks"][0]["annotators"] == [1, 2, 3] and content["tasks"][0]["outliers"] == [3]
    assert content["mean_viou"] == pytest.approx(1 / 3, abs=1e-3)
    assert [person["author_id"] for person in content["annotators"]] == [3, 1, 2]
    lines = _report("agreement").output.splitlines()
    assert lines[1].split()[:5] == ["1/11", "3", "0.333", "0.000", "3-10"], "frames from 1"
    assert "counted from 1 as in Label Studio" in lines[2]
    assert content["tasks"][0]["consensus"]["intervals"] == [[2, 9]], "frames from 0"
    assert lines[1].endswith("annotator 3 (annotation 3)") and lines[-1] == "mean vIoU over 1 tasks: 0.333"


def test_reports_without_corrections(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STVG_DATABASE_URL", str(sqlite_database.engine.url))
    assert "no correction" in _report("effort").output
    assert "No task" in _report("agreement").output
    assert json.loads(_report("effort", "--json").output)["total"]["share_saved"] is None
    assert json.loads(_report("agreement", "--json").output) == {"tasks": [], "annotators": [], "mean_viou": None}


def _file(path: Path, tubes: dict[str, Tube]) -> str:
    content = {
        name: {
            "bbox": [[x1 * 100, y1 * 100, (x2 - x1) * 100, (y2 - y1) * 100] for x1, y1, x2, y2 in tube.boxes.tolist()],
            "st_time": 0,
            "ed_time": 1,
            "st_frame": tube.start_frame + 1,
            "img_num": 100,
            "img_size": [100, 100],
            "English": "the red box",
        }
        for name, tube in tubes.items()
    }
    path.write_text(json.dumps(content))
    return str(path)


def test_effort_over_a_dataset(tmp_path: Path) -> None:
    truth = _file(tmp_path / "truth.json", {"a.mp4": moving(0, 20, step=0.01), "b.mp4": moving(5, 20)})
    predicted = _file(tmp_path / "ours.json", {"a.mp4": moving(0, 20, step=0.01), "z.mp4": moving(0, 5)})
    content = json.loads(_report("effort", "--truth", truth, "--predictions", predicted, "--json").output)
    assert content["total"]["n"] == 2 and content["total"]["share_saved"] == 0.5
    assert content["missing_predictions"] == 1 and content["left_out"] == {"prediction without a true tube": 1}
    assert "1 true tubes have no prediction" in _report("effort", "--truth", truth, "--predictions", predicted).output
    assert _report("effort", "--truth", truth).exit_code == 2
    both = _report("effort", "--truth", truth, "--predictions", predicted, "--project", "1")
    assert both.exit_code == 2 and "--project" in both.output
