"""From the address in a task to a local file whose content is known, without fetching what must not be fetched."""

from backend.media.errors import MediaError, MediaUnavailable
from backend.media.file import MediaFile
from backend.media.library import MediaLibrary

__all__ = ["MediaError", "MediaFile", "MediaLibrary", "MediaUnavailable"]
