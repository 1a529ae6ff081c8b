"""The queue, the page of one task, decisions, and the video behind them, as a browser asks for them."""

from __future__ import annotations

import hashlib
import html
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from backend.db import audits
from backend.db.engine import Database
from backend.db.tables import Prediction, Project, Task
from backend.http.app import create_app
from backend.http.fetching import Fetching
from backend.http.footage import media_type
from backend.http.stills import Stills, StillsBusy
from backend.media import MediaLibrary
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from backend.review import decisions
from backend.review.queue import PAGE
from stvg_core.children.child import ChildLimits
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.video.child_processes import DecodingProcesses
from tests.db import helpers
from tests.db.helpers import CONFIG
from tests.http.conftest import MODEL, make_settings
from tests.http.visitors import HTML, an_account, log_in, post
from tests.review.labelled import CORRECTED, FRAMES, a_correction, a_job, a_suggestion, a_task
from tests.review.test_compare import another


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real mp4 of ``FRAMES`` frames."""
    scene = replace(split_scene("demo", 0, difficulty="easy"), n_frames=FRAMES)
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", scene)


@pytest.fixture
def root(tmp_path: Path, clip: Path) -> Path:
    (tmp_path / "videos" / "clips").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "videos" / "clips" / "clip.mp4")
    return tmp_path / "videos"


@pytest.fixture
def web(sqlite_database: Database, root: Path, tmp_path: Path) -> Iterator[FlaskClient]:
    """An app that sees the clip, with a reviewer logged in."""
    settings = make_settings(document_root=root, data_dir=tmp_path / "data", label_studio_url="http://ls.example/base/")
    an_account(sqlite_database, "rita", "reviewer")
    with create_app(settings, database=sqlite_database, model_version=MODEL).test_client() as caller:
        log_in(caller, "rita")
        yield caller


@pytest.fixture
def labelled(sqlite_database: Database, clip: Path) -> int:
    """A corrected task on the clip; returns its row."""
    with sqlite_database.write() as session:
        task = a_task(session, 11)
        a_correction(session, task, a_suggestion(session, task, file=clip))
        return task.id


def page(web: FlaskClient, path: str) -> str:
    response = web.get(path, headers=HTML)
    assert response.status_code == 200, response.text
    return response.text


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
    assert "<td>Anna</td>" in text and "<td>Ben &lt;i&gt;</td>" in text and "annotator 5" not in text
    titles = [tube["title"] for tube in web.get(f"{path}/evidence.json").json["tubes"]]
    assert ("Anna" in titles) != ("Ben <i>" in titles), "of two labels the one that stands is the correction"
    assert "Anna, Ben &lt;i&gt;" in page(web, "/review/")


def seen_on(text: str) -> str:
    return text.partition('name="seen" value="')[2].partition('"')[0]


def test_the_queue_shows_and_filters(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    with sqlite_database.write() as session:
        a_job(session, a_task(session, 12, query="the one that fails"), state="failed", reason="It is not a video.")
    everything = page(web, "/review/")
    assert (
        "the red box moves" in everything and "the one that fails" in everything and "It is not a video." in everything
    )
    assert "ends and boxes moved" in everything and "clip.mp4" in everything
    failed = page(web, "/review/?state=failed")
    assert "the red box moves" not in failed and "the one that fails" in failed
    assert f'href="/review/tasks/{labelled}?state=to+review"' in page(web, "/review/?state=to+review")
    assert "Nothing here" in page(web, "/review/?state=skipped")
    assert "No task is under this filter" in page(web, "/review/?annotator=99")


def test_an_empty_queue_says_what_to_do(web: FlaskClient) -> None:
    assert "stvg connect" in page(web, "/review/")


def test_the_pages_of_the_queue_are_linked(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        for number in range(1, 2 * PAGE + 2):
            a_task(session, number)
    first = page(web, "/review/?sort=age&order=up")
    assert f"{PAGE} of {2 * PAGE + 1} tasks" in first and 'rel="prev"' not in first and 'rel="first"' not in first
    last = page(web, linked(first, "last"))
    assert 'rel="next"' not in last and linked(last, "first") == "/review/?sort=age&order=up"
    second = page(web, linked(first, "next"))
    third = page(web, linked(second, "next"))
    assert tasks_on(first) + tasks_on(second) + tasks_on(third) == list(range(2 * PAGE + 1, 0, -1))
    assert tasks_on(page(web, linked(second, "prev"))) == tasks_on(first)
    assert tasks_on(last) == list(range(PAGE, 0, -1))


def linked(text: str, rel: str) -> str:
    """Where the link of a kind leads."""
    found = re.search(rf'rel="{rel}" href="([^"]+)"', text)
    assert found is not None, rel
    return html.unescape(found[1])


def tasks_on(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'<tr data-task="(\d+)"', text)]


def test_a_local_project_is_called_by_its_title(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        session.add(Project(id=-1, title="Street scenes", label_config=CONFIG))
        number = helpers.a_task(session, 1, project=-1).id
    listed = page(web, "/review/?project=-1")
    assert '<option value="-1" selected>Street scenes</option>' in listed and "project Street scenes, task 1" in listed
    text = page(web, f"/review/tasks/{number}?project=-1")
    assert "project Street scenes, task 1" in text and "Label Studio ↗" not in text


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
    assert "type 11 into the frame field there" in text
    assert text.index('id="decide"') < text.index('id="maps"'), "one below the other, the decision comes first"


def test_how_far_model_versions_agree_is_said_and_orders_the_list(
    web: FlaskClient, labelled: int, sqlite_database: Database
) -> None:
    path = f"/review/tasks/{labelled}"
    assert "data-versions" not in page(web, "/review/") and "data-agree" not in page(web, path)
    with sqlite_database.write() as session:
        task, other = session.get_one(Task, labelled), a_task(session, 12)
        (first,) = session.query(Prediction).all()
        another(session, task, first, "m@2/0")
        another(session, other, first, "m@1/0")
        another(session, other, first, "m@2/0", keyframes=None)
        apart = other.id
    text = page(web, path)
    assert "Two model versions agree: vIoU 1.00." in text
    for order, expected in (("", [apart, labelled]), ("&order=up", [labelled, apart])):
        listed = page(web, f"/review/?sort=versions{order}")
        assert [int(number) for number in re.findall(r'id="task-(\d+)"', listed)][:2] == expected
        assert '<option value="versions" selected>model versions disagree</option>' in listed
        said = re.findall(r"data-versions>([^<]+)<", listed)
        assert sorted(said) == ["model versions agree: vIoU 1.00", "model versions disagree: vIoU .00"]
    with sqlite_database.write() as session:
        another(session, session.get_one(Task, labelled), first, "m@3/0", keyframes=None)
        another(session, session.get_one(Task, labelled), first, "m@4/0")
    text = page(web, path)
    assert "4 model versions agree: vIoU .67, the mean of the newest suggestion with each of the others." in text


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


def test_accept_goes_on_to_the_next(web: FlaskClient, sqlite_database: Database, labelled: int, clip: Path) -> None:
    with sqlite_database.write() as session:
        other = a_task(session, 12, query="the second")
        a_suggestion(session, other, file=clip)
        following = other.id
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    response = post(web, f"/review/tasks/{labelled}/decision?sort=age", decision="accepted", seen=seen)
    assert (response.status_code, response.location) == (303, f"/review/tasks/{following}?sort=age")
    text = page(web, response.location)
    assert "Task 11" in text and f'action="/review/tasks/{labelled}/undo?sort=age"' in text
    with sqlite_database.read() as session:
        (row,) = decisions.history(session, labelled)
        acts = [(act.who, act.action, act.target) for act in audits.newest(session, 10)]
    assert (row.decision, row.reviewer, row.annotation_id) == ("accepted", "rita", int(seen))
    assert ("rita", "accepted", f"task {labelled}") in acts


def test_the_last_one_leads_back_to_the_queue(web: FlaskClient, labelled: int) -> None:
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    response = post(web, f"/review/tasks/{labelled}/decision?state=to+review", decision="accepted", seen=seen)
    assert response.location == "/review/?state=to+review"
    assert "last one under this filter" in page(web, response.location)


def test_reject_needs_a_reason_and_keeps_the_comment(
    web: FlaskClient, sqlite_database: Database, labelled: int
) -> None:
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    path = f"/review/tasks/{labelled}/decision"
    refused = post(web, path, decision="sent back", seen=seen, comment="look at <b>the end</b>")
    assert refused.status_code == 400 and "choose a reason" in refused.text
    assert "look at &lt;b&gt;the end&lt;/b&gt;</textarea>" in refused.text
    assert post(web, path, decision="sent back", seen=seen, reason="boxes loose", comment="x").status_code == 303
    assert post(web, path, decision="maybe", seen=seen).status_code == 400
    assert post(web, path, decision="sent to another", seen=seen, reason="wrong object").status_code == 303
    with sqlite_database.read() as session:
        assert [(row.decision, row.reason) for row in decisions.history(session, labelled)] == [
            ("sent back", "boxes loose"),
            ("sent to another", "wrong object"),
        ]


def test_a_label_that_changed_meanwhile(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    with sqlite_database.write() as session:
        task = session.get_one(Task, labelled)
        newer = a_correction(session, task, None, who=5).id
    fields = {"decision": "rejected", "seen": seen, "reason": "object absent", "comment": "a long thought"}
    refused = post(web, f"/review/tasks/{labelled}/decision", **fields)
    assert refused.status_code == 409 and "changed meanwhile" in refused.text
    assert (
        "a long thought</textarea>" in refused.text and 'value="object absent" data-number="4" checked' in refused.text
    )
    assert seen_on(refused.text) == str(newer), "the page now shows the new version, and can be decided about"
    with sqlite_database.read() as session:
        assert not decisions.history(session, labelled)


def test_undo(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    nothing = post(web, f"/review/tasks/{labelled}/undo")
    assert nothing.status_code == 400 and "nothing to undo" in nothing.text
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    post(web, f"/review/tasks/{labelled}/decision", decision="accepted", seen=seen)
    assert "Undo" in page(web, f"/review/tasks/{labelled}")
    assert post(web, f"/review/tasks/{labelled}/undo").location == f"/review/tasks/{labelled}"
    text = page(web, f"/review/tasks/{labelled}")
    assert "taken back" in text and "/undo" not in text


def test_annotators_see_no_buttons(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    an_account(sqlite_database, "anna", "annotator")
    post(web, "/logout")
    log_in(web, "anna")
    text = page(web, f"/review/tasks/{labelled}")
    assert 'name="decision"' not in text and "Reviewers decide" in text and "/undo" not in text
    assert post(web, f"/review/tasks/{labelled}/decision", decision="accepted", seen="1").status_code == 403
    assert post(web, f"/review/tasks/{labelled}/undo").status_code == 403


def test_strangers_see_nothing(web: FlaskClient, labelled: int) -> None:
    post(web, "/logout")
    for path in ("/review/", f"/review/tasks/{labelled}"):
        assert web.get(path, headers=HTML).location.startswith("/login?next=/review/")
    for path in (f"/review/tasks/{labelled}/evidence.json", "/review/videos/1", "/review/videos/1/frames/0.jpg"):
        assert web.get(path, headers={"Accept": "*/*"}).status_code in (302, 303, 401), path
        assert web.get(path, headers={"Accept": "*/*"}, auth=("stvg", "a-long-password")).status_code != 200, path


def test_the_video_comes_in_ranges(web: FlaskClient, labelled: int, clip: Path) -> None:
    whole = web.get("/review/videos/1")
    content = clip.read_bytes()
    assert whole.data == content and whole.mimetype == "video/mp4"
    part = web.get("/review/videos/1", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.data) == (206, content[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(content)}"
    assert web.get("/review/videos/1", headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    again = web.get("/review/videos/1", headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status_code == 304 and not again.data
    assert "private" in whole.headers["Cache-Control"]


def test_single_pictures(web: FlaskClient, labelled: int) -> None:
    first = web.get("/review/videos/1/frames/0.jpg?side=64")
    picture = Image.open(io.BytesIO(first.data))
    assert first.mimetype == "image/jpeg" and max(picture.size) == 64
    assert "private" in first.headers["Cache-Control"] and "immutable" in first.headers["Cache-Control"]
    other = web.get(f"/review/videos/1/frames/{FRAMES - 1}.jpg?side=64")
    assert np.abs(np.asarray(picture, float) - np.asarray(Image.open(io.BytesIO(other.data)), float)).mean() > 0.1
    cached = web.get("/review/videos/1/frames/0.jpg?side=64", headers={"If-None-Match": first.headers["ETag"]})
    assert cached.status_code == 304 and not cached.data
    missing = web.get(f"/review/videos/1/frames/{FRAMES}.jpg")
    assert missing.status_code == 404 and "60 frames" in missing.text
    assert web.get("/review/videos/1/frames/0.jpg?side=nonsense").status_code == 200


def test_another_file_at_the_same_address_is_not_shown(web: FlaskClient, labelled: int, root: Path) -> None:
    (root / "clips" / "clip.mp4").write_bytes(b"something else")
    response = web.get("/review/videos/1")
    assert response.status_code == 404 and "another file" in response.text
    assert "another file" in page(web, f"/review/tasks/{labelled}")


def test_a_video_of_no_task_is_not_given(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    with sqlite_database.write() as session:
        session.get_one(Task, labelled).video_id = None
    assert web.get("/review/videos/1").status_code == 404
    assert web.get("/review/videos/1/frames/0.jpg").status_code == 404


def test_a_remote_video_is_fetched_only_when_asked_for(
    web: FlaskClient, sqlite_database: Database, labelled: int, clip: Path, tmp_path: Path
) -> None:
    """The page never waits for the download; it offers to start one."""
    with sqlite_database.write() as session:
        session.get_one(Task, labelled).video_ref = "http://videos.example/clip.mp4"
    asked = []

    class Source(Downloader):
        def fetch(self, url: str, file: io.IOBase, alive: object = None) -> tuple[str, int]:  # type: ignore[override]
            asked.append(url)
            file.write(clip.read_bytes())
            return hashlib.sha256(clip.read_bytes()).hexdigest(), clip.stat().st_size

    source = Source(
        label_studio_url=None, label_studio_headers=dict, allowed_origins=[], max_bytes=10**9, timeout_s=1, deadline_s=1
    )
    media = MediaLibrary(MediaCache(tmp_path / "cache", 10**9), source)
    fetching = Fetching(media)
    extensions = web.application.extensions
    extensions["stvg"] = replace(extensions["stvg"], media=media, fetching=fetching)
    away = web.get("/review/videos/1")
    assert away.status_code == 404 and "not on this machine yet" in away.text
    assert "Fetch it" in page(web, f"/review/tasks/{labelled}") and not asked
    assert post(web, "/review/videos/1/fetch", task=labelled).location == f"/review/tasks/{labelled}"
    fetching.wait()
    assert asked == ["http://videos.example/clip.mp4"]
    assert web.get("/review/videos/1/state.json").json == {"state": "here", "reason": None}
    assert web.get("/review/videos/1").data == clip.read_bytes()


def test_a_fetch_that_fails_says_why(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    with sqlite_database.write() as session:
        session.get_one(Task, labelled).video_ref = "http://127.0.0.1:1/clip.mp4"
    post(web, "/review/videos/1/fetch", task=labelled)
    web.application.extensions["stvg"].fetching.wait()
    text = page(web, f"/review/tasks/{labelled}")
    assert "not on the public internet" in text and "Try again" in text


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x00\x00\x00\x18ftypisom", "video/mp4"),
        (b"\x1aE\xdf\xa3....webm", "video/webm"),
        (b"OggS", "video/ogg"),
        (b"\x1aE\xdf\xa3....matroska", "video/x-matroska"),
        (b"RIFF....AVI ", "video/x-msvideo"),
        (b"\x47" * 9, "video/mp2t"),
        (b"<html>", "application/octet-stream"),
    ],
)
def test_a_file_is_what_it_begins_with(tmp_path: Path, head: bytes, kind: str) -> None:
    path = tmp_path / "name.mp4"
    path.write_bytes(head)
    assert media_type(path) == kind


def test_deciding_when_nothing_is_there_to_decide(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        number = a_task(session, 11).id
    refused = post(web, f"/review/tasks/{number}/decision", decision="accepted", seen="")
    assert refused.status_code == 400 and "nothing to decide" in refused.text


def test_an_object_of_a_storage_is_fetched_for_its_task(
    web: FlaskClient, sqlite_database: Database, labelled: int, clip: Path, tmp_path: Path
) -> None:
    with sqlite_database.write() as session:
        task = session.get_one(Task, labelled)
        task.video_ref, number = "s3://bucket/clip.mp4", task.ls_task_id
    asked = []

    class Source(Downloader):
        def fetch(self, url: str, file: io.IOBase, alive: object = None) -> tuple[str, int]:  # type: ignore[override]
            asked.append(url.partition("?")[0])
            file.write(clip.read_bytes())
            return hashlib.sha256(clip.read_bytes()).hexdigest(), clip.stat().st_size

    media = MediaLibrary(MediaCache(tmp_path / "cache", 10**9), Source(label_studio_url="http://ls"))
    fetching = Fetching(media)
    extensions = web.application.extensions
    extensions["stvg"] = replace(extensions["stvg"], media=media, fetching=fetching)
    assert web.get("/review/videos/1/state.json").json == {"state": "away", "reason": None}
    post(web, "/review/videos/1/fetch", task=labelled)
    fetching.wait()
    assert asked == [f"http://ls/tasks/{number}/presign/"]
    assert web.get("/review/videos/1/state.json").json == {"state": "here", "reason": None}


@pytest.mark.parametrize(
    ("limits", "reader", "status", "said"),
    [
        (ChildLimits(0.3), "hangs", 404, "did not answer for 0.3 s"),
        (ChildLimits(600), "crashes", 404, "The decoder crashed"),
    ],
)
def test_a_page_says_why_there_is_no_picture(
    web: FlaskClient, labelled: int, limits: ChildLimits, reader: str, status: int, said: str
) -> None:
    stills = Stills(lambda: DecodingProcesses(limits, idle=0, reader=f"tests.video.hostile:{reader}"))
    extensions = web.application.extensions
    extensions["stvg"] = replace(extensions["stvg"], stills=stills)
    answer = web.get("/review/videos/1/frames/1.jpg")
    assert answer.status_code == status and said in answer.text


def test_a_page_says_when_to_ask_again(web: FlaskClient, labelled: int) -> None:
    class Busy(Stills):
        def picture(self, *_: object) -> np.ndarray:
            raise StillsBusy

    extensions = web.application.extensions
    extensions["stvg"] = replace(extensions["stvg"], stills=Busy(lambda: None))
    answer = web.get("/review/videos/1/frames/1.jpg")
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    assert "Ask for this one again" in answer.text
