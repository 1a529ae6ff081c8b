"""``stvg users``: who may log in to the review pages. Every change is a row in the audit log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.orm import Session

from backend.bootstrap import ready_database
from backend.cli.groups import Group
from backend.db import accounts, audits
from backend.db.tables import Account
from backend.settings import load_settings

_WHO = "command line"
_COLUMNS = "{name:<24}  {role:<10}  {state:<9}  {label_studio:>12}  {since}"

_from_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input: one line.")


@click.group("users", cls=Group)
def command() -> None:
    """Accounts of the review pages: an annotator sees, a reviewer decides and exports, an admin reads the audit log."""


@command.command()
@click.argument("name")
@click.option("--role", type=click.Choice(accounts.ROLES), required=True, help="What the account may do.")
@click.option("--label-studio-user", "ls_user_id", type=click.IntRange(1, 2**63 - 1), metavar="N",
              help="Who this is in Label Studio (the user's number there).")  # fmt: skip
@_from_stdin
def add(name: str, role: str, ls_user_id: int | None, password_stdin: bool) -> None:
    """Make an account; the password is asked for."""
    name = accounts.clean_name(name)
    password = _password(password_stdin)
    with _writing() as session:
        accounts.add(session, name, password, role, ls_user_id=ls_user_id)
        _note(session, "add user", name, role=role, label_studio_user=ls_user_id)
    click.echo(f"{name} can log in as {role}.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def show(as_json: bool) -> None:
    """List the accounts."""
    with ready_database(load_settings()) as database, database.read() as session:
        rows = [describe(account) for account in accounts.every(session)]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        click.echo("There is no account yet. Make one: stvg users add NAME --role admin")
        return
    click.echo(_COLUMNS.format(name="NAME", role="ROLE", state="STATE", label_studio="LABEL STUDIO", since="SINCE"))
    for row in rows:
        click.echo(
            _COLUMNS.format(
                name=row["name"],
                role=row["role"],
                state="disabled" if row["disabled"] else "enabled",
                label_studio=row["label_studio_user"] or "-",
                since=row["created_at"][:10],
            )
        )


@command.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(accounts.ROLES))
def change_role(name: str, role: str) -> None:
    """Give an account another role. It is logged out everywhere."""
    with _writing() as session:
        accounts.set_role(session, name, role)
        _note(session, "change role", name, role=role)
    click.echo(f"{name} is {role} now, and has to log in again.")


@command.command("password")
@click.argument("name")
@_from_stdin
def change_password(name: str, password_stdin: bool) -> None:
    """Give an account a new password, which is asked for. It is logged out everywhere."""
    password = _password(password_stdin)
    with _writing() as session:
        accounts.set_password(session, name, password)
        _note(session, "change password", name)
    click.echo(f"{name} has a new password, and has to log in again.")


@command.command()
@click.argument("name")
def disable(name: str) -> None:
    """Log an account out everywhere and let it log in no more. What it decided stays."""
    with _writing() as session:
        accounts.disable(session, name)
        _note(session, "disable user", name)
    click.echo(f"{name} cannot log in any more.")


@command.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let a disabled account log in again."""
    with _writing() as session:
        accounts.enable(session, name)
        _note(session, "enable user", name)
    click.echo(f"{name} can log in again.")


def describe(account: Account) -> dict[str, Any]:
    """An account in plain values."""
    return {
        "name": account.name,
        "role": account.role,
        "disabled": account.disabled,
        "label_studio_user": account.ls_user_id,
        "created_at": account.created_at.isoformat(timespec="seconds"),
    }


def _password(from_stdin: bool) -> str:
    """Never an argument: those can be read in the list of processes and in the shell's history."""
    if not from_stdin:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    lines = sys.stdin.read().splitlines()
    if len(lines) != 1:
        raise accounts.AccountError("Standard input has to hold the password as one line.")
    return lines[0]


def _note(session: Session, action: str, name: str, **detail: Any) -> None:
    audits.add(session, who=_WHO, action=action, target=name, detail=detail)


@contextmanager
def _writing() -> Iterator[Session]:
    with ready_database(load_settings()) as database, database.write() as session:
        yield session
