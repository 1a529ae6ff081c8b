"""People's names: Label Studio's where it answers, those of accounts else, and a page never waits for them for long."""

from __future__ import annotations

from threading import Event
from typing import Any

import httpx
import pytest

from backend.db.engine import Database
from backend.http.names import FRESH_S, Names, named
from backend.labelstudio.client import LabelStudioClient
from tests.http.visitors import an_account


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Users:
    """``/api/users/`` of a Label Studio; ``gate`` holds its answers back."""

    def __init__(self, *users: dict[str, Any]) -> None:
        self.users, self.status, self.asked, self.gate = list(users), 200, 0, Event()
        self.gate.set()

    def client(self) -> LabelStudioClient:
        return LabelStudioClient("http://ls.test", "token", transport=httpx.MockTransport(self.answer), pause=0)

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/users/"
        self.asked += 1
        assert self.gate.wait(60)
        return httpx.Response(self.status, json=self.users if self.status == 200 else {"detail": "no"})


def known(names: Names, database: Database, *, waiting: bool = True) -> dict[int, str]:
    with database.read() as session:
        found = names.known(session)
        if not waiting:
            return found
        names.wait()
        return names.known(session)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    an_account(sqlite_database, "rita", "reviewer", ls_user_id=3)
    an_account(sqlite_database, "otto", "admin")
    return sqlite_database


def test_label_studios_names_go_before_those_of_accounts(database: Database) -> None:
    users = Users({"id": 3, "first_name": "Rita", "last_name": "Moreno"}, {"id": 4, "username": "dora"})
    assert known(Names(users.client()), database) == {3: "Rita Moreno", 4: "dora"}


def test_without_label_studio_accounts_have_names(database: Database) -> None:
    assert known(Names(None), database) == {3: "rita"}


def test_a_page_does_not_wait_for_a_label_studio_that_is_slow(database: Database) -> None:
    users = Users({"id": 4, "username": "dora"})
    users.gate.clear()
    names = Names(users.client(), wait_s=0)
    assert known(names, database, waiting=False) == known(names, database, waiting=False) == {3: "rita"}
    assert users.asked <= 1, "one question at a time"
    users.gate.set()
    assert known(names, database) == {3: "rita", 4: "dora"}


def test_names_are_asked_for_again_after_a_while_and_kept_when_label_studio_is_away(database: Database) -> None:
    users, clock = Users({"id": 4, "username": "dora"}), Clock()
    names = Names(users.client(), clock=clock)
    assert known(names, database)[4] == "dora" and users.asked == 1
    clock.now += FRESH_S - 1
    users.users[0]["username"] = "dorothea"
    assert known(names, database)[4] == "dora" and users.asked == 1
    clock.now += 2
    assert known(names, database)[4] == "dorothea" and users.asked == 2
    clock.now += FRESH_S + 1
    users.status = 403
    assert known(names, database)[4] == "dorothea" and users.asked == 3
    assert known(names, database)[4] == "dorothea" and users.asked == 3, "a refusal is not asked for again at once"


@pytest.mark.parametrize("odd", [[{"id": "x"}, {}, {"id": None, "username": "n"}], ["no user"]])
def test_what_is_no_user_is_no_name(database: Database, odd: list[Any]) -> None:
    assert known(Names(Users(*odd).client()), database) == {3: "rita"}


def test_which_name_is_taken() -> None:
    users: list[dict[str, Any]] = [
        {"id": 1, "first_name": " Ann ", "last_name": "", "username": "a"},
        {"id": 2, "first_name": "", "last_name": "", "username": "", "email": "bob@example.org"},
        {"id": 3, "first_name": "Ann", "username": "another"},
        {"id": 4, "first_name": "\u202eevil\n", "last_name": None},
        {"id": 5, "username": "x" * 200},
        {"id": 6},
    ]
    assert named(users) == {1: "Ann (1)", 2: "bob@example.org", 3: "Ann (3)", 4: "evil", 5: "x" * 64}
