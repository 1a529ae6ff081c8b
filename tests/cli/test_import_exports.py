"""What ``stvg export`` writes, ``stvg import`` reads: the same frames, boxes and sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.db.engine import Database
from backend.export.exporting import export
from backend.export.formats import FORMATS
from backend.importing.formats import FORMATS as IMPORTED
from backend.importing.formats import read_labels
from stvg_core.datasets.base import SHARES, video_stem
from tests.export.rows import CORRECTED, PROPOSED, a_task, a_tube, annotate

WRITTEN = {
    "hcstvg1": ("hcstvg", "out", None),
    "hcstvg2": ("hcstvg", "out", None),
    "vidstg": ("vidstg", "out/annotations.json", "out/vidor"),
    "mot": ("mot", "out/1/gt/gt.txt", None),
    "cvat": ("cvat", "out/1.xml", None),
    **{name: (name, "out", None) for name in ("coco-vid", "youtube-vis", "labelstudio", "csv", "parquet")},
}


def test_every_format_is_tried() -> None:
    assert set(WRITTEN) == set(FORMATS) <= set(IMPORTED)


@pytest.mark.parametrize("name", WRITTEN)
def test_an_export_comes_back(database: Database, tmp_path: Path, name: str) -> None:
    ref = "/data/local-files/?d=clips/1.mp4"
    with database.write() as session:
        for number, (query, keyframes) in enumerate((("the red box", PROPOSED), ("what moves?", CORRECTED)), start=1):
            annotate(session, a_task(session, number, query=query, ref=ref), a_tube(keyframes))
    with database.read() as session:
        export(session, FORMATS[name], tmp_path / "out")
    kind, file, vidor = WRITTEN[name]
    labels, notes = read_labels(kind, [tmp_path / file], vidor=tmp_path / vidor if vidor else None)
    assert notes == []
    found = {label.sentence: label for label in labels}
    assert set(found) == {"the red box", "what moves?"}
    for query, keyframes in (("the red box", PROPOSED), ("what moves?", CORRECTED)):
        label = found[query]
        size = {"labelstudio": SHARES, "csv": None}.get(name, (320, 240))
        assert (video_stem(label.video), label.size, label.missing) == ("1", size, 0)
        assert label.place is not None and label.place.address == ref
        tube = label.tube((320, 240))
        assert (tube.start_frame, tube.end_frame) == (keyframes[0][0], keyframes[-1][0])
        np.testing.assert_allclose(tube.boxes[0], keyframes[0][1:], atol=1e-4)
        np.testing.assert_allclose(tube.boxes[-1], keyframes[-1][1:], atol=1e-4)
