"""Who may log in to the review pages, and with which role?

Changing a password or a role, disabling and enabling all give the account a new ``session_key``, which ends its
sessions everywhere.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from backend.db.engine import insert_once
from backend.db.tables import Account
from backend.db.types import plain
from stvg_core.errors import StvgError

ROLES = ("annotator", "reviewer", "admin")
"""From the least to the most: an annotator sees, a reviewer decides and exports, an admin reads the audit log."""

LONGEST_NAME = 64
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 1024


class AccountError(StvgError):
    """There is no such account, or it cannot be as it was asked for."""


def add(session: Session, name: str, password: str, role: str, *, ls_user_id: int | None = None) -> Account:
    """A new account; :class:`AccountError` where the name is taken or a value is not allowed."""
    name = clean_name(name)
    values = {"password_hash": _hash(password), "role": _check_role(role), "session_key": _new_key()}
    if not insert_once(session, Account, "name", name=name, ls_user_id=ls_user_id, **values):
        raise AccountError(f"There is an account {name} already. Change it: stvg users role, or stvg users password.")
    return _required(session, name)


def find(session: Session, name: str) -> Account | None:
    """The account of this name, disabled or not."""
    return session.scalar(select(Account).where(Account.name == plain(unicodedata.normalize("NFC", name))))


def by_id(session: Session, account_id: int) -> Account | None:
    """The account of this number, None where there is none."""
    return session.get(Account, account_id)


def every(session: Session) -> Sequence[Account]:
    """All accounts by name."""
    return session.scalars(select(Account).order_by(Account.name)).all()


def any_enabled(session: Session) -> bool:
    """Can anybody log in at all?"""
    return bool(session.scalar(select(exists().where(~Account.disabled))))


def check(session: Session, name: str, password: str) -> Account | None:
    """The account, if the password is right and it is not disabled.

    An unknown name costs one hash as well, so that the time does not tell which names there are.
    """
    password = _as_typed(password)[:LONGEST_PASSWORD]
    account = find(session, name)
    if account is None:
        generate_password_hash(password)
        return None
    right = check_password_hash(account.password_hash, password)
    return account if right and not account.disabled else None


def set_password(session: Session, name: str, password: str) -> Account:
    """Give an account another password. Raises AccountError for an unknown name or a password that is too short."""
    return _change(session, name, password_hash=_hash(password))


def set_role(session: Session, name: str, role: str) -> Account:
    """Give an account another role. Raises AccountError for an unknown name or role."""
    return _change(session, name, role=_check_role(role))


def disable(session: Session, name: str) -> Account:
    """Nobody can log in with it any more; what it decided stays."""
    return _change(session, name, disabled=True)


def enable(session: Session, name: str) -> Account:
    """Let it log in again. Raises AccountError for an unknown name."""
    return _change(session, name, disabled=False)


def clean_name(name: str) -> str:
    """The name as it is stored: composed characters, 1 to 64 of them, all printable; else :class:`AccountError`."""
    name = unicodedata.normalize("NFC", name)
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise AccountError(
            f"A name has 1 to {LONGEST_NAME} printable characters and neither begins nor ends with a space."
        )
    return name


def _change(session: Session, name: str, **values: object) -> Account:
    account = _required(session, name)
    for column, value in values.items():
        setattr(account, column, value)
    account.session_key = _new_key()
    session.flush()
    return account


def _required(session: Session, name: str) -> Account:
    account = find(session, name)
    if account is None:
        raise AccountError(f"There is no account {name}. stvg users list shows all.")
    return account


def _hash(password: str) -> str:
    password = _as_typed(password)
    if len(password) < SHORTEST_PASSWORD:
        raise AccountError(f"A password has {SHORTEST_PASSWORD} characters or more.")
    if len(password) > LONGEST_PASSWORD:
        raise AccountError(f"A password has at most {LONGEST_PASSWORD} characters.")
    return generate_password_hash(password, method="scrypt")


def _as_typed(password: str) -> str:
    """The same on keyboards that compose an accented letter and on those that send letter and accent."""
    return plain(unicodedata.normalize("NFC", password))


def _check_role(role: str) -> str:
    if role not in ROLES:
        raise AccountError(f"There is no role {role}. Roles are: {', '.join(ROLES)}.")
    return role


def _new_key() -> str:
    return secrets.token_hex(32)
