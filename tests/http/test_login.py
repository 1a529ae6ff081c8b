"""Who gets in, who does not, and what an onlooker can learn from the answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.db import accounts
from backend.db.engine import Database
from backend.db.tables import Audit
from backend.http import sessions, throttle
from backend.http.app import create_app
from backend.http.login import local
from backend.http.throttle import PER_ADDRESS, PER_NAME, WINDOW_S, Throttle
from tests.http.conftest import MODEL, make_settings
from tests.http.visitors import HTML, JSON, PASSWORD, an_account, log_in, post, token, token_in


def _acts(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as session:
        return [(row.who, row.action, row.target) for row in session.scalars(select(Audit).order_by(Audit.id))]


def test_the_first_visitor_reads_how_to_make_an_account(web: FlaskClient, sqlite_database: Database) -> None:
    assert "stvg users add" in web.get("/login").text
    an_account(sqlite_database)
    assert "stvg users add" not in web.get("/login").text


def test_a_log_in_leads_to_the_page_that_was_wanted(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    refused = web.get("/review/audit?before=7", headers=HTML)
    assert refused.status_code == 303 and refused.location == "/login?next=/review/audit%3Fbefore%3D7"
    page = web.get(refused.location, headers=HTML)
    assert 'name="next" value="/review/audit?before=7"' in page.text
    response = log_in(web, next="/review/audit?before=7")
    assert response.status_code == 303 and response.location == "/review/audit?before=7"
    assert web.get("/review/audit", headers=HTML).status_code == 200
    assert web.get("/login", headers=HTML).status_code == 303, "who is in needs no form"


def test_a_script_is_told_in_json_that_nobody_is_logged_in(web: FlaskClient) -> None:
    for headers in (JSON, {"Accept": "*/*"}, {"Accept": "image/avif,*/*"}):
        response = web.get("/review/export", headers=headers)
        assert response.status_code == 401 and "not logged in" in response.json["error"]
        assert "WWW-Authenticate" not in response.headers, "a browser would open its own dialogue"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/review/",
        "//evil.example",
        "///evil.example/review/",
        "/\\evil.example",
        "\\\\evil.example",
        "/review",
        "/review@evil.example",
        "/logout",
        "/predict",
        "javascript:alert(1)",
        " /review/",
        "/review/\r\nSet-Cookie: a=b",
        "/review/" + "x" * 3000,
        "",
    ],
)
def test_nobody_is_sent_elsewhere_after_the_log_in(web: FlaskClient, sqlite_database: Database, address: str) -> None:
    assert local(address) == "/review/"
    an_account(sqlite_database)
    response = log_in(web, next=address)
    assert response.location == "/review/" and len(response.headers.getlist("Set-Cookie")) == 1


def test_unknown_wrong_and_disabled_get_the_same_answer_for_the_same_work(
    web: FlaskClient, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_account(sqlite_database, "ann")
    an_account(sqlite_database, "bob")
    with sqlite_database.write() as session:
        accounts.disable(session, "bob")
    work: list[str] = []
    for name in ("generate_password_hash", "check_password_hash"):
        monkeypatch.setattr(accounts, name, _counted(getattr(accounts, name), work))
    pages = set()
    for name, password in (("ann", "wrong password"), ("nobody", "wrong password"), ("bob", PASSWORD)):
        response = post(web, "/login", name=name, password=password)
        assert response.status_code == 401 and "Set-Cookie" not in response.headers
        pages.add(response.text.replace(f'value="{name}"', ""))
    assert len(pages) == 1 and len(work) == 3, "one scrypt each"
    assert web.get("/review/export", headers=HTML).status_code == 303


def _counted(function: Callable[..., object], calls: list[str]) -> Callable[..., object]:
    def call(*given: object, **named: object) -> object:
        calls.append(function.__name__)
        return function(*given, **named)

    return call


@pytest.mark.parametrize("name", ["\x00", "a\x00nn", "x" * 5000, "'; DROP TABLE account; --", "🟥", "\ud800"])
def test_odd_names_are_only_wrong(web: FlaskClient, name: str) -> None:
    assert post(web, "/login", name=name.encode("utf-8", "replace"), password="p").status_code == 401


def test_a_session_from_before_the_log_in_is_worth_nothing(web: FlaskClient, sqlite_database: Database) -> None:
    """Whoever planted a cookie in somebody's browser has neither the new token nor the log-in."""
    an_account(sqlite_database)
    planted = token(web)
    old = web.get_cookie("stvg_session")
    log_in(web)
    assert token(web) != planted and web.get("/review/export", headers=HTML).status_code == 200
    stranger = web.application.test_client()
    assert old is not None
    stranger.set_cookie("stvg_session", old.value)
    assert stranger.get("/review/export", headers=HTML).status_code == 303


def test_a_cookie_signed_with_another_key_is_worth_nothing(web: FlaskClient, sqlite_database: Database) -> None:
    number = an_account(sqlite_database)
    with sqlite_database.read() as session:
        account = accounts.by_id(session, number)
        assert account is not None
        content = {"account": number, "key": account.session_key, "ends": 2**40, "_permanent": True}
    app = web.application
    for key, status in (("another-key-of-somebody", 303), (app.secret_key, 200)):
        other = create_app(make_settings(secret_key=key), database=sqlite_database, model_version=MODEL)
        signer = SecureCookieSessionInterface().get_signing_serializer(other)
        assert signer is not None
        visitor = app.test_client()
        visitor.set_cookie("stvg_session", signer.dumps(content))
        assert visitor.get("/review/export", headers=HTML).status_code == status


