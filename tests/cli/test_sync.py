"""``stvg sync``: what webhooks lost comes in, every version gets its diff, and a second time changes nothing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, select, update

from backend.bootstrap import places
from backend.cli.main import stvg
from backend.db import diffs, projects
from backend.db.engine import Database
from backend.db.tables import Base, Diff, Prediction, Task, TaskState
from backend.jobs.reconcile import _is_gone
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.transport import LabelStudioError, NotLabelStudio
from backend.settings import Settings, SettingsError
from tests.db.helpers import CONFIG
from tests.jobs.conftest import Loop, each_loop, loop  # noqa: F401
from tests.jobs.test_corrections import _annotation, _box, _saved, _send
from tests.review.test_compare import another


@pytest.fixture
def shell(each_loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Loop:  # noqa: F811
    """The environment of the test's database, and its Label Studio."""
    url = each_loop.database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("STVG_DATABASE_URL", url)

    def open_client(settings: Settings) -> LabelStudioClient:
        return LabelStudioClient("http://ls", "t", transport=httpx.MockTransport(each_loop.label_studio), pause=0)

    monkeypatch.setattr(places, "open_label_studio", open_client)
    return each_loop


def _sync(*words: str) -> Result:
    return CliRunner().invoke(stvg, ["sync", *words])


def _everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def _changes(database: Database) -> list[str]:
    with database.read() as session:
        return [row.change for row in session.scalars(select(Diff).order_by(Diff.annotation_id))]


def test_all_that_was_lost_comes_in_and_a_second_time_changes_nothing(shell: Loop) -> None:
    shell.ask(shell.task(1))
    shell.worker.drain()
    with shell.database.read() as session:
        prediction = session.scalars(select(Prediction)).one()
    _send(shell, _saved(number=8), _saved(number=7))
    mine = _annotation(9, minute=3, result=[_box(prediction.region_id)])
    skipped = _annotation(10, minute=4, result=[], was_cancelled=True)
    shell.label_studio.annotations = [_annotation(8), mine, skipped]  # 7 was deleted, and nobody told
    done = _sync()
    assert done.exit_code == 0, done.exception
    assert "webhooks that waited: 2 read" in done.output
    assert "project 1: 2 versions fetched, 1 deletions noted" in done.output and "diffs: 0 computed" in done.output
    drawn, kind = "drawn from nothing", "ends and boxes moved"
    assert _changes(shell.database) == [drawn, drawn, kind, "skipped", "deleted"]
    before = _everything(shell.database)
    assert len(before["annotation"]) == len(before["diff"]) == 5
    again = _sync()
    assert _everything(shell.database) == before
    assert "0 read" in again.output and "0 versions fetched, 0 deletions noted" in again.output


def test_a_save_made_again_keeps_the_history_and_each_version_its_diff(shell: Loop) -> None:
    shell.task(1)
    for minute, x in enumerate((5, 10, 15)):
        shell.label_studio.annotations = [_annotation(8, minute=minute, result=[_box(x=x)])]
        assert "1 versions fetched" in _sync("--project", "1").output
    shell.label_studio.annotations = []
    assert "1 deletions noted" in _sync("--project", "1").output
    assert _changes(shell.database) == ["drawn from nothing"] * 3 + ["deleted"]


def test_versions_from_before_the_migration_get_their_diffs(shell: Loop) -> None:
    shell.task(1)
    shell.label_studio.annotations = [_annotation(8), _annotation(9, result=[])]
    _sync()
    with shell.database.write() as session:
        known = {number: row.change for number, row in diffs.by_annotation(session).items()}
        session.execute(delete(Diff))
    assert "diffs: 2 computed" in _sync().output and "diffs: 0 computed" in _sync().output
    with shell.database.read() as session:
        assert {number: row.change for number, row in diffs.by_annotation(session).items()} == known


