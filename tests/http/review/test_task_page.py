"""The page of one task, as a browser asks for it."""

from __future__ import annotations

import html
import re

from flask.testing import FlaskClient

from backend.db.engine import Database
from backend.db.tables import Prediction, Task
from tests.http.review.seen import page
from tests.http.visitors import HTML, an_account, post
from tests.review.labelled import CORRECTED, a_correction, a_job, a_task
from tests.review.test_compare import another


def test_who_stands_apart_from_the_others_is_said(web: FlaskClient, labelled: int, sqlite_database: Database) -> None:
    assert "Stands apart" not in page(web, f"/review/tasks/{labelled}")
    elsewhere = [[CORRECTED[0][0], 0.7, 0.7, 0.8, 0.8], [CORRECTED[-1][0], 0.7, 0.7, 0.8, 0.8]]
    with sqlite_database.write() as session:
        task = session.get_one(Task, labelled)
        a_correction(session, task, None, who=5)
        a_correction(session, task, None, who=7, keyframes=elsewhere)
    assert "<dt>Stands apart</dt><dd>annotator 7</dd>" in page(web, f"/review/tasks/{labelled}")


def test_people_go_by_their_names(web: FlaskClient, labelled: int, sqlite_database: Database) -> None:
    path = f"/review/tasks/{labelled}"
    assert "to annotator 3." in page(web, path)
    with sqlite_database.write() as session:
        a_correction(session, session.get_one(Task, labelled), None, who=5)
    for number, name in ((3, "Anna"), (5, "Ben <i>")):
        an_account(sqlite_database, name, "annotator", ls_user_id=number)
    text = page(web, path)
    assert ">Anna</td>" in text and ">Ben &lt;i&gt;</td>" in text and "annotator 5" not in text
    titles = [tube["title"] for tube in web.get(f"{path}/evidence.json").json["tubes"]]
    assert ("Anna" in titles) != ("Ben <i>" in titles), "of two labels the one that stands is the correction"
    assert "Anna, Ben &lt;i&gt;" in page(web, "/review/")


def test_the_item_page(web: FlaskClient, labelled: int) -> None:
    text = page(web, f"/review/tasks/{labelled}")
    assert "Is there the red box in this video?" in text and "m@1/0" in text
    assert 'href="http://ls.example/base/projects/1/data?task=11" target="_blank" rel="noopener"' in text
    assert 'value="accepted"' in text and "<script>" not in text and " style=" not in text
    drawn = web.get(f"/review/tasks/{labelled}/evidence.json").json
    assert drawn["tubes"][1]["keyframes"] == CORRECTED


def test_the_item_page_leads_to_the_frame_to_check(web: FlaskClient, labelled: int) -> None:
    text = page(web, f"/review/tasks/{labelled}")
    assert '<a href="#frame=11" data-key="w">Frame 11' in text and '<a href="#frame=41">Frame 41' in text
    assert "click the frame number there three times and type 11" in text
    assert text.index('id="decide"') < text.index('id="maps"'), "one below the other, the decision comes first"


def test_two_model_versions_beside_each_other(web: FlaskClient, labelled: int, sqlite_database: Database) -> None:
    path = f"/review/tasks/{labelled}"
    assert 'id="versions"' not in page(web, path)
    with sqlite_database.write() as session:
        task = session.get_one(Task, labelled)
        (first,) = session.query(Prediction).all()
        for version in ("m@2/<b>", "m@3/0"):
            another(session, task, first, version, uncertainty=0.25)
    text = page(web, path)
    assert 'id="versions"' in text and "m@2/&lt;b&gt;" in text and "m@2/<b>" not in text
    chosen = page(web, f"{path}?state=to+review&a=m@1/0&b=m@2/<b>")
    assert "vIoU 1.000, in time 1.000" in chosen and "<td>.25</td>" in chosen
    assert '<input type="hidden" name="state" value="to review">' in chosen
    assert "This task has no suggestion of m@9/0 to compare." in page(web, f"{path}?a=m@9/0")
    found = re.search(r'data-evidence="([^"]+)"', chosen)
    assert found is not None
    drawn = web.get(html.unescape(found[1])).json
    titles = [tube["title"] for tube in drawn["tubes"] if tube["kind"].startswith("version")]
    assert titles == ["A: m@1/0", "B: m@2/<b>"]


def test_a_task_that_is_not_there(web: FlaskClient) -> None:
    for path in ("/review/tasks/77", "/review/tasks/77/evidence.json", f"/review/tasks/{2**40}", "/review/videos/77"):
        assert web.get(path, headers=HTML).status_code == 404, path
    assert post(web, "/review/tasks/77/decision", decision="accepted", seen="").status_code == 404


def test_tasks_without_a_suggestion_have_a_page(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        waits, failed, drawn = (a_task(session, number) for number in (11, 12, 13))
        a_job(session, failed, state="failed", reason="It is not a video.")
        a_correction(session, drawn, None)
        numbers = waits.id, failed.id, drawn.id
    assert "waits for a worker" in page(web, f"/review/tasks/{numbers[0]}")
    assert "It is not a video." in page(web, f"/review/tasks/{numbers[1]}")
    assert "drawn from nothing" in page(web, f"/review/tasks/{numbers[2]}")


def test_strangers_see_nothing(web: FlaskClient, labelled: int) -> None:
    post(web, "/logout")
    for path in ("/review/", f"/review/tasks/{labelled}"):
        assert web.get(path, headers=HTML).location.startswith("/login?next=/review/")
    for path in (f"/review/tasks/{labelled}/evidence.json", "/review/videos/1", "/review/videos/1/frames/0.jpg"):
        assert web.get(path, headers={"Accept": "*/*"}).status_code in (302, 303, 401), path
        assert web.get(path, headers={"Accept": "*/*"}, auth=("stvg", "a-long-password")).status_code != 200, path
