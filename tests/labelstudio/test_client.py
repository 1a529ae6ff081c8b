"""Requests to Label Studio: signing, repetition, and what a person reads when they fail."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest

from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.transport import RETRIES, LabelStudioError, NotLabelStudio
from tests.labelstudio.bodies import CONFIG

TOKEN = "5ec4e7" * 6
PAT = "eyJh.eyJ0.c2ln"
Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, token: str = TOKEN, url: str = "http://ls.test:8080") -> LabelStudioClient:
    return LabelStudioClient(url, token, transport=httpx.MockTransport(handler), pause=0)


class Answers:
    """Gives one prepared answer after the other and remembers the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_legacy_token_goes_out_as_it_is() -> None:
    answers = Answers(httpx.Response(200, json={"id": 3, "title": "clips"}))
    assert client(answers).project(3)["title"] == "clips"
    assert answers.requests[0].headers["Authorization"] == f"Token {TOKEN}"
    assert answers.requests[0].url == "http://ls.test:8080/api/projects/3/"


def test_a_label_studio_under_a_path_is_reached_there() -> None:
    answers = Answers(httpx.Response(200, json={"id": 3}))
    client(answers, url="https://tools.test/label/").project(3)
    assert answers.requests[0].url == "https://tools.test/label/api/projects/3/"


def test_a_personal_access_token_buys_a_short_one_and_renews_it() -> None:
    bought: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/token/refresh":
            assert json.loads(request.content) == {"refresh": PAT}
            bought.append(f"access-{len(bought) + 1}")
            return httpx.Response(200, json={"access": bought[-1]})
        # The first bought token is refused, as it is when Label Studio was restarted in between.
        good = request.headers["Authorization"] == "Bearer access-2"
        return httpx.Response(200, json={"id": 3}) if good else httpx.Response(401, json={"detail": "expired"})

    ls = client(handler, PAT)
    assert ls.project(3)["id"] == 3
    assert ls.project(3)["id"] == 3
    assert bought == ["access-1", "access-2"]


def test_a_personal_access_token_that_is_refused_is_said_once() -> None:
    answers = Answers(httpx.Response(401, json={"detail": "Token is invalid"}))
    with pytest.raises(LabelStudioError, match="does not accept the token") as caught:
        client(answers, PAT).project(3)
    assert caught.value.status == 401 and len(answers.requests) == 1


@pytest.mark.parametrize("fault", [httpx.Response(503), httpx.Response(429), httpx.ReadTimeout("slow")])
def test_reading_is_repeated(fault: httpx.Response | Exception) -> None:
    answers = Answers(fault, fault, httpx.Response(200, json={"id": 3}))
    assert client(answers).project(3)["id"] == 3
    assert len(answers.requests) == 3


def test_repetition_ends() -> None:
    answers = Answers(httpx.Response(502))
    with pytest.raises(LabelStudioError) as caught:
        client(answers).project(3)
    assert caught.value.temporary and caught.value.status == 502
    assert len(answers.requests) == RETRIES + 1


@pytest.mark.parametrize("fault", [httpx.Response(503), httpx.ReadTimeout("slow"), httpx.ReadError("reset")])
def test_a_post_that_may_have_arrived_is_not_repeated(fault: httpx.Response | Exception) -> None:
    # A doubled POST would be a second prediction; the outbox looks first and tries later.
    answers = Answers(fault)
    with pytest.raises(LabelStudioError) as caught:
        client(answers).create_annotation(1, [])
    assert caught.value.temporary and len(answers.requests) == 1


def test_a_post_that_was_never_sent_is_repeated() -> None:
    answers = Answers(httpx.ConnectError("refused"), httpx.Response(201, json={"id": 9}))
    assert client(answers).create_annotation(1, [])["id"] == 9


def test_nobody_at_home_is_one_plain_sentence() -> None:
    with pytest.raises(LabelStudioError, match=r"http://ls\.test:8080 cannot be reached") as caught:
        client(Answers(httpx.ConnectError("[Errno 111]"))).whoami()
    assert caught.value.temporary and caught.value.status is None


def test_reasons_are_dug_out_of_label_studios_bodies() -> None:
    nested = {
        "validation_errors": {"non_field_errors": ["No <a href='x'>video</a>."], "title": ["Too short."]},
        "id": "1",
    }
    with pytest.raises(LabelStudioError, match=r"400 to PATCH .*: No video\.; title: Too short\.") as caught:
        client(Answers(httpx.Response(400, json=nested))).update_project(3, title="x")
    assert not caught.value.temporary


