"""Tracks as bytes and back."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from stvg_core.proposals.sightings import SightedTrack
from stvg_core.tube import Array, Track

_FORMAT = "stvg-tracks-1"


def to_bytes(tracks: Sequence[Track], key: str) -> bytes:
    """A compressed ``.npz`` that knows what it was stored under."""
    sighted = [isinstance(track, SightedTrack) for track in tracks]
    seen = [track.sighted if isinstance(track, SightedTrack) else np.zeros(0, np.int64) for track in tracks]
    sure = [track.confidence if isinstance(track, SightedTrack) else np.zeros(0, np.float32) for track in tracks]
    arrays: dict[str, Any] = {
        "key": np.array([_FORMAT, key]),
        "frames": _joined([track.frames for track in tracks], np.zeros(0, np.int64)),
        "boxes": _joined([track.boxes for track in tracks], np.zeros((0, 4), np.float32)),
        "sighted": _joined(seen, np.zeros(0, np.int64)),
        "confidence": _joined(sure, np.zeros(0, np.float32)),
        "lengths": np.array([(len(t.frames), len(s), kind) for t, s, kind in zip(tracks, seen, sighted, strict=True)],
                         dtype=np.int64).reshape(-1, 3),
        "scores": np.array([track.score for track in tracks], dtype=np.float64),
        "words": np.array([(track.source, track.label) for track in tracks], dtype=np.str_).reshape(-1, 2),
    }  # fmt: skip
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **(arrays | _masks(tracks)))
    return buffer.getvalue()


def from_bytes(data: bytes, key: str) -> list[Track]:
    """The tracks stored under ``key``.

    Raises:
        ValueError: damaged, of another format, or stored under another key.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            if arrays["key"].tolist() != [_FORMAT, key]:
                raise ValueError("the tracks were stored under another key")
            return _tracks({name: arrays[name] for name in arrays.files})
    except (OSError, EOFError, KeyError, IndexError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise ValueError(f"the stored tracks are damaged: {error}") from error


def _tracks(arrays: dict[str, Array]) -> list[Track]:
    lengths = arrays["lengths"]
    ends, seen_ends = np.cumsum(lengths[:, 0]), np.cumsum(lengths[:, 1])
    if (ends.max(initial=0), seen_ends.max(initial=0)) != (len(arrays["frames"]), len(arrays["sighted"])):
        raise ValueError("the stored tracks are damaged: parts are missing")
    tracks: list[Track] = []
    masks = _masks_by_track(arrays, lengths[:, 0])
    for row, (count, seen, kind) in enumerate(lengths):
        part, part_seen = slice(ends[row] - count, ends[row]), slice(seen_ends[row] - seen, seen_ends[row])
        source, label = (str(word) for word in arrays["words"][row])
        score, frames, boxes = float(arrays["scores"][row]), arrays["frames"][part], arrays["boxes"][part]
        if kind:
            sighted, confidence = arrays["sighted"][part_seen], arrays["confidence"][part_seen]
            tracks.append(
                SightedTrack(
                    frames, boxes, score, source, label, sighted=sighted, confidence=confidence, masks=masks[row]
                )
            )
        else:
            tracks.append(Track(frames, boxes, score, source, label, masks=masks[row]))
    return tracks


def _masks(tracks: Sequence[Track]) -> dict[str, Array]:
    """Which tracks have masks, and the masks; nothing where none has any."""
    masked = [track.masks is not None for track in tracks]
    if not any(masked):
        return {}
    return {"masked": np.array(masked), "masks": np.concatenate([t.masks for t in tracks if t.masks is not None])}


def _masks_by_track(arrays: dict[str, Array], counts: Array) -> list[Array | None]:
    if "masked" not in arrays:
        return [None] * len(counts)
    masked, masks = arrays["masked"], arrays["masks"]
    if len(masked) != len(counts) or counts[masked].sum() != len(masks):
        raise ValueError("the stored tracks are damaged: masks are missing")
    ends = np.cumsum(counts * masked)
    return [masks[end - count : end] if has else None for end, count, has in zip(ends, counts, masked, strict=True)]


def _joined(parts: Sequence[Array], none: Array) -> Array:
    return np.concatenate(parts) if parts else none
