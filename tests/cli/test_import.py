"""``stvg import``: labels of four formats into a project, once, in the real video's frames and rate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli import import_labels as module
from backend.db import predictions
from backend.db.engine import Database
from backend.export.exporting import export
from backend.export.formats import FORMATS
from backend.labelstudio.config import read_config
from backend.labelstudio.originals import ORIGINAL_KEY
from backend.labelstudio.result import result_to_tubes
from labeling_config import video_tube
from stvg_core.boxes import box_iou
from stvg_core.errors import StvgError, VideoError
from stvg_core.tube import VideoInfo
from tests.cli.labelled_label_studio import LabelledLabelStudio
from tests.datasets.small import hcstvg_entry, moving, vidor, vidstg_entry
from tests.export.rows import a_task, a_tube, annotate
from tests.video.painted import write_painted

CONFIG = read_config(video_tube())
Run = Callable[..., tuple[str, str]]


@pytest.fixture
def ls() -> LabelledLabelStudio:
    return LabelledLabelStudio()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A document root with videos whose content is never looked at, because the probe is replaced."""
    clips = tmp_path / "root" / "clips"
    (clips / "0001").mkdir(parents=True)
    for name in ("a.mp4", "b.mp4", "0001/77.mp4", "broken.mp4", "notes.txt"):
        (clips / name).write_bytes(b"x")
    return clips


