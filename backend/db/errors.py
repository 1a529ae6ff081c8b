"""What can go wrong with the database, in words."""

from sqlalchemy.exc import InterfaceError, OperationalError

from stvg_core.errors import StvgError

AWAY = (OperationalError, InterfaceError)
"""The database did not do it, and may do it later: not reachable, gone in the middle, locked, read-only, a deadlock."""


class DatabaseError(StvgError):
    """The database cannot be used: not reachable, not yet created, or at an old migration."""


class NoDatabase(DatabaseError):
    """There is no such file. The message names it, so it is for whoever runs the command, not for strangers."""


class UnknownProject(StvgError):
    """No project has the title or number that was named."""
