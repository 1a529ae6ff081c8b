"""A grounder that answers at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.method.evidence import Evidence
from stvg_core.tube import Grounding, Tube
from stvg_core.video import probe


class FakeGrounder:
    """Answers with the first given track, or a still box."""

    def ground(
        self, video: Path, query: str, *, tracks: Any = None, progress: Any = None, segment: Any = None
    ) -> Grounding:
        info = probe(video)
        progress(0.5, "look")
        every = np.arange(2, 6)
        boxes = np.tile([0.25, 0.25, 0.5, 0.5], (4, 1)) if tracks is None else tracks[0].at(every)
        zeros = np.zeros((1, 1))
        evidence = Evidence(
            np.array([3]), boxes[None, :1], zeros[0], zeros[0], zeros[0], zeros, zeros[None], zeros[None], 0
        )
        timings = {"total": 0.1}
        return Grounding(query, query, query, info, Tube(2, boxes), 0.5, "fake@1/2", timings, evidence, segment)

    def follow(self, video: Path, query: str, prompt: Any, *, progress: Any = None) -> Grounding:
        found = self.ground(video, query, progress=progress)
        return replace(found, tube=Tube(prompt.frame, prompt.box[None]))

    def ground_many(self, video: Path, queries: Any, *, progress: Any = None, segment: Any = None) -> list[Grounding]:
        return [self.ground(video, query, progress=progress, segment=segment) for query in queries]
