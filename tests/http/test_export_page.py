"""The export page."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from backend.cli.main import stvg
from backend.db import audits, projects
from backend.db.engine import Database
from backend.db.tables import Audit
from backend.export.errors import ExportError
from backend.export.formats import FORMATS
from backend.http.dataset import PREDICTIONS, choices, read_form
from stvg_core.datasets.review_marks import MARK
from tests.export.labels import CORRECTED_SENTENCE, GAP_SENTENCE, QUESTION, store
from tests.export.rows import a_task
from tests.export.test_review_marks import OPEN, STAYS, a_task_of_every_kind
from tests.export.test_suggestions import suggest
from tests.http.visitors import HTML, an_account, log_in, post


@pytest.fixture
def admin(web: FlaskClient, sqlite_database: Database) -> FlaskClient:
    """An admin who is logged in; three labels are there."""
    with sqlite_database.write() as session:
        store(session)
    an_account(sqlite_database, "ann", "admin", ls_user_id=3)
    log_in(web)
    return web


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go: empty again after each request."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _zip(response: TestResponse) -> zipfile.ZipFile:
    assert response.status_code == 200 and response.mimetype == "application/zip", response.text
    assert response.content_length == len(response.data)
    return zipfile.ZipFile(io.BytesIO(response.data))


def test_the_labels_leave_as_a_zip_with_their_datasheet(admin: FlaskClient, scratch: Path) -> None:
    response = post(admin, "/review/export", format="csv")
    assert response.headers["Content-Disposition"].startswith("attachment; filename=stvg-csv-")
    assert response.headers["Cache-Control"] == "no-store"
    archive = _zip(response)
    assert archive.namelist() == ["labels.csv", "labels.csv.datasheet.md", "labels.csv.videos.json"]
    rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert {row["sentence"] for row in rows} == {CORRECTED_SENTENCE, QUESTION, f"'{GAP_SENTENCE}"}
    response.close()
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("kind", sorted(choices()))
def test_every_format_can_be_had(admin: FlaskClient, scratch: Path, kind: str) -> None:
    with _zip(post(admin, "/review/export", format=kind)) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if not name.endswith(("datasheet.md", "videos.json", "/"))]
        assert names and all(name.startswith("labels/" if choices()[kind].folder else "labels.") for name in names)
        assert not [name for name in names if ".." in name or name.startswith("/")]
        assert choices()[kind].title in archive.read(next(n for n in archive.namelist() if n.endswith(".md"))).decode()
    assert not list(scratch.iterdir())


def test_labels_can_leave_as_predictions(admin: FlaskClient) -> None:
    tasks = json.loads(_zip(post(admin, "/review/export", format=PREDICTIONS)).read("labels.json"))
    assert len(tasks) == 3 and all(task["predictions"] and not task.get("annotations") for task in tasks)


def test_filters_and_split_are_kept(admin: FlaskClient) -> None:
    accepted = json.loads(_zip(post(admin, "/review/export", format="hcstvg2", what="accepted")).read("labels.json"))
    whole = json.loads(_zip(post(admin, "/review/export", format="hcstvg2")).read("labels.json"))
    assert 0 < len(accepted) < len(whole) == 3
    archive = _zip(
        post(admin, "/review/export", format="csv", split="train=0.5,test=0.5", project="7", since="2020-01-01")
    )
    assert {"labels-train.csv", "labels-test.csv"} <= set(archive.namelist())
    sheet = archive.read("labels.csv.datasheet.md").decode()
    assert "project 7" in sheet and "2020-01-01" in sheet


def _sheet(text: str) -> list[str]:
    """The datasheet without the minute in which it was written, and its title."""
    return text.splitlines()[3:]


def test_suggestions_leave_as_they_do_by_the_command(
    web: FlaskClient, sqlite_database: Database, sqlite_url: str, tmp_path: Path
) -> None:
    """The same rows, the same mark, and the same tasks left out for the same reasons."""
    with sqlite_database.write() as session:
        a_task_of_every_kind(session)
    an_account(sqlite_database, "ann", "admin")
    log_in(web)
    response = post(web, "/review/export", format="csv", project="7", what="suggestions")
    assert response.headers["Content-Disposition"].startswith("attachment; filename=stvg-csv-suggestions-")
    archive = _zip(response)
    words = ["export", "--format", "csv", "--out", str(tmp_path / "suggestions.csv"), "--project", "7", "--suggestions"]
    done = CliRunner().invoke(stvg, [*words, "--database-url", sqlite_url])
    assert done.exit_code == 0, done.output
    for name in ("suggestions.csv", "suggestions.csv.videos.json"):
        assert archive.read(name) == (tmp_path / name).read_bytes()
    rows = list(csv.DictReader(io.StringIO(archive.read("suggestions.csv").decode())))
    assert {int(row["task"]) for row in rows} == OPEN and {row["origin"] for row in rows} == {MARK}
    sheet = archive.read("suggestions.csv.datasheet.md").decode()
    assert _sheet(sheet) == _sheet((tmp_path / "suggestions.csv.datasheet.md").read_text())
    assert "Not ground truth" in sheet and all(f"| {why} | {len(tasks)} |" in sheet for why, tasks in STAYS.items())
    with sqlite_database.read() as session:
        row = session.scalars(select(Audit).where(Audit.action == "export")).one()
    assert row.detail["labels"] == len(OPEN) and "nobody has looked at" in row.detail["filters"][1]


def test_suggestions_of_a_local_project_above_a_score(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        assert projects.local(session, "Street", "").id == -1
        for number, score in ((1, 0.9), (2, 0.2)):
            suggest(session, a_task(session, number, project=-1)).score = score
    an_account(sqlite_database, "ann", "admin")
    log_in(web)
    assert '<option value="-1">Street</option>' in web.get("/review/export", headers=HTML).text
    fields = {"project": "-1", "what": "suggestions", "min_score": "0.5"}
    [task] = json.loads(_zip(post(web, "/review/export", format="labelstudio", **fields)).read("suggestions.json"))
    assert task["predictions"] and not task.get("annotations"), "a suggestion is no annotation"
    response = post(web, "/review/export", format="csv", **{**fields, "min_score": "0.95"})
    assert response.status_code == 400
    assert "No suggestion fits. Left out: 2 score below the one asked for." in response.text
    assert 'value="suggestions" checked' in response.text and 'value="0.95"' in response.text
    assert '<option value="-1" selected>Street</option>' in response.text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"what": "everything"}, "Choose what is exported"),
        ({"what": "suggestions", "annotator": "3"}, "by no annotator"),
        ({"min_score": "0.5"}, "Labels that people made have no score"),
        ({"what": "suggestions", "min_score": "high"}, "no number from 0 to 1"),
        ({"what": "suggestions", "min_score": "nan"}, "no number from 0 to 1"),
        ({"project": "--1"}, "no number of a project"),
        ({"format": "exe"}, "Choose a format"),
        ({"project": "one"}, "no number of a project"),
        ({"project": "9" * 30}, "no number of a project"),
        ({"annotator": "-1"}, "no number of an annotator"),
        ({"since": "yesterday"}, "Write it as 2026-01-31"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "last day is before the first"),
        ({"split": "train=2"}, "no part of a split"),
        ({"split": "../x=1"}, "no part of a split"),
        ({"project": "77"}, "No label fits."),
        ({"until": "2001-01-01"}, "Left out: 3 outside the dates"),
    ],
)
def test_what_cannot_be_exported_is_said_beside_the_filled_form(
    admin: FlaskClient, sqlite_database: Database, scratch: Path, fields: dict[str, str], reason: str
) -> None:
    response = post(admin, "/review/export", **{"format": "mot", **fields})
    assert response.status_code == 400 and reason in response.text and 'role="alert"' in response.text
    if fields.get("since"):
        assert f'value="{fields["since"]}"' in response.text
    if "format" not in fields:
        assert '<option value="mot" selected>' in response.text
    assert not list(scratch.iterdir())
    with sqlite_database.read() as session:
        assert [row.action for row in audits.newest(session)] == ["log in"], "nothing left, nothing is noted"


def test_an_export_that_breaks_leaves_nothing_behind(
    admin: FlaskClient, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("backend.http.dataset.zipfile.ZipFile.write", full)
    response = post(admin, "/review/export", format="csv")
    assert response.status_code == 507 and "No space left" in response.text and not list(scratch.iterdir())


def test_an_export_is_noted_with_its_filters(admin: FlaskClient, sqlite_database: Database) -> None:
    post(admin, "/review/export", format="csv", project="7", split="a=1").close()
    with sqlite_database.read() as session:
        row = session.scalars(select(Audit).where(Audit.action == "export")).one()
    assert (row.who, row.role, row.target) == ("ann", "admin", FORMATS["csv"].title) and row.address
    assert row.detail == {"labels": 3, "filters": ["project 7", "split a=1"]}
    page = admin.get("/review/audit", headers=HTML)
    assert "labels: 3; filters: project 7, split a=1" in page.text


def test_the_form_names_the_annotators_that_are_known(admin: FlaskClient) -> None:
    page = admin.get("/review/export", headers=HTML).text
    assert 'name="annotator" value="3"' in page and "ann (3)" in page
    response = post(admin, "/review/export", format="csv", annotator=["3"], until="2001-01-01")
    assert 'value="3" checked' in response.text


def test_several_annotators_can_be_chosen() -> None:
    wanted = read_form(MultiDict([("format", "csv"), ("annotator", "1"), ("annotator", "2"), ("split", " ")]))
    assert wanted.selection.annotators == {1, 2} and wanted.split is None and wanted.project_id is None
    assert wanted.sentences() == ["annotators 1, 2"]
    with pytest.raises(ExportError, match="Choose a format"):
        read_form(MultiDict())


def test_an_export_loads_no_model_library_and_pyarrow_only_for_parquet(
    sqlite_database: Database, sqlite_url: str
) -> None:
    with sqlite_database.write() as session:
        store(session)
    code = (
        "import sys\n"
        "from werkzeug.datastructures import MultiDict\n"
        "from backend.db.engine import Database\n"
        "from backend.http.dataset import choices, pack, read_form\n"
        "heavy = {'torch', 'transformers', 'cv2', 'decord', 'av', 'matplotlib'}\n"
        f"with Database({sqlite_url!r}).read() as session:\n"
        "    for kind in sorted(choices(), key=lambda kind: kind == 'parquet'):\n"
        "        assert 'pyarrow' not in sys.modules, kind\n"
        "        assert pack(session, read_form(MultiDict({'format': kind}))).labels == 3\n"
        "        assert not heavy & set(sys.modules), (kind, heavy & set(sys.modules))\n"
        "assert 'pyarrow' in sys.modules\n"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
