"""The demo's three people: each can log in with the role that is theirs, and it is said where."""

from __future__ import annotations

from backend.db import accounts
from backend.db.engine import Database
from backend.demo.accounts import ROLES, make_accounts, people, tie_annotator


def test_each_has_the_role_and_a_new_password_each_time(sqlite_url: str) -> None:
    first, second = make_accounts(sqlite_url), make_accounts(sqlite_url)
    database = Database(sqlite_url)
    try:
        tie_annotator(database, 7)
        with database.read() as session:
            found = {name: accounts.check(session, name, second[name]) for name in ROLES}
            roles = {name: account.role for name, account in found.items() if account is not None}
            assert roles == {"annotator": "annotator", "reviewer": "reviewer", "lead": "admin"}
            assert [accounts.check(session, name, first[name]) for name in ROLES] == [None] * 3
            assert {name: account.ls_user_id for name, account in found.items() if account is not None} == {
                "annotator": 7, "reviewer": None, "lead": None,
            }  # fmt: skip
    finally:
        database.close()


def test_a_reviewer_of_an_earlier_demo_loses_the_role_of_an_admin(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    try:
        with database.write() as session:
            accounts.add(session, "reviewer", "an-older-password", "admin")
        make_accounts(sqlite_url)
        with database.read() as session:
            found = accounts.find(session, "reviewer")
            assert found is not None and found.role == "reviewer"
    finally:
        database.close()


def test_addresses_and_log_ins_are_printed() -> None:
    passwords = {name: f"{name}-secret" for name in ROLES}
    printed = people("http://ls:1", 4, ("a@b.example", "ls-secret"), "http://we:2", passwords)
    rows = printed.splitlines()[2:]
    assert [row.split()[-3:] for row in rows] == [
        ["http://ls:1/projects/4/data", "a@b.example", "ls-secret"],
        *(["http://we:2/review/", name, f"{name}-secret"] for name in ROLES),
    ]
