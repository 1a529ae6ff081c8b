"""Why a task's video cannot be had, in words."""

from stvg_core.errors import StvgError


class MediaError(StvgError):
    """The video cannot be fetched, and trying again would not help."""


class MediaUnavailable(MediaError):
    """The source does not answer at present; the same request may work later."""
