"""Why a source, or one of its records, cannot be used."""

from enum import StrEnum

from stvg_core.errors import StvgError


class SourceError(StvgError):
    """The source as a whole cannot be used: it is not there, of no known kind, or something that it needs is not."""


class Reason(StrEnum):
    """What kind of thing is wrong with a record, for counting."""

    RECORD = "the record cannot be read"
    SENTENCE = "the sentence cannot be asked"
    ADDRESS = "the video's address cannot be used"
    MISSING = "there is no such video"
    AMBIGUOUS = "several videos could be meant"
    UNREACHABLE = "the video's server does not answer"
    REFUSED = "the video is not given out"
    NO_VIDEO = "the file is no video that can be used"


class PlaceError(SourceError):
    """A video cannot be found, or not for certain."""

    def __init__(self, reason: Reason, said: str) -> None:
        super().__init__(said)
        self.reason = reason
