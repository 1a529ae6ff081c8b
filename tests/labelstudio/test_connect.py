"""``stvg connect``: everything is there once, right, and a second run changes nothing."""

from __future__ import annotations

import base64

import pytest

from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import LabelConfigError
from backend.labelstudio.connect import (
    BACKEND_TITLE,
    MARK,
    Service,
    ensure_backend,
    ensure_project,
    ensure_storage,
    ensure_webhook,
)
from backend.labelstudio.events import WANTED
from backend.labelstudio.transport import LabelStudioError
from tests.labelstudio.bodies import CONFIG, RENAMED_CONFIG
from tests.labelstudio.fake_label_studio import FakeLabelStudio, urls

SERVICE = Service("http://stvg.test:9090/", "ls", "pa:ss", "hook-token")
OTHERS = {"project": 1, "url": "http://other.test/webhook", "headers": {}, "actions": []}


def connect(ls: FakeLabelStudio, service: Service = SERVICE, project: str = "clips") -> list[str]:
    client: LabelStudioClient = ls.client()
    found, _, done = ensure_project(client, project, CONFIG)
    done += ensure_backend(client, found, service)[1]
    done += ensure_webhook(client, int(found["id"]), service)
    return done + ensure_storage(client, int(found["id"]), "/srv/videos/clips")


def test_everything_is_created() -> None:
    ls = FakeLabelStudio()
    done = connect(ls)
    assert [sentence.split()[0] for sentence in done] == ["created", "connected", "chose", "gave", "connected"]
    [project] = ls.all("projects")
    assert (project["title"], project["label_config"], project["model_version"]) == ("clips", CONFIG, BACKEND_TITLE)
    [backend] = ls.all("ml")
    assert (backend["url"], backend["is_interactive"]) == ("http://stvg.test:9090", True)
    assert (backend["auth_method"], backend["basic_auth_user"], backend["basic_auth_pass"]) == (
        "BASIC_AUTH",
        "ls",
        "pa:ss",
    )
    # One webhook: the one that Label Studio made for the backend, with the header that it lacked.
    [hook] = ls.all("webhooks")
    assert hook["url"] == "http://stvg.test:9090/webhook"
    assert hook["headers"] == {MARK: "1", "Authorization": "Bearer hook-token"}
    assert hook["actions"] == sorted(WANTED) and not hook["send_for_all_actions"]
    assert ls.all("storages/localfiles")[0]["path"] == "/srv/videos/clips"


def test_a_second_run_changes_nothing_but_the_log_in() -> None:
    ls = FakeLabelStudio()
    connect(ls)
    ls.changes.clear()
    connect(ls)
    # Label Studio does not tell a backend's password, so it is sent again.
    assert ls.changes == ["PATCH ml/1"]


def test_a_title_is_what_label_studio_makes_of_it() -> None:
    """It cuts the spaces around a title: with them the project would never be found again, and made each time."""
    ls = FakeLabelStudio()
    connect(ls, project=" clips\t")
    connect(ls, project="clips ")
    assert [project["title"] for project in ls.all("projects")] == ["clips"]


def test_without_a_webhook_token_the_log_in_goes_along() -> None:
    headers = Service("http://stvg.test", "ls", "pa:ss").webhook_headers()
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"ls:pa:ss").decode()


def test_the_webhook_that_label_studio_made_is_repaired() -> None:
    ls = FakeLabelStudio()
    ls.add("projects", title="clips", label_config=CONFIG)
    ls.client().create_ml_backend(1, "http://stvg.test:9090")
    assert "gave the webhook its header and events" in connect(ls)
    [hook] = ls.all("webhooks")
    assert hook["headers"]["Authorization"] == "Bearer hook-token" and not hook["send_for_all_actions"]


@pytest.mark.parametrize(
    "damage",
    [
        {"is_active": False},
        {"headers": {"Authorization": "Bearer old"}},
        {"actions": ["ANNOTATION_CREATED"]},
        {"send_payload": False},
    ],
)
def test_a_damaged_webhook_is_repaired(damage: dict[str, object]) -> None:
    ls = FakeLabelStudio()
    connect(ls)
    [hook] = ls.all("webhooks")
    whole = dict(hook)
    hook.update(damage)
    connect(ls)
    assert ls.all("webhooks") == [whole]