def test_predictions_from_before_get_their_uncertainty(shell: Loop) -> None:
    shell.ask(shell.task(1))
    shell.worker.drain()
    with shell.database.write() as session:
        row = session.scalars(select(Prediction)).one()
        stored, row.uncertainty = row.uncertainty, None
    assert stored is not None and 0 <= stored <= 1, "a new prediction has it at once"
    assert "uncertainties: 1 computed" in _sync().output and "uncertainties: 0 computed" in _sync().output
    with shell.database.read() as session:
        assert session.scalars(select(Prediction.uncertainty)).one() == stored


def test_tasks_from_before_get_the_agreement_of_their_model_versions(shell: Loop) -> None:
    shell.ask(shell.task(1))
    shell.worker.drain()
    with shell.database.write() as session:
        task, row = session.scalars(select(Task)).one(), session.scalars(select(Prediction)).one()
        another(session, task, row, "second")
        session.execute(update(TaskState).values(versions_compared=None, versions_agree=None))
    name = "agreements of model versions"
    assert f"{name}: 1 computed" in _sync().output and f"{name}: 0 computed" in _sync().output
    with shell.database.read() as session:
        assert session.scalars(select(TaskState.versions_agree)).one() == 1.0


def test_what_cannot_be_compared_is_said(shell: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    with shell.database.write() as session:
        projects.register(session, 2, CONFIG)
    shell.label_studio.gone_projects.add(2)
    done = _sync()
    assert done.exit_code == 0 and "project 2: not compared" in done.output and "project 1: 0 versions" in done.output
    assert isinstance(_sync("--project", "2").exception, LabelStudioError)
    unknown = _sync("--project", "3")
    assert isinstance(unknown.exception, SettingsError) and "stvg connect" in str(unknown.exception)
    shell.label_studio.away = True
    assert isinstance(_sync().exception, LabelStudioError)
    monkeypatch.setattr(places, "open_label_studio", lambda settings: None)
    nowhere = _sync()
    assert isinstance(nowhere.exception, SettingsError) and "STVG_LABEL_STUDIO_URL" in str(nowhere.exception)


@pytest.mark.parametrize(
    "instead",
    [
        httpx.Response(301, headers={"Location": "https://ls/api/projects/1/"}),
        httpx.Response(404, html="<title>404 Not Found</title>"),
        httpx.Response(200, html="<title>Sign in</title>"),
        httpx.Response(200),
    ],
)
def test_an_address_that_leads_elsewhere_is_an_error_and_deletes_nothing(shell: Loop, instead: httpx.Response) -> None:
    """A proxy's page once passed for "this annotation is gone", and the correction for deleted."""
    shell.task(1)
    shell.label_studio.annotations = [_annotation(8)]
    _sync()
    before = _everything(shell.database)
    shell.label_studio.instead = instead
    done = _sync()
    assert isinstance(done.exception, NotLabelStudio) and _everything(shell.database) == before
    with pytest.raises(NotLabelStudio):
        _is_gone(shell.client, 8, 1)


def test_odd_data_in_label_studio_stop_no_comparison(shell: Loop) -> None:
    """What a webhook would be refused for is fetched later, and must lose no correction, of others or its own."""
    deep: dict[str, Any] = {}
    for _ in range(480):
        deep = {"a": deep}
    shell.label_studio.add_task(1, **deep)
    shell.task(2, query="half \ud800 a sentence")
    half = _box("\ud800") | {"meta": {"text": ["\ud800", "\x00"]}}
    shell.label_studio.annotations = [
        _annotation(7),
        _annotation(8, task=2, result=[half]),
        _annotation(2**70, task=2),
        _annotation(9, task=2, result=[_box() | {"value": []}]),
    ]
    done = _sync()
    assert done.exit_code == 0, done.exception
    assert "project 1: 2 versions fetched, 0 deletions noted" in done.output
    again = _sync()
    assert "project 1: 0 versions fetched, 0 deletions noted" in again.output
