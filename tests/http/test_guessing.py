"""Wrong credentials of programs: an address that guesses hears so; a right one always passes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.http import throttle
from backend.http.throttle import PER_ADDRESS, WINDOW_S, Guesses, Throttle, network
from tests.db.helpers import CONFIG
from tests.http.calls import EVENT, predict
from tests.http.conftest import API_TOKEN, BASIC, WEBHOOK_TOKEN

GUESSES = [
    {"auth": ("stvg", "wrong")},
    {"headers": {"Authorization": "Token wrong"}},
    {"headers": {"X-STVG-Token": "wrong"}},
    {"headers": {"X-STVG-Token": WEBHOOK_TOKEN}},
]


def get(web: FlaskClient, address: str = "192.0.2.1", **more: object) -> TestResponse:
    return web.get("/versions", environ_base={"REMOTE_ADDR": address}, **more)  # type: ignore[arg-type]


def guess(web: FlaskClient, address: str = "192.0.2.1", times: int = PER_ADDRESS) -> None:
    for number in range(times):
        assert get(web, address, **GUESSES[number % len(GUESSES)]).status_code == 401


def test_too_many_guesses_are_told_to_wait(web: FlaskClient) -> None:
    guess(web)
    for given in GUESSES:
        response = get(web, **given)
        assert response.status_code == 429 and "Try again in 15 min" in response.json["error"]
        assert 0 < int(response.headers["Retry-After"]) <= WINDOW_S
    assert get(web, "192.0.2.2", **GUESSES[0]).status_code == 401, "another address is not stopped"
    assert get(web).status_code == 401, "who shows nothing is told that something is missing"


def test_what_label_studio_sends_is_taken_whoever_guessed_beside_it(web: FlaskClient) -> None:
    """The process has just begun: it knows no caller yet, and all of them may come from one proxy's address."""
    guess(web, "127.0.0.1")
    body = {"project": "1.1", "schema": CONFIG, "hostname": "http://ls", "access_token": "t" * 40}
    assert web.post("/setup", json=body, auth=BASIC).status_code == 200
    assert predict(web, 1).status_code == 200
    assert web.post("/webhook", json=EVENT, headers={"X-STVG-Token": WEBHOOK_TOKEN}).status_code == 200
    assert get(web, "127.0.0.1", headers={"X-STVG-Token": API_TOKEN}).status_code == 200
    assert get(web, "127.0.0.1", **GUESSES[0]).status_code == 429, "a wrong one still has to wait"


def test_who_shows_nothing_guesses_nothing(web: FlaskClient) -> None:
    for _ in range(PER_ADDRESS + 1):
        assert get(web).status_code == 401
    assert get(web, auth=BASIC).status_code == 200


def test_open_routes_and_pages_are_not_counted(web: FlaskClient) -> None:
    for route in ("/health", "/ready", "/login", "/review/"):
        for _ in range(PER_ADDRESS + 1):
            web.get(route, auth=("stvg", "wrong"))
    assert web.get("/versions", auth=BASIC).status_code == 200


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_is_let_go_after_a_while() -> None:
    clock = Clock()
    guesses = Guesses(clock)
    assert [guesses.wrong("a") for _ in range(PER_ADDRESS)] == [(0, False)] * (PER_ADDRESS - 1) + [(0, True)]
    assert guesses.wrong("a") == (WINDOW_S, False)
    clock.now += WINDOW_S - 1
    assert guesses.wrong("a") == (1, False)
    clock.now += 1
    assert guesses.wrong("a") == (0, False)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_REMEMBERED", 20)
    guesses = Guesses(Clock())
    for number in range(100):
        guesses.wrong(f"address{number}")
    assert len(guesses._failures) == 20


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1:2", "2001:db8::/64"), ("fe80::1%eth0", "fe80::/64"), ("", ""), ("unix:", "unix:"),
    ],
)  # fmt: skip
def test_a_network_counts_as_one(address: str, counts_as: str) -> None:
    assert network(address) == counts_as


def test_people_are_counted_by_network_too() -> None:
    guard = Throttle(Clock())
    assert not any(guard.begin(f"name{i}", f"2001:db8::{i:x}") for i in range(PER_ADDRESS))
    assert guard.begin("new", "2001:db8::abc") > 0 and guard.begin("new", "2001:db9::1") == 0