def test_doubles_and_what_points_to_an_old_address_go_and_others_stay() -> None:
    ls = FakeLabelStudio()
    connect(ls, Service("http://old.test:9090", "ls", "pa:ss", "hook-token"))
    ls.add("webhooks", **OTHERS)
    ls.add("ml", project=1, url="http://other.test", title="SAM")
    ls.add("ml", project=1, url="http://stvg.test:9090/", title="by hand")
    done = connect(ls)
    assert "removed a stale webhook to http://old.test:9090/webhook" in done
    assert "removed a doubled model backend" in done
    assert sorted(urls(ls.all("webhooks"))) == ["http://other.test/webhook", "http://stvg.test:9090/webhook"]
    assert sorted(urls(ls.all("ml"))) == ["http://other.test", "http://stvg.test:9090"]
    ls.changes.clear()
    connect(ls)
    assert ls.changes == ["PATCH ml/3"]


def test_a_service_that_moved_takes_its_backend_along() -> None:
    ls = FakeLabelStudio()
    connect(ls, Service("http://old.test:9090", "ls", "pa:ss"))
    assert "moved the model backend to http://stvg.test:9090" in connect(ls)
    assert urls(ls.all("ml")) == ["http://stvg.test:9090"]


def test_a_project_is_found_by_number_or_title() -> None:
    ls = FakeLabelStudio()
    for title in ("clips", "twins", "twins"):
        ls.add("projects", title=title, label_config=CONFIG)
    assert ensure_project(ls.client(), "2", CONFIG)[0]["title"] == "twins"
    assert ensure_project(ls.client(), "clips", CONFIG)[0]["id"] == 1
    with pytest.raises(LabelStudioError, match=r"name one by its number \(2, 3\)"):
        ensure_project(ls.client(), "twins", CONFIG)
    with pytest.raises(LabelStudioError, match="no project 9 in Label Studio"):
        ensure_project(ls.client(), "9", CONFIG)
    assert ls.changes == []


def test_a_teams_own_interface_stays_unless_it_is_to_be_replaced() -> None:
    ls = FakeLabelStudio()
    ls.add("projects", title="clips", label_config=RENAMED_CONFIG)
    assert ensure_project(ls.client(), "clips", CONFIG)[1].box_name == "who"
    assert ls.changes == []
    assert ensure_project(ls.client(), "clips", CONFIG, replace_config=True)[1].box_name == "box"
    # Asked first, because labels that exist may not fit.
    assert ls.changes == ["POST projects/1/validate", "PATCH projects/1"]


@pytest.mark.parametrize("empty", ["", "<View></View>", "<View/>", " <View>\n</View> "])
def test_a_project_without_an_interface_gets_ours(empty: str) -> None:
    ls = FakeLabelStudio()
    ls.add("projects", title="clips", label_config=empty)
    assert ensure_project(ls.client(), "clips", CONFIG)[1].box_name == "box"
    assert ls.all("projects")[0]["label_config"] == CONFIG


def test_an_interface_that_cannot_hold_a_tube_is_not_overwritten() -> None:
    ls = FakeLabelStudio()
    images = '<View><Image name="i" value="$i"/><RectangleLabels name="r" toName="i"/></View>'
    ls.add("projects", title="clips", label_config=images)
    with pytest.raises(LabelConfigError, match=r"<VideoRectangle .*--replace-config"):
        ensure_project(ls.client(), "clips", CONFIG)
    assert ls.changes == []


@pytest.mark.parametrize(
    ("status", "said", "understood"),
    [
        (403, "Permission denied", "ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false"),
        (400, "Can't connect to ML backend, health check failed.", "stvg serve"),
        (400, "Reason: 401 Client Error: UNAUTHORIZED for url: http://stvg.test/setup.", "STVG_PASSWORD differ"),
        (400, "authentication parameters were incorrect", "authentication parameters"),
    ],
)
def test_why_label_studio_cannot_use_the_service_is_said(status: int, said: str, understood: str) -> None:
    ls = FakeLabelStudio()
    ls.refuse = status, {"detail": said}
    with pytest.raises(LabelStudioError, match=understood) as caught:
        connect(ls)
    assert "pa:ss" not in str(caught.value)


def test_an_address_that_cannot_be_reached_leaves_a_working_connection_alone() -> None:
    ls = FakeLabelStudio()
    connect(ls)
    before = [dict(row) for kind in ("ml", "webhooks") for row in ls.all(kind)]
    ls.refuse = 400, {"detail": "health check failed"}
    with pytest.raises(LabelStudioError, match="cannot reach http://typo"):
        connect(ls, Service("http://typo.test", "ls", "pa:ss"))
    assert [dict(row) for kind in ("ml", "webhooks") for row in ls.all(kind)] == before