def test_the_cookie_is_hidden_from_scripts_and_from_other_sites(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    cookie = log_in(web).headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie and "Expires=" in cookie
    secure = web.application.test_client()
    page = secure.get("/login", base_url="https://localhost")
    assert "Secure" in page.headers["Set-Cookie"]
    fields = {"name": "ann", "password": PASSWORD, "csrf_token": token_in(page.text)}
    response = secure.post("/login", data=fields, base_url="https://localhost")
    assert response.status_code == 303 and "Secure" in response.headers["Set-Cookie"]


def test_proxies_are_believed_only_where_the_settings_say(sqlite_database: Database) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    for proxies, secure, address in ((0, False, "127.0.0.1"), (1, True, "203.0.113.9")):
        settings = make_settings(trusted_proxies=proxies)
        web = create_app(settings, database=sqlite_database, model_version=MODEL).test_client()
        page = web.get("/login", headers=headers)
        assert ("Secure" in page.headers["Set-Cookie"]) == secure
        scheme = "https" if secure else "http"
        fields = {"name": "x", "password": "y", "csrf_token": token_in(page.text)}
        web.post("/login", data=fields, headers=headers, base_url=f"{scheme}://localhost")
        with sqlite_database.read() as session:
            assert session.scalars(select(Audit.address).order_by(Audit.id.desc())).first() == address


def test_a_session_ends_after_its_hours_also_when_it_is_used(
    web: FlaskClient, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_account(sqlite_database)
    log_in(web)
    began = sessions.time.time()
    for hours, status in ((6, 200), (11.9, 200), (12.1, 303)):
        monkeypatch.setattr(sessions.time, "time", lambda hours=hours: began + hours * 3600)
        assert web.get("/review/export", headers=HTML).status_code == status


@pytest.mark.parametrize("end", ["password", "role", "disable", "log out"])
def test_a_session_ends_with(web: FlaskClient, sqlite_database: Database, end: str) -> None:
    an_account(sqlite_database)
    log_in(web)
    assert web.get("/review/export", headers=HTML).status_code == 200
    if end == "log out":
        assert post(web, "/logout").location == "/login"
    else:
        with sqlite_database.write() as session:
            if end == "password":
                accounts.set_password(session, "ann", PASSWORD)
            elif end == "role":
                accounts.set_role(session, "ann", "admin")
            else:
                accounts.disable(session, "ann")
    assert web.get("/review/export", headers=HTML).status_code == 303
    if end == "disable":
        with sqlite_database.write() as session:
            accounts.enable(session, "ann")
        assert web.get("/review/export", headers=HTML).status_code == 303, "enabling brings no session back"


def test_log_ins_are_noted_and_no_password_is(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    post(web, "/login", name="ann", password="wrong password")
    post(web, "/login", name="my-secret-password", password="ann")
    log_in(web)
    post(web, "/logout")
    assert _acts(sqlite_database) == [
        ("not logged in", "log-in failed", "ann"),
        ("not logged in", "log-in failed", "(no such account)"),
        ("ann", "log in", "ann"),
        ("ann", "log out", "ann"),
    ]
    with sqlite_database.read() as session:
        assert {row.address for row in session.scalars(select(Audit))} == {"127.0.0.1"}


def test_guessing_is_stopped_per_name_and_says_how_long(
    web: FlaskClient, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_account(sqlite_database)
    monkeypatch.setattr(accounts, "generate_password_hash", lambda *_: "")
    for _ in range(PER_NAME):
        assert post(web, "/login", name="nobody", password="wrong").status_code == 401
    response = post(web, "/login", name="NOBODY", password="wrong")
    assert response.status_code == 429 and "Try again in 15 minutes" in response.text
    assert 0 < int(response.headers["Retry-After"]) <= WINDOW_S
    assert len(_acts(sqlite_database)) == PER_NAME, "the log does not grow while somebody is stopped"
    assert log_in(web).status_code == 303, "another name is not stopped"


def test_a_right_password_is_refused_too_while_a_name_is_stopped(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    for _ in range(PER_NAME):
        throttle_of(web).begin("ann", "203.0.113.7")
    assert log_in(web).status_code == 429


def throttle_of(web: FlaskClient) -> Throttle:
    found: Throttle = web.application.extensions["stvg_throttle"]
    return found


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_is_stopped_whatever_names_it_tries_and_let_go_later() -> None:
    clock = Clock()
    guard = Throttle(clock)
    assert not any(guard.begin(f"name{i}", "a") for i in range(PER_ADDRESS))
    assert guard.begin("new", "a") == WINDOW_S and guard.begin("new", "b") == 0
    clock.now += WINDOW_S - 1
    assert guard.begin("new", "a") == 1
    clock.now += 1
    assert guard.begin("new", "a") == 0


def test_a_right_password_forgives_the_name_but_not_the_address() -> None:
    guard = Throttle(Clock())
    for i in range(PER_ADDRESS):
        assert guard.begin("mine", "a") == 0
        if i % 2:
            guard.forgive("mine", "a")
    attempts = PER_ADDRESS - PER_ADDRESS // 2
    for i in range(PER_ADDRESS - attempts):
        assert guard.begin(f"other{i}", "a") == 0
    assert guard.begin("last", "a") > 0


def test_what_the_throttle_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_REMEMBERED", 20)
    guard = Throttle(Clock())
    for i in range(500):
        guard.begin(f"name{i}", f"address{i}")
    assert len(guard._attempts) == 20