@pytest.fixture
def run(ls: LabelledLabelStudio, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command against the fake: what it prints on stdout and stderr."""
    for name in ("STVG_LABEL_STUDIO_URL", "STVG_LABEL_STUDIO_TOKEN", "STVG_DOCUMENT_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "LabelStudioClient", lambda url, token: ls.client())

    def probe(path: Path) -> VideoInfo:
        if path.stem == "broken":
            raise VideoError("broken.mp4 is not a video.")
        return VideoInfo(str(path), 200, 100, 30000, 1001, 40, 40 * 1001 / 30000)

    monkeypatch.setattr(module, "probe", probe)

    def invoke(*arguments: object) -> tuple[str, str]:
        command = ["--url", "http://ls.test", "--token", "t0ken", "--project", "mine", "--videos", str(folder)]
        result = CliRunner().invoke(module.command, [*command, *map(str, arguments)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout, result.stderr

    return invoke


def write(tmp_path: Path, content: object, name: str = "labels.json") -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_hcstvg_labels_become_predictions_once(run: Run, ls: LabelledLabelStudio, tmp_path: Path) -> None:
    file = write(tmp_path, {
        "a.mp4": hcstvg_entry(6, 10, img_num=40), "a.mp4#2": hcstvg_entry(1, 5, img_num=40, caption="the dog"),
    })  # fmt: skip
    printed, _ = run(file, "--format", "hcstvg")
    assert "made 2 tasks" in printed and "added 2 predictions, 0 were there" in printed
    assert [task["data"] for task in ls.all("tasks")] == [
        {"video": "/data/local-files/?d=clips/a.mp4", "query": query, "fps": 29.97003}
        for query in ("the man sits down", "the dog")
    ]
    [first, _] = ls.all("predictions")
    assert (first["task"], first["model_version"], first["score"]) == (1, "imported-hcstvg", 1.0)
    [tube] = result_to_tubes(first["result"], CONFIG, n_frames=40)
    assert tube.intervals == ((5, 14),)  # st_frame counts from 1
    np.testing.assert_allclose(tube.tube.boxes[0], [0.05, 0.2, 0.3, 0.6], atol=1e-4)
    assert ls.all("storages/localfiles")[0]["path"].endswith("clips")

    ls.changes.clear()
    again, _ = run(file, "--format", "hcstvg")
    assert "made 0 tasks" in again and "added 0 predictions, 2 were there" in again
    assert ls.changes == []


def test_nothing_is_doubled_after_people_worked_on_it(run: Run, ls: LabelledLabelStudio, tmp_path: Path) -> None:
    file = write(tmp_path, {"a.mp4": hcstvg_entry(6, 10, img_num=40)})
    run(file, "--format", "hcstvg", "--as", "annotations")
    [task], [annotation] = ls.all("tasks"), ls.all("annotations")
    assert annotation["ground_truth"] is True
    assert all(region["origin"] == "manual" and "score" not in region for region in annotation["result"])
    task["data"]["query"] = "the man in the middle"
    annotation["result"][0]["value"]["sequence"][0]["x"] = 50
    ls.changes.clear()
    printed, _ = run(file, "--format", "hcstvg", "--as", "annotations")
    assert "added 0 annotations, 1 were there" in printed and ls.changes == []
    # As predictions they are something else.
    assert "added 1 predictions" in run(file, "--format", "hcstvg")[0]


def test_nothing_is_doubled_where_the_page_plays_a_copy(run: Run, ls: LabelledLabelStudio, tmp_path: Path) -> None:
    file = write(tmp_path, {"a.mp4": hcstvg_entry(6, 10, img_num=40)})
    run(file, "--format", "hcstvg", "--as", "annotations")
    [task] = ls.all("tasks")
    task["data"] |= {
        ORIGINAL_KEY: task["data"]["video"],
        "video": "/data/local-files/?d=copies/a-h264-abababababab.mp4",
    }
    ls.changes.clear()
    printed, _ = run(file, "--format", "hcstvg", "--as", "annotations")
    assert "added 0 annotations, 1 were there" in printed and ls.changes == []


def test_ground_truth_keeps_close_to_the_labels(run: Run, ls: LabelledLabelStudio, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    boxes = [[20 + 2 * k + rng.normal(0, 1), 20, 60, 40] for k in range(30)]
    file = write(tmp_path, {"a.mp4": hcstvg_entry(3, 30, bbox=boxes, img_num=40)})
    run(file, "--format", "hcstvg", "--as", "annotations")
    [tube] = result_to_tubes(ls.all("annotations")[0]["result"], CONFIG, n_frames=40)
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes]) / (200, 100, 200, 100)
    assert box_iou(tube.tube.boxes, corners.clip(0, 1)).min() >= 0.979


def test_videos_that_browsers_do_not_play_are_named(
    run: Run, folder: Path, tmp_path: Path, ls: LabelledLabelStudio
) -> None:
    write_painted(folder / "old.avi", 40, codec="mpeg4")
    file = write(tmp_path, {"old.avi": hcstvg_entry(6, 10, img_num=40)})
    _, said = run(file, "--format", "hcstvg")
    assert "warning: old.avi: Its container, AVI, is played by no browser." in said and "--transcode" in said
    assert ls.all("tasks")


def test_vidstg(run: Run, ls: LabelledLabelStudio, tmp_path: Path) -> None:
    boxes = moving(range(5, 30))
    del boxes[12]
    vidor(tmp_path / "vidor", "77", {0: boxes, 1: moving(range(40))})
    file = write(tmp_path, [vidstg_entry("77", 10, 20)])
    printed, said = run(file, "--format", "vidstg", "--vidor", tmp_path / "vidor")
    assert "made 2 tasks" in printed and "1 labels have gaps" in said
    assert ls.all("tasks")[0]["data"]["video"] == "/data/local-files/?d=clips/0001/77.mp4"
    assert [task["data"]["query"] for task in ls.all("tasks")] == ["the dog runs", "who sits down?"]
    [tube] = result_to_tubes(ls.of_task("predictions", 1)[0]["result"], CONFIG, n_frames=40)
    assert tube.intervals == ((10, 19),)  # end_fid is exclusive


def test_mot_and_cvat_without_sentences(run: Run, ls: LabelledLabelStudio, tmp_path: Path) -> None:
    mot = write(tmp_path, "3,4,20,20,50,40,1\n3,9,20,20,50,40,1\n4,9,22,20,50,40,1\n", "b.txt")
    run(mot, "--format", "mot")
    assert [task["data"]["query"] for task in ls.all("tasks")] == ["object 1", "object 2"]
    box = '<box frame="{}" outside="{}" keyframe="1" xtl="20" ytl="20" xbr="70" ybr="60"/>'
    cvat = write(
        tmp_path,
        f'<annotations><track id="0" label="person">{box.format(2, 0)}{box.format(8, 1)}</track>'
        f'<track id="1" label="dog">{box.format(38, 0)}</track></annotations>',
        "x.xml",
    )
    run(cvat, "--format", "cvat", "--video", "a.mp4")
    tasks = ls.all("tasks")[2:]
    assert [task["data"]["query"] for task in tasks] == ["person", "dog"]
    [tube] = result_to_tubes(ls.of_task("predictions", tasks[0]["id"])[0]["result"], CONFIG, n_frames=40)
    assert tube.intervals == ((2, 7),)


def test_labels_that_fit_no_video_are_left_out_by_name(run: Run, ls: LabelledLabelStudio, tmp_path: Path) -> None:
    file = write(tmp_path, {
        "a.mp4": hcstvg_entry(36, 10), "gone.mp4": hcstvg_entry(6, 10), "broken.mp4": hcstvg_entry(6, 10),
        "b.mp4": hcstvg_entry(60, 10),
    })  # fmt: skip
    printed, said = run(file, "--format", "hcstvg")
    assert "made 1 tasks" in printed
    assert "record a.mp4: cut at the video's last frame, 39" in said
    assert "a.mp4: the labels count 500 frames, the video has 40" in said
    assert "left out: record gone.mp4: There is no video gone.mp4" in said
    assert "left out: record broken.mp4: broken.mp4 is not a video" in said
    assert "left out: record b.mp4: it begins on frame 59 (counted from 0), but b.mp4 has only 40" in said
    [tube] = result_to_tubes(ls.all("predictions")[0]["result"], CONFIG, n_frames=40)
    assert tube.intervals == ((35, 39),)


def test_another_shape_of_picture_is_warned_about(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path, {"a.mp4": hcstvg_entry(6, 10, width=100, height=100, img_num=40)})
    assert "the labels are for a picture of 100x100, the video's is 200x100" in run(file, "--format", "hcstvg")[1]


def test_two_videos_of_one_name(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "0001" / "a.mkv").write_bytes(b"x")
    printed, _ = run(write(tmp_path, {"a.mp4": hcstvg_entry(6, 10)}), "--format", "hcstvg")
    assert "added 1" in printed  # the exact name decides
    with pytest.raises(StvgError, match="None of the labels"):
        run(write(tmp_path, {"a": hcstvg_entry(6, 10)}), "--format", "hcstvg")


def test_mistakes_are_said_before_anything_changes(
    run: Run, ls: LabelledLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, {"a.mp4": hcstvg_entry(6, 10)})
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(StvgError, match="outside Label Studio's document root"):
        run(file, "--format", "hcstvg", "--document-root", tmp_path / "elsewhere")
    with pytest.raises(StvgError, match="--vidor"):
        run(file, "--format", "vidstg")
    with pytest.raises(StvgError, match="--video belongs to one"):
        run(file, "--format", "hcstvg", "--video", "a.mp4")
    with pytest.raises(StvgError, match=r"the record of a\.mp4 lacks"):
        run(write(tmp_path, {"a.mp4": {}}), "--format", "hcstvg")
    with pytest.raises(StvgError, match="Give --url and --token"):
        CliRunner().invoke(
            module.command, [str(file), "--format", "hcstvg", "--project", "p", "--videos", str(tmp_path)],
            catch_exceptions=False,
        )  # fmt: skip
    assert ls.changes == []


def test_one_bad_record_is_named_with_its_reason_and_the_rest_comes(run: Run, tmp_path: Path) -> None:
    bad = {f"bad{n}.mp4": {} for n in range(15)}
    outside = hcstvg_entry(6, 10, bbox=[[500, 20, 5, 5]] * 10, img_num=40)
    file = write(tmp_path, {"a.mp4": hcstvg_entry(6, 10, img_num=40), "b.mp4": outside, **bad})
    printed, said = run(file, "--format", "hcstvg")
    assert "added 1 predictions" in printed
    assert all(f"the record of {name} lacks a usable value" in said for name in bad)
    assert "the record of b.mp4 has a box that leaves the picture" in said
    assert "16 records are left out" in said


def test_names_and_messages_that_no_terminal_can_show(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path, {"a.mp4": hcstvg_entry(6, 10, img_num=40), "\ud800\x1b[31m.mp4": hcstvg_entry(6, 10)})
    _, said = run(file, "--format", "hcstvg")
    assert "left out: record \\ud800\\x1b[31m.mp4" in said


def test_a_file_in_another_encoding(run: Run, ls: LabelledLabelStudio, tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    entry = hcstvg_entry(6, 10, img_num=40, caption="der Fußgänger")
    file.write_bytes(json.dumps({"a.mp4": entry}, ensure_ascii=False).encode("latin-1"))
    with pytest.raises(StvgError, match="--encoding"):
        run(file, "--format", "hcstvg")
    run(file, "--format", "hcstvg", "--encoding", "latin-1")
    assert ls.all("tasks")[0]["data"]["query"] == "der Fußgänger"


def test_videos_of_one_name_are_not_taken_for_one(
    run: Run, ls: LabelledLabelStudio, folder: Path, tmp_path: Path
) -> None:
    """The same sentence and the same boxes on both: neither label is "there already" because of the other."""
    (folder / "0001" / "a.mp4").write_bytes(b"other")
    entry = hcstvg_entry(6, 10, img_num=40)
    file = write(tmp_path, {"0001/a.mp4": entry, "clips/a.mp4": entry})
    printed, _ = run(file, "--format", "hcstvg")
    assert "made 2 tasks" in printed and "added 2 predictions, 0 were there" in printed
    assert "added 0 predictions, 2 were there" in run(file, "--format", "hcstvg")[0]


def test_an_exported_folder_comes_back_under_its_videos_names(
    run: Run, ls: LabelledLabelStudio, folder: Path, tmp_path: Path, sqlite_database: Database
) -> None:
    names = ["视频一.mp4", "my clip (1).mp4", "b/same.mp4", "c/same.mp4", ".dot.mp4", "a:b?.mp4"]
    addresses = []
    with sqlite_database.write() as session:
        for number, name in enumerate(names, start=1):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(name.encode())
            addresses.append(f"/data/local-files/?d=clips/{quote(name)}")
            video = predictions.store_video(
                session, hashlib.sha256(name.encode()).hexdigest(), width=200, height=100, fps_num=25, fps_den=1,
                n_frames=40, duration_s=1.6, size_bytes=1,
            )  # fmt: skip
            annotate(session, a_task(session, number, video=video, ref=addresses[-1]), a_tube())
    for kind in ("mot", "cvat", "vidstg"):
        with sqlite_database.read() as session:
            export(session, FORMATS[kind], tmp_path / kind)
        ls.changes.clear()
        _, said = run(tmp_path / kind, "--format", kind, "--model-version", kind)
        assert "left out" not in said, said
        assert {task["data"]["video"] for task in ls.all("tasks")} == set(addresses)


def test_a_target_that_is_not_seen_to_the_end_is_said(run: Run, tmp_path: Path) -> None:
    vidor(tmp_path / "vidor", "77", {0: moving(range(5, 15)), 1: moving(range(40))})
    _, said = run(write(tmp_path, [vidstg_entry("77", 10, 20)]), "--format", "vidstg")
    assert "1 sentences have boxes on a part of their interval only" in said and '"the dog  runs" on 77' in said


def test_boxes_that_are_cut_and_labels_without_a_sentence_are_said(run: Run, tmp_path: Path) -> None:
    lines = "1,1,20,20,50,40,1\n2,1,20,20,500,40,1\n3,1,20,20,600,40,1\n1,2,20,20,10,10,1\n"
    _, said = run(write(tmp_path, lines, "b.txt"), "--format", "mot")
    assert (
        "object 1 of b.txt: 2 of 3 boxes leave the picture and are cut at its border; the first is on frame 1" in said
    )
    assert "2 labels have no sentence: their class stands in its place" in said and "object 2 of b.txt: " not in said


@pytest.mark.parametrize("caption", ["", " \t", "\u200b\ufeff"])
def test_a_record_without_a_sentence_is_left_out_where_the_format_has_sentences(
    run: Run, ls: LabelledLabelStudio, tmp_path: Path, caption: str
) -> None:
    """Its class, "person", would be taken for what somebody wrote."""
    content = {"a.mp4": hcstvg_entry(6, 10, img_num=40, caption=caption), "b.mp4": hcstvg_entry(6, 10, img_num=40)}
    _, said = run(write(tmp_path, content), "--format", "hcstvg")
    assert "left out: record a.mp4 has no sentence." in said
    assert [task["data"]["query"] for task in ls.all("tasks")] == ["the man sits down"]


@pytest.mark.parametrize("name", ["a\u200b.mp4", "\ufeffa.mp4", "\u202aa.mp4"])
def test_a_name_with_characters_that_nobody_sees(run: Run, ls: LabelledLabelStudio, tmp_path: Path, name: str) -> None:
    run(write(tmp_path, {name: hcstvg_entry(6, 10, img_num=40)}), "--format", "hcstvg")
    assert [task["data"]["video"] for task in ls.all("tasks")] == ["/data/local-files/?d=clips/a.mp4"]
