"""What can go wrong with the database, in words."""

from stvg_core.errors import StvgError


class DatabaseError(StvgError):
    """The database cannot be used: not reachable, not yet created, or at an old migration."""


class NoDatabase(DatabaseError):
    """There is no such file. The message names it, so it is for whoever runs the command, not for strangers."""


class UnknownProject(StvgError):
    """No project has the title or number that was named."""
