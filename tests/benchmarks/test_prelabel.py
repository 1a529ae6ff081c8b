"""The benchmark of pre-labelling runs at a size of seconds, and what it is given is what it says."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.prelabel import __main__ as prelabel
from benchmarks.prelabel.given import Asked, clips, copied, long_video, many_sentences, queued
from benchmarks.scale.places import place
from stvg_core.video import VideoReader, probe

TINY = ["--rounds", "1", "--seconds", "2", "--clips", "2", "--sentences", "2", "--jobs", "4", "--slept", "0.01"]


def test_every_measurement_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "prelabel.json"
    found = prelabel.main([*TINY, "--workers", "2", "--minutes", "0.05", "--out", str(out)])
    kinds = {what: figures["sqlite"] for what, figures in found.items()}
    overhead = kinds["overhead"]
    assert overhead["sentences"] == 2 and overhead["of_it_in_the_child_s"]["median"] > 0
    assert overhead["run_cpu_s"]["median"] > overhead["of_it_in_the_child_s"]["median"]
    assert overhead["model_cpu_s"]["median"] > overhead["model_without_decoding_cpu_s"]["median"] > 0
    assert overhead["statements_per_sentence"]["median"] > 10 and overhead["start_up_cpu_s"] > 0
    assert set(kinds["workers"]["seconds"]) == {2}
    assert set(kinds["sentences"]["cpu_s"]) == {"leased together", "leased one by one", "a video each"}
    [one] = kinds["memory"]["by_minutes"].values()
    assert min(one["frames"], one["worker_mib"], one["child_mib"]) > 0
    assert set(json.loads(out.read_text())) >= {"machine", "arguments", "load", *prelabel.WHAT}
    printed = capsys.readouterr().out
    for begin in ("| the model's own | sqlite |", "| 2 | sqlite |", "| 2 sentences, a video each |", "| 0.05 min |"):
        assert begin in printed


def test_a_long_video_shows_the_clip_again_and_again(tmp_path: Path) -> None:
    [asked] = clips(tmp_path, 1, 2.0)
    once = probe(asked.video)
    frames = long_video(asked.video, tmp_path / "long.mp4", 3 * once.duration_s)
    info = probe(tmp_path / "long.mp4")
    assert info.n_frames == frames == 3 * once.n_frames and not info.variable_rate and info.warnings == once.warnings
    assert (info.fps_num, info.fps_den) == (once.fps_num, once.fps_den)
    wanted = np.array([0, once.n_frames // 2, once.n_frames - 1])
    with VideoReader(asked.video) as clip, VideoReader(tmp_path / "long.mp4") as long:
        for turn in range(3):
            assert (long.read(wanted + turn * once.n_frames).pixels == clip.read(wanted).pixels).all()


def test_a_copy_has_other_bytes_and_the_same_pictures(tmp_path: Path) -> None:
    one, other = many_sentences(tmp_path, 2, 4.0)
    assert one.video == other.video and one.query != other.query
    copy = copied(one.video, "copy")
    assert copy.read_bytes() != one.video.read_bytes()
    with av.open(str(copy)) as container, av.open(str(one.video)) as source:
        packets = [[bytes(packet) for packet in file.demux(video=0)] for file in (container, source)]
    assert packets[0] == packets[1] and probe(copy).warnings == ()


def test_there_is_a_job_for_each_sentence_and_nothing_remains(tmp_path: Path) -> None:
    where = place("sqlite", tmp_path / "databases")
    with queued(where, "two", [Asked(tmp_path / "a.mp4", "x"), Asked(tmp_path / "a.mp4", "y")], "v") as (_, project):
        assert project < 0 and len(list((tmp_path / "databases").glob("*.sqlite3"))) == 1
    assert list((tmp_path / "databases").iterdir()) == []