def test_a_page_instead_of_json_is_not_label_studio() -> None:
    with pytest.raises(LabelStudioError, match="is not Label Studio"):
        client(Answers(httpx.Response(200, text="<html>Welcome to nginx</html>"))).projects()


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_answer_nested_too_deeply_is_not_label_studios(status: int) -> None:
    with pytest.raises(LabelStudioError):
        client(Answers(httpx.Response(status, text="[" * 100_000))).create_annotation(1, [])


def test_no_traceback_is_passed_on() -> None:
    body = "<html><pre>Traceback (most recent call last)</pre></html>"
    with pytest.raises(LabelStudioError) as caught:
        client(Answers(httpx.Response(500, text=body))).create_annotation(1, [])
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("token", [TOKEN, PAT])
def test_no_error_shows_a_token(token: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/token/refresh":
            return httpx.Response(200, json={"access": "bought-secret"})
        return httpx.Response(400, json={"detail": f"bad header {request.headers['Authorization']} {token}"})

    with pytest.raises(LabelStudioError) as caught:
        client(handler, token).create_annotation(1, [])
    assert "bad header" in str(caught.value)
    assert token not in str(caught.value) and "bought-secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "ls.test:8080", "ftp://ls.test", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(LabelStudioError, match="no address of a Label Studio"):
        LabelStudioClient(url, TOKEN)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tökén"])
def test_a_token_that_is_none_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(LabelStudioError) as caught:
        LabelStudioClient("http://ls.test", token)
    assert not token or token not in str(caught.value)


def tasks_after(request: httpx.Request, numbers: Iterable[int], *, most: int) -> httpx.Response:
    """As Label Studio answers: those whose number is greater than the filter's, so many of them."""
    query = json.loads(request.url.params["query"])
    [item] = [one for one in query["filters"]["items"] if one["filter"] == "filter:tasks:id"]
    left = [number for number in numbers if number > item["value"]]
    return httpx.Response(200, json={"tasks": [{"id": number} for number in left[:most]], "total": len(left)})


@pytest.mark.parametrize("most", [100, 40], ids=["as asked", "a limit of Label Studio's own"])
def test_tasks_come_page_by_page(most: int) -> None:
    found = client(lambda request: tasks_after(request, range(1, 251), most=most)).tasks(7)
    assert [t["id"] for t in found] == list(range(1, 251))


def test_a_task_that_is_deleted_while_the_list_is_read_hides_no_other() -> None:
    there = list(range(1, 251))

    def handler(request: httpx.Request) -> httpx.Response:
        answer = tasks_after(request, there, most=100)
        there.remove(min(there))
        return answer

    assert [t["id"] for t in client(handler).tasks(7)] == list(range(1, 251))


def test_a_title_is_matched_exactly() -> None:
    # Label Studio's filter finds every title that contains the word.
    found = [{"id": 5, "title": "clips 2"}, {"id": 4, "title": "clips"}]
    answers = Answers(httpx.Response(200, json={"results": found, "next": None}))
    assert [p["id"] for p in client(answers).projects("clips")] == [4]


def test_a_bad_prediction_never_leaves() -> None:
    answers = Answers(httpx.Response(201, json={"id": 1}))
    payload: dict[str, Any] = {"task": 1, "model_version": "m", "score": 0.5, "result": [{"id": "r"}]}
    with pytest.raises(PayloadError):
        client(answers).create_prediction(payload, read_config(CONFIG))
    assert answers.requests == []


def test_files_are_streamed_and_the_token_stays_at_home() -> None:
    answers = Answers(httpx.Response(200, content=b"x" * 1000))
    ls = client(answers)
    file = io.BytesIO()
    assert ls.download("/data/upload/1/clip.mp4", file) == 1000
    assert file.getvalue() == b"x" * 1000
    with pytest.raises(LabelStudioError, match="larger than 10 bytes"):
        ls.download("/data/upload/1/clip.mp4", io.BytesIO(), max_bytes=10)
    for elsewhere in ("http://other.test/x.mp4", "//other.test/x.mp4", "https://ls.test:8080/x", "http://ls.test/x"):
        with pytest.raises(LabelStudioError, match="not Label Studio's own address"):
            ls.download(elsewhere, io.BytesIO())
    assert len(answers.requests) == 2


def test_a_missing_file_is_said() -> None:
    with pytest.raises(LabelStudioError, match=r"nothing at /data/upload/1/gone\.mp4"):
        client(Answers(httpx.Response(404))).download("/data/upload/1/gone.mp4", io.BytesIO())


def _redirecting(status: int, location: str | None) -> Answers:
    return Answers(httpx.Response(status, headers={"Location": location} if location else {}))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "call",
    [
        lambda ls: ls.whoami(),
        lambda ls: ls.predictions(5),
        lambda ls: list(ls.tasks(7)),
        lambda ls: ls.create_annotation(5, []),
        lambda ls: ls.patch_task_data(5, {"a": 1}),
        lambda ls: ls.delete_webhook(3),
        lambda ls: ls.validate_config("<View/>"),
    ],
)
def test_a_redirect_is_never_a_success_and_names_the_address_to_use(
    status: int, call: Callable[[LabelStudioClient], object]
) -> None:
    def to_https(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"Location": str(request.url.copy_with(scheme="https", port=443))})

    with pytest.raises(NotLabelStudio, match=r"redirects to https://ls\.test: use that address") as caught:
        call(client(to_https))
    assert caught.value.temporary and TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://ls.test/label/api/current-user/whoami", "redirects to https://ls.test/label: use that address"),
        ("https://u:hush@new.test/api/current-user/whoami?sig=hush", "redirects to https://new.test: use that"),
        ("/user/login/?next=/api/current-user/whoami", "asks for a log-in"),
        ("https://sso.test/authorize?state=hush", "redirects /api/current-user/whoami to https://sso.test/authorize"),
        ("http://[oops/", "does not say where"),
        ("ftp://ls.test/api", "does not say where"),
        (None, "redirects /api/current-user/whoami to"),
    ],
)
def test_wherever_a_redirect_leads_a_sentence_says_so(location: str | None, said: str) -> None:
    with pytest.raises(NotLabelStudio) as caught:
        client(_redirecting(302, location)).whoami()
    assert said in str(caught.value) and "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(200), "an empty answer"),
        (httpx.Response(204), "an empty answer"),
        (httpx.Response(200, text="[1]"), "no JSON of the expected kind"),
        (httpx.Response(200, html="<html><title>Sign in\n</title></html>"), 'a page ("Sign in") instead of JSON'),
        (httpx.Response(404, html="<html><title>404 Not Found</title></html>"), 'a page ("404 Not Found")'),
        (httpx.Response(400, html="<title>The plain HTTP request was sent to HTTPS port</title>"), "HTTPS port"),
    ],
)
def test_what_is_not_label_studio_speaks_for_no_task(answer: httpx.Response, said: str) -> None:
    """Such an answer once meant "gone" or "done"; now the same request is sent again when the address is mended."""
    with pytest.raises(NotLabelStudio) as caught:
        client(Answers(answer)).whoami()
    assert said in str(caught.value) and caught.value.temporary and caught.value.status is None


def test_an_empty_200_to_a_deletion_deletes_nothing() -> None:
    with pytest.raises(NotLabelStudio):
        client(Answers(httpx.Response(200))).delete_prediction(4)
    client(Answers(httpx.Response(204))).delete_prediction(4)


def test_a_list_of_tasks_without_tasks_is_no_empty_project() -> None:
    with pytest.raises(NotLabelStudio):
        list(client(Answers(httpx.Response(200, json={"status": "ok"}))).tasks(7))


@pytest.mark.parametrize(
    "path", ["/api/current-user/token", "/data/upload/../../api/current-user/token", "/data/avatars/1"]
)
def test_files_are_fetched_from_media_routes_only(path: str) -> None:
    answers = Answers(httpx.Response(200, content=b"x"))
    with pytest.raises(LabelStudioError, match="no place of Label Studio's"):
        client(answers).download(path, io.BytesIO())
    assert answers.requests == []


def test_tasks_are_listed_with_their_storage_addresses() -> None:
    """By default Label Studio lists addresses of its own in their place, and a PATCH of all data would keep those."""
    answers = Answers(httpx.Response(200, json={"tasks": [], "total": 0}))
    list(client(answers).tasks(7))
    assert answers.requests[0].url.params["resolve_uri"] == "false"
