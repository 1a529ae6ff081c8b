"""What can go wrong, in words a person can act on.

Every error that a user can cause or mend derives from :class:`StvgError`. ``str(error)`` is one or two plain sentences:
what is wrong, and what to do about it. Anything else that is raised is a defect of this software.
"""


class StvgError(Exception):
    """Base of all errors that are shown to a person as they are."""


class VideoError(StvgError):
    """The video cannot be used: missing, not a video, truncated, too large, or without a decodable picture."""


class QueryError(StvgError):
    """The sentence cannot be used: empty, far too long, or nothing but control characters."""


class ModelError(StvgError):
    """The model cannot be loaded or does not fit: missing files, unknown family, no safetensors, out of memory."""


class NonFiniteError(StvgError):
    """The model answered with NaN or infinite numbers, or with a tube that is none; nothing of it is kept."""
