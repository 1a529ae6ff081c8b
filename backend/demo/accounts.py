"""The three people of the demo. Who is there, what may each do, and where do they log in?"""

from __future__ import annotations

import secrets

from backend.db import accounts
from backend.db.engine import Database

ANNOTATOR, REVIEWER, LEAD = "annotator", "reviewer", "lead"
ROLES = {ANNOTATOR: "annotator", REVIEWER: "reviewer", LEAD: "admin"}
"""The role of each on the review pages, by name."""


def make_accounts(database_url: str) -> dict[str, str]:
    """An account of the review pages for each, with new passwords; returns those by name.

    Accounts of an earlier run are kept: they get the password and the role.
    """
    passwords = {name: secrets.token_urlsafe(9) for name in ROLES}
    database = Database(database_url)
    try:
        with database.write() as session:
            for name, role in ROLES.items():
                if accounts.find(session, name) is None:
                    accounts.add(session, name, passwords[name], role)
                else:
                    accounts.set_password(session, name, passwords[name])
                    accounts.set_role(session, name, role)
    finally:
        database.close()
    return passwords


def tie_annotator(database: Database, ls_user_id: int) -> None:
    """Say who the annotator is in Label Studio."""
    with database.write() as session:
        account = accounts.find(session, ANNOTATOR)
        if account is not None:
            account.ls_user_id = ls_user_id


def people(label_studio: str, project: int, log_in: tuple[str, str], service: str, passwords: dict[str, str]) -> str:
    """Everybody's addresses and log-ins, as aligned text.

    Args:
        label_studio: its address.
        log_in: the annotator's name and password there.
        service: the address of the review pages.
        passwords: of the review pages, by name.
    """
    pages = f"{service}/review/"
    rows = [
        ("who", "may", "address", "name", "password"),
        (ANNOTATOR, "correct tubes, skip tasks", f"{label_studio}/projects/{project}/data", *log_in),
        ("", "see the queue and corrections", pages, ANNOTATOR, passwords[ANNOTATOR]),
        (REVIEWER, "accept, reject, send back, export", pages, REVIEWER, passwords[REVIEWER]),
        (LEAD, "also read the audit log", pages, LEAD, passwords[LEAD]),
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
