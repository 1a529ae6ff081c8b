"""Every format is read back by somebody else's reader where there is one, and holds the same tubes."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import motmetrics
import pandas as pd
import pytest
from dagshub_annotation_converter.converters.cvat import load_cvat_from_xml_file
from datasets import load_dataset
from pyarrow import parquet
from pycocotools.coco import COCO

from backend.db.engine import Database
from stvg_core.datasets import cvat, hcstvg, mot, vidstg
from tests.export.labels import (
    CORRECTED_SENTENCE,
    FPS,
    GAP_SENTENCE,
    HEIGHT,
    N_FRAMES,
    QUESTION,
    WIDTH,
    Boxes,
    assert_same,
    corners,
    expected,
    export,
    store,
)


@pytest.fixture
def filled_url(sqlite_database: Database, sqlite_url: str) -> Iterator[str]:
    with sqlite_database.write() as session:
        store(session)
    yield sqlite_url


@pytest.mark.parametrize("version", [1, 2])
def test_hcstvg(filled_url: str, tmp_path: Path, version: int) -> None:
    out = tmp_path / "labels.json"
    export(filled_url, f"hcstvg{version}", out)
    content = json.loads(out.read_text())
    assert list(content) == ["walk.mp4", "walk.mp4#2", "=walk.mp4"]
    fields = content["walk.mp4"]
    # st_frame counts from 1 in the file.
    assert (fields["st_frame"], fields["st_time"], fields["ed_time"], fields["img_num"]) == (5, 4 / FPS, 9 / FPS, 50)
    if version == 1:
        assert (fields["caption"], fields["width"], fields["height"]) == (CORRECTED_SENTENCE, WIDTH, HEIGHT)
    else:
        assert (fields["English"], fields["img_size"]) == (CORRECTED_SENTENCE, [HEIGHT, WIDTH])
    found = {
        record.caption: {
            record.start_frame + row: corners(*(float(v) for v in box)) for row, box in enumerate(record.boxes)
        }
        for record in hcstvg.read(out)
    }
    assert_same(found, expected(filled=True), atol=0.021)


def test_vidstg(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "vidstg"
    export(filled_url, "vidstg", out)
    content = json.loads((out / "annotations.json").read_text())
    assert [(entry["vid"], len(entry["captions"]), len(entry["questions"])) for entry in content] == [
        ("walk", 1, 0), ("walk", 0, 1), ("_=walk", 1, 0),
    ]  # fmt: skip
    assert content[1]["temporal_gt"] == {"begin_fid": 2, "end_fid": 10}
    assert content[1]["questions"] == [{"description": QUESTION, "type": "object", "target_id": 1}]
    vidor = json.loads((out / "vidor" / "walk.json").read_text())
    assert (len(vidor["trajectories"]), vidor["frame_count"], vidor["video_path"]) == (N_FRAMES, N_FRAMES, "walk.mp4")
    # Both are drawn on frame 4, where only the first has a keyframe; the other's box there is interpolated.
    assert [(box["tid"], box["generated"], box["tracker"]) for box in vidor["trajectories"][4]] == [
        (0, 0, "none"), (1, 1, "linear"),
    ]  # fmt: skip
    found = {
        record.sentence: dict(zip(record.frames.tolist(), record.boxes.tolist(), strict=True))
        for record in vidstg.read(out / "annotations.json", out / "vidor")
    }
    assert_same(found, expected())


def test_coco_vid_by_pycocotools(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "coco.json"
    export(filled_url, "coco-vid", out)
    coco = COCO(str(out))
    sentences = {entry["id"]: entry["caption"] for entry in coco.dataset["instances"]}
    found: dict[str, Boxes] = defaultdict(dict)
    for image in coco.loadImgs(coco.getImgIds()):
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]])):
            assert annotation["area"] == pytest.approx(annotation["bbox"][2] * annotation["bbox"][3], abs=1e-3)
            assert annotation["video_id"] == image["video_id"]
            found[sentences[annotation["instance_id"]]][image["frame_id"]] = corners(*annotation["bbox"])
    assert_same(found, expected(), atol=0.021)
    assert [video["name"] for video in coco.dataset["videos"]] == ["walk", "_=walk"]
    assert len(coco.getImgIds()) == 2 * N_FRAMES
    assert coco.loadImgs([1])[0]["file_name"] == "walk/000001.jpg"
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["Target", "object"]


def test_youtube_vis(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "ytvis.json"
    export(filled_url, "youtube-vis", out)
    content = json.loads(out.read_text())
    lengths = {video["id"]: len(video["file_names"]) for video in content["videos"]}
    found: dict[str, Boxes] = {}
    for annotation in content["annotations"]:
        assert len(annotation["bboxes"]) == len(annotation["segmentations"]) == lengths[annotation["video_id"]]
        assert [box is None for box in annotation["bboxes"]] == [area is None for area in annotation["areas"]]
        boxes = enumerate(annotation["bboxes"])
        found[annotation["caption"]] = {frame: corners(*box) for frame, box in boxes if box is not None}
    assert_same(found, expected(), atol=0.021)


def test_mot_by_motmetrics(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "mot"
    export(filled_url, "mot", out)
    found: dict[str, Boxes] = {}
    for sequence in sorted(out.iterdir()):
        sentences = json.loads((sequence / "sentences.json").read_text())
        table = motmetrics.io.loadtxt(sequence / "gt" / "gt.txt", fmt="mot16", min_confidence=1)
        for (frame, identity), row in table.iterrows():
            # motmetrics counts pixels from 1, as the challenge's MATLAB tools do, and takes 1 away.
            box = corners(row["X"] + 1, row["Y"] + 1, row["Width"], row["Height"])
            found.setdefault(sentences[str(identity)], {})[frame - 1] = box
    assert_same(found, expected(), atol=0.021)
    assert (out / "_=walk" / "gt" / "labels.txt").read_text().split() == ["Target", "object"]


def test_mot_by_our_reader(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "mot"
    export(filled_url, "mot", out)
    sequence = mot.read(out / "_=walk" / "gt" / "gt.txt")
    assert (sequence.name, sequence.ignored, sequence.labels[0].size) == ("_=walk", 0, (WIDTH, HEIGHT))
    [label] = sequence.labels
    boxes = dict(zip(label.frames.tolist(), label.boxes.tolist(), strict=True))
    assert_same({GAP_SENTENCE: boxes}, {GAP_SENTENCE: expected()[GAP_SENTENCE]}, atol=0.021)


def test_cvat_by_dagshub(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "cvat"
    export(filled_url, "cvat", out)
    for stem, sentences in (("walk", [CORRECTED_SENTENCE, QUESTION]), ("_=walk", [GAP_SENTENCE])):
        video = load_cvat_from_xml_file(out / f"{stem}.xml")
        assert (video.video_width, video.video_height, video.sequence_length) == (WIDTH, HEIGHT, N_FRAMES)
        assert [track.object_id for track in video.tracks] == [str(n) for n in range(len(sentences))]
        for track, sentence in zip(video.tracks, sentences, strict=True):
            wanted = expected()[sentence]
            # This reader keeps the keyframes and the last frame before each switch-off, and drops what is outside.
            kept = {box.frame_number: corners(box.left, box.top, box.width, box.height) for box in track.annotations}
            ends = {frame for frame in wanted if frame - 1 not in wanted or frame + 1 not in wanted}
            assert ends <= kept.keys() <= wanted.keys()
            assert_same({sentence: kept}, {sentence: {frame: wanted[frame] for frame in kept}})


def test_cvat_by_our_reader(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "cvat"
    export(filled_url, "cvat", out)
    found: dict[str, Boxes] = {}
    for path in sorted(out.iterdir()):
        task = cvat.read(path)
        assert (task.size, task.n_frames, task.empty) == ((WIDTH, HEIGHT), N_FRAMES, [])
        assert {label.category for label in task.labels} == {"object" if "=" in path.name else "Target"}
        for label in task.labels:
            found[label.sentence] = dict(zip(label.frames.tolist(), label.boxes.tolist(), strict=True))
    assert_same(found, expected())


def test_csv_by_pandas(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "frames.csv"
    export(filled_url, "csv", out)
    table = pd.read_csv(out)
    found: dict[str, Boxes] = defaultdict(dict)
    for row in table.itertuples():
        assert row.time_s == pytest.approx(row.frame / FPS, abs=1e-6)
        found[row.sentence][row.frame] = [row.x1, row.y1, row.x2, row.y2]
    wanted = expected()
    wanted[f"'{GAP_SENTENCE}"] = wanted.pop(GAP_SENTENCE)  # =cmd() would be a formula
    assert_same(found, wanted)
    with out.open(newline="") as file:
        assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(("=", "+", "@"))]


def test_parquet_by_pyarrow_and_datasets(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "labels.parquet"
    export(filled_url, "parquet", out)
    dataset = load_dataset("parquet", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert parquet.read_table(out).to_pylist() == dataset.to_list()
    found: dict[str, Boxes] = {}
    for row in dataset:
        assert len(row["boxes"]) == row["end_frame"] - row["start_frame"] + 1
        scale = (row["width"], row["height"], row["width"], row["height"])
        found[row["sentence"]] = {
            frame: [v * s for v, s in zip(row["boxes"][frame - row["start_frame"]], scale, strict=True)]
            for first, last in row["intervals"]
            for frame in range(first, last + 1)
        }
    assert_same(found, expected(), atol=1e-3)
    first = dataset[0]
    assert (first["origin"], first["verdict"], first["model_version"]) == ("corrected", "wrong time", "m")
    assert (first["annotator"], first["saved_at"].isoformat()) == (3, "2026-11-22T12:00:00+00:00")
    assert dataset[2]["label"] is None
