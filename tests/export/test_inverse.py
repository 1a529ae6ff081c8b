"""What any format writes, ``stvg import`` reads back: frames, boxes, sentence, label, and the video by its own name."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.db.tables import Video
from backend.export.exporting import by_video
from backend.export.formats import FORMATS
from backend.export.names import VideoNames
from backend.export.record import Record
from backend.importing.finding import VideoFolder, Wanted
from backend.importing.formats import read_labels
from stvg_core.datasets.base import SHARES, VideoLabel
from stvg_core.datasets.video_table import TableEntry, as_text, table_path
from stvg_core.text import clean
from tests.export.labels import records_with_gaps

FILLED = {"hcstvg1", "hcstvg2"}
NASTY = [
    "视频一.mp4", "视频二.mp4", "my clip (1).mp4", "clip.mp4", "Clip.mp4", "clip.mkv", "caf\u00e9.mp4",
    "cafe\u0301.mp4", "take#2",
    "=cmd().mp4", "'=cmd().mp4", "a,b\"c.mp4", "a\nb.mp4", "a\rb.mp4", "\x1b[31m.mp4", ".hidden.mp4", "-rf.mp4",
    "take.mp4#2", "a%20b.mp4", "a+b&c.mp4", "a..b.mp4", "x" * 240 + ".mp4", "con.mp4", " lead.mp4", "\ufefftop.mp4",
]  # fmt: skip
FOLDERS = ["", "a/", "b/", "a/b/"]


def names() -> st.SearchStrategy[str]:
    letters = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
    own = st.text(letters, min_size=1, max_size=40).filter(lambda name: name not in (".", ".."))
    return st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NASTY) | own.map("{}.mp4".format)).map("".join)


@st.composite
def datasets(draw: st.DrawFn) -> dict[str, list[Record]]:
    """Labels by the path of their video below the document root."""
    paths = draw(st.lists(names(), min_size=1, max_size=4, unique=True))
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
    found, number = {}, 0
    for path in paths:
        base = draw(records_with_gaps())
        sha256 = hashlib.sha256(path.encode()).hexdigest()
        size = {"width": base.video.width, "height": base.video.height, "n_frames": base.video.n_frames}
        rate = {"fps_num": base.video.fps_num, "fps_den": base.video.fps_den, "duration_s": base.video.duration_s}
        video = Video(sha256=sha256, size_bytes=1, **size, **rate)
        found[path] = []
        for place, sentence in enumerate(draw(st.lists(text.filter(clean), min_size=1, max_size=2, unique_by=clean))):
            number += 1
            found[path].append(
                replace(
                    base, video=video, video_ref=f"/data/local-files/?d={quote(path)}", task_id=number,
                    annotation_id=number, query=sentence, label=None if place else draw(st.none() | text),
                )
            )  # fmt: skip
    return found


def written(kind: str, dataset: dict[str, list[Record]], out: Path) -> None:
    """As ``stvg export`` does it: videos of one content together, the table beside."""
    found = [record for labels in dataset.values() for record in labels]
    form, entries = FORMATS[kind], []
    if form.folder:
        out.mkdir()
    with form.open(out) as add:
        for labels in by_video(iter(found), VideoNames(record.video_ref for record in found)):
            add(labels)
            entries.append(TableEntry(labels.name, labels.stem, labels.address, labels.video.sha256))
    if form.has_table:
        table_path(out).write_text(as_text(entries), encoding="utf-8")


@pytest.mark.parametrize("kind", FORMATS)
@settings(deadline=None, max_examples=8)
@given(dataset=datasets())
def test_every_format_comes_back(kind: str, dataset: dict[str, list[Record]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        root, out = Path(place, "root"), Path(place, "out")
        for path in dataset:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(path.encode())
        written(kind, dataset, out)
        labels, notes = read_labels(kind, [out])
        assert notes == []
        files = VideoFolder(root, root).find_all({Wanted.of(label) for label in labels})
        found = {}
        for label in labels:
            file = files[Wanted.of(label)]
            assert isinstance(file, Path), file
            found[file.relative_to(root).as_posix(), label.sentence] = label
        wanted = {(path, clean(record.query)): record for path, of in dataset.items() for record in of}
        assert found.keys() == wanted.keys() and len(labels) == len(wanted)
        for key, record in wanted.items():
            assert_same(kind, found[key], record)


def assert_same(kind: str, label: VideoLabel, record: Record) -> None:
    size = np.array([record.video.width, record.video.height] * 2)
    frames = record.tube.frames if kind in FILLED else record.tube.frames[record.drawn()]
    np.testing.assert_array_equal(label.frames, frames)
    boxes = record.tube.boxes[frames - record.tube.start_frame].astype(np.float64) * size
    scale = size if label.size == SHARES else 1
    # Labels are written to a hundredth of a pixel (of corners, or of corner and size), or to 1e-6 of the picture.
    np.testing.assert_allclose(label.boxes * scale, boxes, atol=max(0.016, 3e-6 * size.max()))
    assert label.size in (SHARES, None, (record.video.width, record.video.height))
    assert label.n_frames in (None, record.video.n_frames)
    if kind not in FILLED:
        wanted = clean(record.label or "")
        assert label.category == wanted if wanted else label.category in ("", "object")


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - {"labelstudio"}))
@settings(deadline=None, max_examples=1)
@given(base=records_with_gaps())
def test_moved_videos_are_told_apart_by_their_content(kind: str, base: Record) -> None:
    """The document root is another, so that no address is found: the hashes in the table decide."""
    with tempfile.TemporaryDirectory() as place:
        dataset = {}
        for path in ("clips/a/clip.mp4", "clips/b/clip.mp4"):
            video = Video(
                sha256=hashlib.sha256(path.encode()).hexdigest(), width=base.video.width, height=base.video.height,
                fps_num=25, fps_den=1, n_frames=base.video.n_frames, duration_s=1, size_bytes=1,
            )  # fmt: skip
            dataset[path] = [replace(base, video=video, video_ref=f"/data/local-files/?d={path}", query=path)]
        root = Path(place, "elsewhere")
        for folder, path in (("one", "clips/b/clip.mp4"), ("two", "clips/a/clip.mp4")):
            (root / folder).mkdir(parents=True)
            (root / folder / "clip.mp4").write_bytes(path.encode())
        written(kind, dataset, Path(place, "out"))
        labels, _ = read_labels(kind, [Path(place, "out")])
        files = VideoFolder(root).find_all({Wanted.of(label) for label in labels})
        assert {label.sentence: files[Wanted.of(label)] for label in labels} == {
            "clips/a/clip.mp4": root / "two" / "clip.mp4", "clips/b/clip.mp4": root / "one" / "clip.mp4",
        }  # fmt: skip
