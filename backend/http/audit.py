"""How does an act of the person on the page get into the audit log?"""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy.orm import Session

from backend.db import audits
from backend.http import people


def record(session: Session, action: str, target: str, **detail: Any) -> None:
    """Note what the present person does, in the transaction of the act. ``detail`` is stored as JSON: no secrets."""
    person = people.current()
    audits.add(
        session,
        who="not logged in" if person is None else person.name,
        role=None if person is None else person.role,
        action=action,
        target=target,
        detail=detail,
        address=request.remote_addr,
    )
