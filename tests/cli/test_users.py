"""What ``stvg users`` does and says."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from backend.cli.main import stvg
from backend.db import accounts, audits
from backend.db.accounts import AccountError
from backend.db.engine import Database
from backend.db.errors import DatabaseError

PASSWORD = "correct horse battery"
OTHER = "another long password"


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    monkeypatch.setenv("STVG_DATABASE_URL", sqlite_url)


def _run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(stvg, ["users", *arguments], input=typed)


def _said(*arguments: str, typed: str = "") -> str:
    result = _run(*arguments, typed=typed)
    assert result.exit_code == 0, result.output
    return result.output


def _failed(*arguments: str, typed: str = "") -> str:
    result = _run(*arguments, typed=typed)
    assert isinstance(result.exception, AccountError), result.output
    return str(result.exception)


def _add(name: str = "ann", role: str = "admin", *more: str) -> None:
    _said("add", name, "--role", role, "--password-stdin", *more, typed=f"{PASSWORD}\n")


def _right(database: Database, name: str, password: str) -> bool:
    with database.read() as session:
        return accounts.check(session, name, password) is not None


def test_the_password_is_asked_for_twice_and_never_shown(sqlite_database: Database) -> None:
    output = _said("add", "ann", "--role", "reviewer", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert "ann can log in as reviewer" in output and PASSWORD not in output
    assert _right(sqlite_database, "ann", PASSWORD)


def test_two_different_passwords_are_asked_for_again(sqlite_database: Database) -> None:
    output = _said("add", "ann", "--role", "admin", typed=f"{PASSWORD}\n{OTHER}\n{OTHER}\n{OTHER}\n")
    assert "do not match" in output.lower() and _right(sqlite_database, "ann", OTHER)


def test_there_is_no_way_to_give_the_password_as_an_argument() -> None:
    for arguments in (("add", "ann", PASSWORD, "--role", "admin"), ("password", "ann", PASSWORD)):
        assert _run(*arguments).exit_code == 2
    assert _run("add", "ann", "--role", "admin", "--password", PASSWORD).exit_code == 2


@pytest.mark.parametrize(
    ("typed", "reason"),
    [("", "one line"), ("short\n", "10 characters or more"), (f"{PASSWORD}\nmore\n", "one line")],
)
def test_a_password_that_cannot_be_used_makes_no_account(sqlite_database: Database, typed: str, reason: str) -> None:
    assert reason in _failed("add", "ann", "--role", "admin", "--password-stdin", typed=typed)
    with sqlite_database.read() as session:
        assert not accounts.every(session) and not audits.newest(session)


def test_spaces_belong_to_a_password(sqlite_database: Database) -> None:
    _said("add", "ann", "--role", "admin", "--password-stdin", typed=f" {PASSWORD} ")
    assert _right(sqlite_database, "ann", f" {PASSWORD} ") and not _right(sqlite_database, "ann", PASSWORD)


def test_names_and_roles_are_checked() -> None:
    _add()
    assert "an account ann already" in _failed("add", "ann", "--role", "admin", "--password-stdin", typed=PASSWORD)
    assert "printable" in _failed("add", "a\nb", "--role", "admin", "--password-stdin", typed=PASSWORD)
    result = _run("add", "bob", "--role", "root", "--password-stdin", typed=PASSWORD)
    assert result.exit_code == 2 and "reviewer" in result.output
    assert _run("add", "bob", "--password-stdin", typed=PASSWORD).exit_code == 2, "a role has to be named"
    for command in (("role", "bob", "admin"), ("disable", "bob"), ("enable", "bob")):
        assert "no account bob" in _failed(*command)
    assert "no account bob" in _failed("password", "bob", "--password-stdin", typed=PASSWORD)


def test_the_list_shows_everybody(sqlite_database: Database) -> None:
    assert "stvg users add" in _said("list")
    _add("bob", "annotator")
    _add("ann", "admin", "--label-studio-user", "12")
    _said("disable", "bob")
    lines = _said("list").splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "ann", "bob"]
    assert lines[1].split()[1:4] == ["admin", "enabled", "12"] and lines[2].split()[1:4] == [
        "annotator",
        "disabled",
        "-",
    ]
    first, second = (json.loads(line) for line in _said("list", "--json").splitlines())
    assert first["label_studio_user"] == 12 and second["disabled"] is True
    assert set(first) == {"name", "role", "disabled", "label_studio_user", "created_at"}


def test_every_change_is_done_and_noted(sqlite_database: Database) -> None:
    _add("ann", "annotator", "--label-studio-user", "12")
    assert "has to log in again" in _said("role", "ann", "reviewer")
    _said("password", "ann", "--password-stdin", typed=OTHER)
    _said("disable", "ann")
    assert not _right(sqlite_database, "ann", OTHER)
    _said("enable", "ann")
    assert _right(sqlite_database, "ann", OTHER) and not _right(sqlite_database, "ann", PASSWORD)
    with sqlite_database.read() as session:
        rows = list(reversed(audits.newest(session)))
        assert [row.action for row in rows] == [
            "add user", "change role", "change password", "disable user", "enable user",
        ]  # fmt: skip
        assert {(row.who, row.target, row.role, row.address) for row in rows} == {("command line", "ann", None, None)}
        assert rows[0].detail == {"role": "annotator", "label_studio_user": 12} and rows[1].detail == {
            "role": "reviewer"
        }
        assert not any(secret in str(row.detail) for row in rows for secret in (PASSWORD, OTHER))


def test_an_empty_database_says_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("STVG_DATABASE_URL", f"sqlite:///{tmp_path}/new.sqlite3")
    result = _run("list")
    assert isinstance(result.exception, DatabaseError) and "stvg db upgrade" in str(result.exception)
