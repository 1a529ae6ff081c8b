"""How does a row reach Label Studio? It is claimed for a while and sent; while Label Studio is away, rows wait.

The pauses grow up to ten minutes. What Label Studio refuses for good ends with its reason; a refusal that a person
mends without touching the task (a new token, a right) waits as if it were away.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.labelstudio.transport import LabelStudioError
from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)

CLAIM_S = 240.0
"""Longer than the few calls for one row with all their repetitions."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 600.0
_MAY_CHANGE = (401, 403, 408, 429)

Row = TypeVar("Row")


class Sender(ABC, Generic[Row]):
    """Sends what is due of one kind of row; ``noun`` is what a person calls it."""

    noun: ClassVar[str]

    def __init__(self, database: Database, *, name: str, claim_s: float = CLAIM_S) -> None:
        self._database, self._name, self._claim_s = database, name, claim_s

    def send_due(self) -> int:
        """Send until nothing is due or Label Studio is away; returns how many arrived."""
        arrived = 0
        while True:
            with self._database.read() as session:
                if not self._waiting(session):
                    return arrived
            with self._database.write() as session:
                row = self._claim(session)
            if row is None:
                return arrived
            try:
                arrived += self._send(row)
            except LabelStudioError as error:
                if error.temporary or error.status in _MAY_CHANGE:
                    self._wait(row, str(error))
                    return arrived
                self._fail(row, str(error))
            except StvgError as error:
                self._fail(row, str(error))
            except Exception:
                what = f"{self.noun} {self._number(row)}"
                logger.exception("%s: internal error", what)
                self._fail(row, f"Internal error. The worker's log has the details under {what}.")

    def _wait(self, row: Row, reason: str) -> None:
        pause = min(_FIRST_PAUSE_S * 2 ** (self._attempts(row) - 1), _LONGEST_PAUSE_S)
        logger.warning("%s %d waits %.0f s: %s", self.noun, self._number(row), pause, reason)
        with self._database.write() as session:
            self._postpone(session, row, reason, pause)

    def _fail(self, row: Row, reason: str) -> None:
        logger.warning("%s %d failed: %s", self.noun, self._number(row), reason)
        with self._database.write() as session:
            self._give_up(session, row, reason)

    @abstractmethod
    def _waiting(self, session: Session) -> bool:
        """Is anything due? A look that takes no lock."""

    @abstractmethod
    def _claim(self, session: Session) -> Row | None:
        """The next row, held for ``claim_s``."""

    @abstractmethod
    def _send(self, row: Row) -> bool:
        """Send it and store that it arrived; False where it has to be sent once more."""

    @abstractmethod
    def _number(self, row: Row) -> int: ...

    @abstractmethod
    def _attempts(self, row: Row) -> int: ...

    @abstractmethod
    def _postpone(self, session: Session, row: Row, reason: str, seconds: float) -> None: ...

    @abstractmethod
    def _give_up(self, session: Session, row: Row, reason: str) -> None: ...
