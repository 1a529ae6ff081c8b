"""The overlay is the video with the tube in its place; the plot is a picture."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from stvg_core.drawing import plot, write_overlay, write_plot
from stvg_core.errors import VideoError
from stvg_core.method.evidence import Evidence
from stvg_core.tube import Grounding, Tube
from stvg_core.video import probe, read_frames
from tests.video.painted import write_painted


@pytest.fixture
def found(tmp_path: Path) -> Grounding:
    info = probe(write_painted(tmp_path / "clip.mp4", 30, Fraction(30000, 1001)))
    slots, rng = np.array([2, 12, 22]), np.random.default_rng(0)
    boxes = np.tile(np.array([[[0.2, 0.5, 0.4, 0.8]], [[0.6, 0.4, 0.9, 0.9]]], np.float32), (1, 3, 1))
    boxes[1, 2] = np.nan
    evidence = Evidence(
        slot_frames=slots, track_boxes=boxes, track_scores=np.array([0.7, 0.2]),
        track_scores_forward=np.array([0.7, 0.2]), track_scores_reversed=np.array([0.6, 0.3]),
        frame_scores=rng.uniform(0, 1, (2, 3)), spatial_map=rng.uniform(0, 1, (3, 4, 6)).astype(np.float16),
        temporal_map=rng.uniform(0, 1, (3, 4, 6)).astype(np.float16), chosen=0, consistency=0.5,
    )  # fmt: skip
    tube = Tube(8, np.tile([0.2, 0.5, 0.4, 0.8], (10, 1)))
    return Grounding("costs $5 & <b>", "it", "it moves", info, tube, 0.5, "m@1/2", {"total": 1.0}, evidence)


def is_pink(picture: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    return (red > 170) & (green < 130) & (blue > 70) & (blue < 200)


def test_overlay_has_the_box_inside_the_interval_only(found: Grounding, tmp_path: Path) -> None:
    shares: list[float] = []
    out = write_overlay(found, tmp_path / "out.mp4", lambda share, stage: shares.append(share))
    info = probe(out)
    assert (info.n_frames, info.width, info.height) == (30, 160, 96)
    assert info.fps == pytest.approx(30000 / 1001, rel=1e-4)
    with av.open(str(out)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    area = read_frames(info, np.arange(30)).pixels[:, 40:82, 20:80]
    drawn = [bool(is_pink(picture).sum() > 20) for picture in area]
    assert drawn == [8 <= t <= 17 for t in range(30)]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_the_same_video_gets_the_same_file(found: Grounding, tmp_path: Path) -> None:
    first, second = (write_overlay(found, tmp_path / f"{number}.mp4").read_bytes() for number in (1, 2))
    assert first == second


def test_one_pixel_wide(found: Grounding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thin = [(number, np.full((96, 1, 3), 7 * number, np.uint8)) for number in range(found.video.n_frames)]
    monkeypatch.setattr("stvg_core.drawing.overlay.VideoReader.stream", lambda video: iter(thin))
    narrow = replace(found, tube=None, video=replace(found.video, width=1))
    info = probe(write_overlay(narrow, tmp_path / "out.mp4"))
    assert (info.width, info.height, info.n_frames) == (2, 96, 30)


def test_no_tube_and_odd_sizes(found: Grounding, tmp_path: Path) -> None:
    odd = replace(found, tube=None, video=replace(found.video, width=159, height=95))
    info = probe(write_overlay(odd, tmp_path / "out.mp4"))
    assert (info.width, info.height, info.n_frames) == (158, 94, 30)


def test_plot_with_and_without_tracks(found: Grounding, tmp_path: Path) -> None:
    none = replace(
        found.evidence, track_boxes=np.zeros((0, 3, 4), np.float32), track_scores=np.zeros(0),
        frame_scores=np.zeros((0, 3)), chosen=-1,
    )  # fmt: skip
    for name, grounding in {"a.png": found, "b.png": replace(found, tube=None, evidence=none)}.items():
        with Image.open(write_plot(grounding, tmp_path / name)) as image:
            assert image.format == "PNG"
            assert min(image.size) > 400
            assert np.asarray(image.convert("L")).std() > 10


def test_the_highest_bar_is_the_chosen_track_and_tracks_count_from_1(found: Grounding) -> None:
    """The second track has less attention, and is chosen by the proposer's confidence."""
    evidence = replace(
        found.evidence, chosen=1, proposer_scores=np.array([0.1, 0.9]), info={"choice_weight": 1.0}
    )  # fmt: skip
    axes = Figure().add_subplot()
    plot._track_scores(axes, replace(found, evidence=evidence))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["track 2", "track 1"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.18, 0.07])
    assert [to_hex(bar.get_facecolor()) for bar in axes.patches] == [plot._PINK, plot._BLUE]
    assert axes.lines[0].get_xdata() == pytest.approx([0.2, 0.7]), "attention alone, as a mark"
    assert "confidence" in axes.get_xlabel()


def test_the_title_has_frames_from_1_seconds_of_both_frames_and_the_score(found: Grounding) -> None:
    assert plot._title(found).endswith(": 0.27 s to 0.57 s (frames 9 to 18), score 0.50")


@pytest.mark.parametrize(("inside", "line"), [(True, "-"), (False, "--")])
def test_a_box_outside_the_tube_is_dashed(found: Grounding, inside: bool, line: str) -> None:
    axes, evidence = Figure().add_subplot(), found.evidence
    plot._attention(axes, np.zeros((96, 160, 3), np.uint8), np.zeros((2, 2)), evidence, 1, inside=inside)
    (bold,) = (patch for patch in axes.patches if patch.get_linewidth() > 1)
    assert bold.get_linestyle() == line


def test_places_that_cannot_be_written_are_said(found: Grounding, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="cannot be written"):
        write_overlay(found, tmp_path / "nowhere" / "out.mp4")
    with pytest.raises(VideoError, match="cannot be written"):
        write_plot(found, tmp_path / "nowhere" / "out.png")


def test_a_plot_tells_the_pictures_own_seconds(found: Grounding) -> None:
    times = np.arange(30) / 10.0
    times[10:] += 8
    uneven = replace(found.video, variable_rate=True, times=times, duration_s=11.0)
    assert "0.80 s to 9.70 s" in plot._title(replace(found, video=uneven))
