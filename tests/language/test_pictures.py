"""Pictures over HTTP: what is sent, what is counted, what is tried again, and what never shows anywhere."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest
from PIL import Image
from prometheus_client import generate_latest

from backend.jobs.measuring import EndpointCosts, Measures
from backend.language import EndpointError, PictureChat
from backend.language.endpoint import _wait
from backend.language.pictures import RETRIES
from stvg_core.chat.base import Ask, Shown
from stvg_core.chat.pictures import fitted
from tests.language.chat_server import ChatServer, Reply, Request, said, serving

KEY = "sk-very-secret-0123456789"
RED = np.full((30, 40, 3), (250, 10, 10), np.uint8)
ASK = Ask((Shown("Picture 1, 0.25 s:", RED), Shown("Picture 2, 0.75 s:", RED // 2)), "Which one?", 77)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving() as chat:
        yield chat


def chat_of(url: str, **more: object) -> PictureChat:
    return PictureChat(url, "some-model", KEY, pause=0.001, **more)  # type: ignore[arg-type]


def test_captions_pictures_and_the_question_are_one_message(server: ChatServer) -> None:
    server.replies = [said("number 2")]
    assert chat_of(server.url).answers([ASK]) == ["number 2"]
    (request,) = server.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}" and request.path == "/v1/chat/completions"
    (message,) = request.body.pop("messages")
    assert request.body == {"model": "some-model", "temperature": 0, "max_tokens": 77}
    parts = message["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text", "image_url", "text"]
    assert [part["text"] for part in parts[::2]] == ["Picture 1, 0.25 s:", "Picture 2, 0.75 s:", "Which one?"]
    kind, _, data = parts[1]["image_url"]["url"].partition(",")
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert kind == "data:image/jpeg;base64" and picture.shape == RED.shape
    assert np.abs(picture.astype(int) - RED).max() < 8, "the red stays red"


def test_pictures_are_made_smaller_and_never_larger() -> None:
    assert fitted(np.zeros((1080, 1920, 3), np.uint8), 448).shape == (252, 448, 3)
    assert fitted(np.zeros((1920, 1080, 3), np.uint8), 448).shape == (448, 252, 3)
    assert fitted(RED, 448) is RED
    with pytest.raises(ValueError, match="uint8"):
        Shown("", np.zeros((3, 3), np.uint8))


def test_what_it_costs_is_counted_and_shown_by_the_worker(server: ChatServer) -> None:
    usage = {"prompt_tokens": 900, "completion_tokens": 12, "total_tokens": 912}
    body = {"choices": [{"message": {"content": "x"}}], "usage": usage}
    server.replies = [Reply(503), Reply(body=json.dumps(body).encode()), said("no usage")]
    chat = chat_of(server.url)
    assert chat.answers([ASK]) == ["x"] and chat.answers([ASK]) == ["no usage"]
    assert chat.costs.now() == {
        "requests": 3, "repetitions": 1, "pictures": 6, "tokens_in": 900, "tokens_out": 12,
    }  # fmt: skip
    measures = Measures()
    measures.registry.register(EndpointCosts(chat.costs.now))
    shown = generate_latest(measures.registry).decode()
    assert "stvg_worker_llm_requests_total 3.0" in shown and "stvg_worker_llm_tokens_in_total 900.0" in shown


@pytest.mark.parametrize("usage", [None, 7, {"prompt_tokens": "many"}, {"prompt_tokens": -5}, {"prompt_tokens": True}])
def test_a_usage_that_is_none_counts_nothing(server: ChatServer, usage: object) -> None:
    server.replies = [Reply(body=json.dumps({"choices": [{"message": {"content": "x"}}], "usage": usage}).encode())]
    chat = chat_of(server.url)
    chat.answers([ASK])
    assert chat.costs.now()["tokens_in"] == 0


def test_questions_go_side_by_side_up_to_a_bound_and_answers_keep_their_order(server: ChatServer) -> None:
    lock, under_way, most = threading.Lock(), [0], [0]
    meet = threading.Barrier(2, timeout=60)

    def answer(request: Request) -> Reply:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        meet.wait()  # ends only if two are under way at once
        with lock:
            under_way[0] -= 1
        return said(request.body["messages"][0]["content"][-1]["text"])

    server.answer = answer
    asked = [Ask((), f"question {number}") for number in range(6)]
    assert chat_of(server.url, parallel=2).answers(asked) == [one.question for one in asked]
    assert most[0] == 2


@pytest.mark.parametrize("trouble", [Reply(429), Reply(503), Reply(hang_up=True)])
def test_what_may_pass_is_tried_again_and_not_for_ever(server: ChatServer, trouble: Reply) -> None:
    server.replies = [*[trouble] * RETRIES, said("x")]
    assert chat_of(server.url).answers([ASK]) == ["x"]
    server.requests.clear()
    server.replies = [trouble]
    with pytest.raises(EndpointError):
        chat_of(server.url).answers([ASK])
    assert len(server.requests) == RETRIES + 1


def test_the_pause_that_is_asked_for() -> None:
    assert _wait("7") == 7 and _wait("") == 0 and _wait("soon") == 0 and _wait("²") == 0
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < _wait(later) <= 100 and _wait("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_a_pause_that_is_too_long_is_not_made(server: ChatServer) -> None:
    server.replies = [Reply(429, headers={"Retry-After": "100000"})]
    began = time.monotonic()
    with pytest.raises(EndpointError, match="429"):
        chat_of(server.url).answers([ASK])
    assert len(server.requests) == 1 and time.monotonic() - began < 1000


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(401), "does not accept the key"),
        (Reply(404, b'{"detail": "Not Found"}'), "ends in /v1"),
        (Reply(404, b'{"error": {"code": "model_not_found"}}'), "no model 'some-model'"),
        (Reply(404, b'{"message": "The model `some-model` does not exist."}'), "name that is used there"),
        (Reply(307, headers={"Location": "http://127.0.0.1:9/"}), "redirects are not followed"),
        (Reply(400), "take pictures"), (Reply(413), "shown_most"), (Reply(500), "500"),
        (Reply(body=b"<html>"), "no OpenAI-compatible"), (Reply(body=b'{"choices": []}'), "no OpenAI-compatible"),
        (Reply(body=b'{"choices": [{"message": {"content": null}, "finish_reason": "length"}]}'), "limit of tokens"),
    ],
)  # fmt: skip
def test_every_refusal_is_a_sentence_without_key_and_picture(
    server: ChatServer, caplog: pytest.LogCaptureFixture, reply: Reply, words: str
) -> None:
    server.replies = [reply]
    picture = base64.b64encode(b"\xff\xd8\xff").decode()[:4]
    with caplog.at_level(logging.DEBUG), pytest.raises(EndpointError, match=words) as caught:
        chat_of(server.url + "/chat/completions?token=hidden-in-query").answers([ASK])
    for text in (str(caught.value), caplog.text, repr(caught.value)):
        assert KEY not in text and "hidden" not in str(caught.value) and f"base64,{picture}" not in text


def test_newer_models_get_their_own_words_for_the_limit_and_no_temperature(server: ChatServer) -> None:
    """The refusals of a hosted service name what it wants; from then on it is asked so."""

    def answer(request: Request) -> Reply:
        if "max_tokens" in request.body:
            return Reply(
                400, b'{"error": {"message": "Unsupported parameter: max_tokens. Use max_completion_tokens."}}'
            )
        if "temperature" in request.body:
            return Reply(400, b'{"error": {"message": "Unsupported value: temperature does not support 0."}}')
        return said("x")

    server.answer = answer
    chat = chat_of(server.url)
    assert chat.answers([ASK]) == ["x"] and len(server.requests) == 3
    assert chat.answers([ASK]) == ["x"] and len(server.requests) == 4
    assert server.requests[-1].body["max_completion_tokens"] == 77


def test_a_text_in_parts_is_read(server: ChatServer) -> None:
    parts = [{"type": "text", "text": "number "}, {"type": "text", "text": "2"}, {"type": "other"}]
    server.replies = [Reply(body=json.dumps({"choices": [{"message": {"content": parts}}]}).encode())]
    assert chat_of(server.url).answers([ASK]) == ["number 2"]
