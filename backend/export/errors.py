"""What can go wrong with an export, in words."""

from __future__ import annotations

from stvg_core.errors import StvgError


class ExportError(StvgError):
    """The export cannot be written as asked: the target is in the way, a split is no split, a library is missing."""
