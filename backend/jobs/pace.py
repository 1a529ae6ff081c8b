"""How much goes into one transaction? As much as keeps other writers from waiting too long.

SQLite has one writer at a time: a webhook that comes meanwhile waits. PostgreSQL holds only the rows that are written.
A large transaction costs less for each thing in it, so it is as large as the time allows.
"""

from __future__ import annotations

from backend.db.engine import Database

HOLD_S = 0.04
"""So long may a transaction hold the write lock of SQLite."""

HOLD_ROWS_S = 0.1
"""The same for the rows of a few tasks."""


class Pace:
    """Learns from how long transactions took.

    Attributes:
        size: how much the next one should hold. Never below ``fewest``: most of what a small one takes is what every
            transaction takes, so still smaller ones would only hold the lock more often.
    """

    def __init__(self, hold_s: float, *, fewest: int = 8, most: int = 48) -> None:
        self.size, self._hold_s, self._fewest, self._most = fewest, hold_s, fewest, most

    @classmethod
    def of(cls, database: Database) -> Pace:
        """For a database of this kind."""
        return cls(HOLD_ROWS_S if database.engine.dialect.name == "postgresql" else HOLD_S)

    def took(self, count: int, seconds: float) -> None:
        """A transaction with so much in it held its locks for so long."""
        if seconds > self._hold_s:
            self.size = max(self._fewest, int(min(count, self.size) * max(self._hold_s / seconds, 0.5)))
        elif count >= self.size:
            self.size = min(self._most, self.size + max(1, self.size // 4))
