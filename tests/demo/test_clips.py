"""Clip files: what was drawn comes back from the mp4, at the exact rate, with its truth beside it."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest

from stvg_core.demo.clips import SPLIT_SEEDS, make_clips, split_scene, write_clip
from stvg_core.demo.scenes import render


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A short clip at 29.97 frames a second."""
    scene = next(
        s for s in (split_scene("test", n, max_seconds=6.0) for n in range(100)) if s.fps == Fraction(30000, 1001)
    )
    return write_clip(tmp_path_factory.mktemp("clips") / "one.mp4", scene), scene


def test_round_trip_keeps_every_frame_and_the_rate(clip):
    path, scene = clip
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == scene.fps
        frames = list(container.decode(video=0))
    assert len(frames) == scene.n_frames
    assert (frames[0].width, frames[0].height) == (scene.width, scene.height)
    times = np.array([float(f.pts * f.time_base) for f in frames])
    assert np.allclose(times, np.arange(scene.n_frames) / float(scene.fps), atol=1e-3)
    middle = scene.n_frames // 2
    drawn = render(scene, np.array([middle]))[0].astype(int)
    assert np.abs(frames[middle].to_ndarray(format="rgb24") - drawn).mean() < 12


def test_index_comes_before_the_pictures(clip):
    """A browser can start playing before the whole file has come."""
    content = clip[0].read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_truth_beside_the_clip(clip):
    path, scene = clip
    truth = json.loads(path.with_suffix(".json").read_text())
    assert (truth["start_frame"], truth["end_frame"]) == scene.truth
    assert Fraction(truth["fps"]) == scene.fps
    assert (truth["query"], truth["n_frames"], truth["video"]) == (scene.query, scene.n_frames, path.name)
    boxes = truth["objects"][truth["target"]]["boxes"]
    start, end = scene.truth
    assert np.allclose(np.array(boxes[start : end + 1]), scene.boxes(scene.target)[start : end + 1], atol=1e-4)


def test_same_arguments_same_clips(tmp_path):
    first = make_clips(tmp_path / "a", 1, seed=5, max_seconds=6.0)
    second = make_clips(tmp_path / "b", 1, seed=5, max_seconds=6.0)
    # The encoder's bytes differ a little from run to run; pictures are compared before encoding, in
    # test_scenes.
    assert first[0].with_suffix(".json").read_text() == second[0].with_suffix(".json").read_text()


def test_splits_do_not_meet():
    starts = sorted(SPLIT_SEEDS.values())
    assert min(np.diff(starts)) >= 1_000_000_000
    assert split_scene("validation", 0) != split_scene("test", 0)
