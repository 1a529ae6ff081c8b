"""Videos that the labelling page cannot play: found while tasks are probed, copied where that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from backend.labelstudio.playable import ADVICE, Seen, problems
from backend.labelstudio.tasks import local_file_address
from backend.media import MediaFile
from stvg_core.copies import copy_name
from stvg_core.errors import StvgError
from stvg_core.text import printable
from stvg_core.tube import VideoInfo
from stvg_core.video.coding import read_coding
from stvg_core.video.transcode import transcode


def looker(fetch: Callable[[str, int], MediaFile], probe: Callable[[Path], VideoInfo]) -> Callable[[str, int], Seen]:
    """Says of an address, which a task names, what the labelling page will not show of the video there.

    Raises:
        StvgError: from the function, where the video cannot be read.
    """

    def look(address: str, task: int) -> Seen:
        file = fetch(address, task)
        info = probe(file.path)
        return Seen(file.path, file.sha256, info, tuple(problems(read_coding(file.path), info)))

    return look


def copier(folder: Path, document_root: Path, say: Callable[[str], None]) -> Callable[[Seen], str]:
    """Copies into a folder below Label Studio's document root; one that is there is used again.

    Raises:
        StvgError: from the function, where the copy cannot be made or would not be served.
    """

    def copy(seen: Seen) -> str:
        out = folder / copy_name(seen.path.stem, seen.sha256)
        if not out.exists():
            say(f"copying {seen.path.name} ({seen.info.n_frames} frames)")
            transcode(seen.info, out)
        return local_file_address(out, document_root)

    return copy


def unplayable(videos: Mapping[Path, VideoInfo]) -> list[str]:
    """A sentence for each video that the labelling page does not show rightly; cheap, the files were probed before."""
    said = []
    for path, info in videos.items():
        try:
            found = problems(read_coding(path), info)
        except StvgError:
            continue  # what cannot be read at all was said by the probe
        if found:
            said.append(f"{printable(path.name)}: {' '.join(found)} {ADVICE}")
    return said
