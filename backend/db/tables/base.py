"""What have all tables in common? Named constraints, the types of their columns, and what a row of work carries."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend.db.types import Json, UtcTime

# Named constraints, so that migrations can drop them on both databases.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


LsId = Annotated[int, mapped_column(BigInteger)]
"""A number that Label Studio gave."""


class Base(DeclarativeBase):
    """What all tables share: how constraints are named, and which column a Python type becomes."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime,
        dict[str, Any]: Json,
        list[Any]: Json,
        bytes: LargeBinary,
    }


class Leased:
    """A row of work that one process at a time does. ``backend.db.lease`` is the only code that changes these columns.

    Attributes:
        WAITING, HELD, FAILED: what ``state`` is called while it waits, while it is held, and once it is given up.
        attempts: tries begun since the last one that a person asked for; a try whose process died goes on in the next.
        deaths: how many processes in a row were gone in the middle of it, at the stage ``death_stage``.
        run_after: not before this moment; null for at once.
        leased_by: a name that is new for each holder; ``lease_until``: afterwards another may take it.
        reason: why it failed, or why it waits.
    """

    WAITING: ClassVar[str]
    HELD: ClassVar[str]
    FAILED: ClassVar[str] = "failed"

    id: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    deaths: Mapped[int] = mapped_column(default=0)
    death_stage: Mapped[str] = mapped_column(String(64), default="")
    run_after: Mapped[datetime | None]
    leased_by: Mapped[str | None] = mapped_column(String(160))
    lease_until: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)

    @property
    def stage_now(self) -> str:
        """Where in the work its holder was last heard of."""
        return ""

    @property
    def begun(self) -> bool:
        """Whether its holder has begun with it: the death of one that has not says nothing about this row."""
        return True
