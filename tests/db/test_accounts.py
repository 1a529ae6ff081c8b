"""Accounts and the audit log, on both databases."""

from __future__ import annotations

import pytest

from backend.db import accounts, audits
from backend.db.accounts import AccountError
from backend.db.engine import Database

PASSWORD = "correct horse battery"


def _added(database: Database, name: str = "Ann", role: str = "reviewer") -> str:
    with database.write() as session:
        return accounts.add(session, name, PASSWORD, role, ls_user_id=2**40).session_key


def _right(database: Database, name: str, password: str) -> bool:
    with database.read() as session:
        return accounts.check(session, name, password) is not None


def test_a_password_is_kept_as_a_slow_hash(database: Database) -> None:
    _added(database)
    with database.read() as session:
        account = accounts.find(session, "Ann")
        assert account is not None and account.role == "reviewer" and account.ls_user_id == 2**40
        assert account.password_hash.startswith("scrypt:") and PASSWORD not in account.password_hash
    assert _right(database, "Ann", PASSWORD)
    for name, password in (("Ann", PASSWORD + " "), ("Ann", ""), ("ann", PASSWORD), ("nobody", PASSWORD), ("", "")):
        assert not _right(database, name, password)


def test_accented_letters_are_the_same_however_they_are_typed(database: Database) -> None:
    with database.write() as session:
        accounts.add(session, "Zoe\u0308", "cafe\u0301 cafe\u0301 cafe", "annotator")
    assert _right(database, "Zo\u00eb", "caf\u00e9 caf\u00e9 cafe") and _right(
        database, "Zoe\u0308", "cafe\u0301 cafe\u0301 cafe"
    )


@pytest.mark.parametrize("name", ["", "x" * 65, " Ann", "Ann ", "a\nb", "a\x00b", "a\u202eb", "\ud800"])
def test_names_that_cannot_be_read_are_refused(database: Database, name: str) -> None:
    with database.write() as session, pytest.raises(AccountError, match="1 to 64 printable"):
        accounts.add(session, name, PASSWORD, "annotator")


@pytest.mark.parametrize("name", ["x", "x" * 64, "Ann Lee", "安", "<b>", "-rf"])
def test_other_names_are_fine(database: Database, name: str) -> None:
    _added(database, name)
    assert _right(database, name, PASSWORD)


def test_what_cannot_be_is_said(database: Database) -> None:
    _added(database)
    with database.write() as session:
        with pytest.raises(AccountError, match="an account Ann already"):
            accounts.add(session, "Ann", PASSWORD, "admin")
        with pytest.raises(AccountError, match="no account Bob"):
            accounts.disable(session, "Bob")
        with pytest.raises(AccountError, match="annotator, reviewer, admin"):
            accounts.set_role(session, "Ann", "root")
        for password in ("", "x" * 9):
            with pytest.raises(AccountError, match="10 characters or more"):
                accounts.set_password(session, "Ann", password)
        with pytest.raises(AccountError, match="at most 1024"):
            accounts.add(session, "Bob", "x" * 1025, "admin")
    with database.read() as session:
        assert [(row.name, row.role) for row in accounts.every(session)] == [("Ann", "reviewer")]
    assert _right(database, "Ann", PASSWORD)


def test_every_change_ends_the_sessions(database: Database) -> None:
    keys = [_added(database)]
    for change in (
        lambda session: accounts.set_password(session, "Ann", "another password"),
        lambda session: accounts.set_role(session, "Ann", "admin"),
        lambda session: accounts.disable(session, "Ann"),
        lambda session: accounts.enable(session, "Ann"),
    ):
        with database.write() as session:
            keys.append(change(session).session_key)
    assert len(set(keys)) == 5 and all(len(key) == 64 for key in keys)
    assert _right(database, "Ann", "another password") and not _right(database, "Ann", PASSWORD)


def test_a_disabled_account_is_nobody(database: Database) -> None:
    with database.read() as session:
        assert not accounts.any_enabled(session)
    _added(database)
    with database.write() as session:
        assert accounts.any_enabled(session)
        accounts.disable(session, "Ann")
        assert not accounts.any_enabled(session)
    assert not _right(database, "Ann", PASSWORD)


def test_acts_come_newest_first_and_page_by_page(database: Database) -> None:
    with database.write() as session:
        for number in range(5):
            audits.add(session, who="Ann", action="export", target=str(number), detail={"labels": number})
        audits.add(session, who="x" * 200, action="y" * 200, target="a\x00b", address="z" * 200)
    with database.read() as session:
        rows = audits.newest(session, limit=4)
        assert [row.target for row in rows] == ["ab", "4", "3", "2"]
        assert rows[1].detail == {"labels": 4} and rows[1].at.tzinfo is not None and rows[1].role is None
        assert (len(rows[0].who), len(rows[0].action), len(rows[0].address or "")) == (64, 64, 64)
        assert [row.target for row in audits.newest(session, limit=4, before=rows[-1].id)] == ["1", "0"]
        assert audits.newest(session, before=1) == []


def test_an_act_that_is_taken_back_leaves_no_row(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session:
        audits.add(session, who="Ann", action="export")
        raise ZeroDivisionError
    with database.read() as session:
        assert audits.newest(session) == []
