"""MOTChallenge: a folder per video with ``gt/gt.txt`` and ``seqinfo.ini``.

Lines are ``frame, id, left, top, width, height, 1, class, 1`` with frames from 1. Pixels are counted from 0, as
TrackEval, CVAT and Datumaro take them (the challenge's own MATLAB tools count them from 1, and so does motmetrics).
Where a box was switched off there is no line. The format has no sentences and no class names: they lie beside it in
``sentences.json`` (by id) and, as CVAT does it, in ``gt/labels.txt`` (line n is class n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.export.coco import Categories
from backend.export.pieces import dumps
from backend.export.record import VideoLabels


@contextmanager
def write(folder: Path) -> Iterator[Callable[[VideoLabels], None]]:
    """A function that adds a video's labels to the folder."""
    categories = Categories()

    def add(labels: VideoLabels) -> None:
        sequence = folder / labels.stem
        (sequence / "gt").mkdir(parents=True)
        (sequence / "seqinfo.ini").write_text(_seqinfo(labels), encoding="utf-8")
        sentences = {str(identity): record.query for identity, record in enumerate(labels.records, start=1)}
        (sequence / "sentences.json").write_text(dumps(sentences) + "\n", encoding="utf-8")
        with (sequence / "gt" / "gt.txt").open("x", encoding="utf-8") as file:
            file.writelines(_lines(labels, categories))
        names = "".join(f"{' '.join(name.split())}\n" for name in categories.names())
        (sequence / "gt" / "labels.txt").write_text(names, encoding="utf-8")

    yield add


def _lines(labels: VideoLabels, categories: Categories) -> Iterator[str]:
    for identity, record in enumerate(labels.records, start=1):
        number = categories.number(record.category)
        for frame, box, drawn in zip(record.tube.frames.tolist(), record.sizes(), record.drawn(), strict=True):
            if drawn:
                yield f"{frame + 1},{identity},{','.join(f'{v:.2f}' for v in box)},1,{number},1\n"


def _seqinfo(labels: VideoLabels) -> str:
    video = labels.video
    return (
        f"[Sequence]\nname={labels.stem}\nimDir=img1\nframeRate={video.fps:.6g}\nseqLength={video.n_frames}\n"
        f"imWidth={video.width}\nimHeight={video.height}\nimExt=.jpg\n"
        + "".join(f"{name}={value}\n" for name, value in labels.records[0].mark().items())
    )
