"""Planted answers and their corrections as rows of a database."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy.orm import Session

from backend.db import predictions
from backend.db.tables import Annotation, Prediction
from backend.jobs.versions import Versions
from backend.review.drawn_tube import Drawn
from stvg_core.method.evidence import Evidence
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Tube
from tests.calibration.planted import FRAMES, SETTINGS, planted
from tests.db.helpers import a_task
from tests.review.rows import says

WEIGHTS = "planted@1"


def versions(method: GroundingSettings = SETTINGS) -> Versions:
    return Versions("planted", method, base=f"{WEIGHTS}/{method.digest()}")


def a_suggestion(
    session: Session, number: int, evidence: Evidence, tube: Tube | None, *, version: str, n_frames: int = FRAMES,
    **values: Any,
) -> Prediction:  # fmt: skip
    """Prediction ``number`` on a video of its own."""
    video = predictions.store_video(
        session, f"{number:064d}", width=100, height=100, fps_num=25, fps_den=1, n_frames=n_frames,
        duration_s=n_frames / 25, size_bytes=9,
    )  # fmt: skip
    keyframes = None if tube is None else [
        [frame, *map(float, tube.boxes[frame - tube.start_frame])] for frame in (tube.start_frame, tube.end_frame)
    ]  # fmt: skip
    return predictions.store(
        session,
        f"{number}:{version}",
        video_id=video.id,
        query="the red box",
        attribute_query="the red box",
        action_query="the red box",
        model_version=version,
        region_id=f"tube-{number}",
        score=0.5,
        start_frame=None if tube is None else tube.start_frame,
        end_frame=None if tube is None else tube.end_frame,
        keyframes=keyframes,
        evidence=evidence.to_bytes(),
        evidence_chosen=evidence.chosen,
        evidence_consistency=evidence.consistency if math.isfinite(evidence.consistency) else None,
        evidence_info=evidence.info,
        **values,
    )


def corrected(
    session: Session, number: int, *, method: GroundingSettings = SETTINGS, noise: bool = False, project: int = 1
) -> Annotation:
    """A planted answer under ``method``, and the true tube drawn by a person."""
    case = planted(number, method, noise=noise)
    version = f"{WEIGHTS}/{method.digest()}"
    task = a_task(session, 100 + number, project=project)
    prediction = a_suggestion(session, number, case.evidence, case.tube, version=version)
    task.video_id = prediction.video_id
    return says(session, 100 + number, task, Drawn.whole(case.truth), prediction=prediction, author_id=1)
