"""The decoding child: answers what its parent asks for, and ends with it. Started by :mod:`stvg_core.video.child`."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.children.serving import Serving, begin
from stvg_core.errors import VideoError
from stvg_core.tube import VideoInfo
from stvg_core.video.beat import heard_by
from stvg_core.video.child_wire import SharedMemory, info_from_json, info_to_json
from stvg_core.video.container import Limits
from stvg_core.video.probe import probe
from stvg_core.video.reader import VideoReader


def main() -> None:
    """Decode what the parent process asks for, until it closes the connection."""
    told = begin()
    module, _, name = told["reader"].partition(":")
    Decoding(told, getattr(import_module(module), name)).run()


class Decoding(Serving):
    """Has one file open at a time.

    FFmpeg takes a picture that it has no memory for as damaged; here damage near the limit is told apart.
    """

    def __init__(self, told: dict[str, Any], reader: Any) -> None:
        super().__init__(told)
        self._memory, self._reader = SharedMemory(told["memory"]), reader
        self._open: VideoReader | None = None
        self._damage: tuple[str, ...] = ()

    def expected(self, error: Exception) -> dict[str, Any] | None:
        return {"error": "video", "text": str(error)} if isinstance(error, VideoError) else None

    def working(self) -> AbstractContextManager[None]:
        return heard_by(self.moves_on)

    def do_probe(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._described(probe(asked["path"], Limits(**asked["limits"])))

    def do_open(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.do_close(asked)
        source = Path(asked["path"]) if asked["known"] is None else info_from_json(asked["known"], None)
        self._open = self._reader(source, limits=Limits(**asked["limits"]), kept_bytes=asked["kept_bytes"])
        self._damage = self._open.info.warnings
        return self._described(self._open.info)

    def do_expect(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        self._open.expect(asked["frames"])
        return {}

    def do_seconds(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        self._memory.put(np.asarray(self._open.seconds, np.float64))
        return {}

    def do_read(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        frames = np.array(asked["frames"], np.int64)
        place = 0
        pictures = self._open.stream(frames, max_side=asked["max_side"])
        for (_, picture), second in zip(pictures, self._open.seconds_of(frames).tolist(), strict=True):
            self._memory.put(picture, place)
            place += picture.nbytes
            self.tell({"second": second})
        damage = self._open.info.warnings
        if damage != self._damage and self.short_of_memory():
            return {"error": "memory"}
        self._damage = damage
        return {"warnings": list(damage)}

    def do_keep(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        self._open.keep(asked["bytes"])
        return {}

    def do_prepare(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._open is not None
        for _ in self._open.prepare(np.array(asked["frames"], np.int64)):
            self.tell({})
        return {}

    def do_close(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self._open is not None:
            self._open.close()
        self._open = None
        gc.collect()  # a decoder and its container know each other: until then its pictures' memory stays
        return {}

    def _described(self, info: VideoInfo) -> dict[str, Any]:
        if info.times is not None:
            self._memory.put(np.asarray(info.times, np.float64))
        return {"info": info_to_json(info), "times": info.times is not None}


if __name__ == "__main__":
    main()
