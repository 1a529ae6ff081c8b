"""A part of a video is grounded as a file with that part alone would be, and no other frame is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from stvg_core.calibration.rejoin import rejoin
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import scene_tracks
from stvg_core.demo.scenes import Scene
from stvg_core.errors import QueryError
from stvg_core.evaluation.prediction_files import read_predictions
from stvg_core.method.evidence import Evidence
from stvg_core.pipeline import Grounder
from stvg_core.proposals.cache import CachedProposer
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.segment import PartOf, check_segment, part_info, track_within
from stvg_core.settings import resolve
from stvg_core.tube import Array, Frames, Track, VideoInfo
from stvg_core.video import VideoReader, probe

SEGMENT = (11, 54)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return next(
        scene
        for scene in (split_scene("validation", number, difficulty="easy") for number in range(100))
        if scene.n_frames >= 70
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, scene: Scene) -> Path:
    return write_clip(tmp_path_factory.mktemp("whole") / "clip.mp4", scene)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """The segment as a file of its own, with exactly the same pictures: encoded without loss."""
    path = tmp_path_factory.mktemp("cut") / "cut.mp4"
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        of = source.streams.video[0]
        stream = target.add_stream("libx264", rate=of.average_rate, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = of.width, of.height, of.codec_context.pix_fmt
        for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
            setattr(stream.codec_context, name, getattr(of.codec_context, name))
        for number, picture in enumerate(source.decode(of)):
            if SEGMENT[0] <= number <= SEGMENT[1]:
                picture.pts, picture.time_base = number - SEGMENT[0], 1 / of.average_rate
                picture.pict_type = av.video.frame.PictureType.NONE
                target.mux(stream.encode(picture))
        target.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def grounder() -> Grounder:
    return Grounder.from_pretrained(MODEL_DIR, device="cpu")


def same(one: Array, other: Array) -> bool:
    return np.array_equal(one, other, equal_nan=True)


class Watched(VideoReader):
    """Notes which frames are asked for."""

    def __init__(self, source: str | Path | VideoInfo) -> None:
        super().__init__(source)
        self.asked: set[int] = set()

    def read(self, indices: Array, *, max_side: int | None = None) -> Frames:
        self.asked.update(indices.tolist())
        return super().read(indices, max_side=max_side)

    def stream(self, indices: Array | None = None, *, max_side: int | None = None) -> Iterator[tuple[int, Array]]:
        self.asked.update(range(self.info.n_frames) if indices is None else indices.tolist())
        return super().stream(indices, max_side=max_side)

    def expect(self, indices: Iterable[int]) -> None:
        frames = list(indices)
        self.asked.update(frames)
        super().expect(frames)


def test_the_cut_has_the_same_pictures(clip: Path, cut: Path) -> None:
    with VideoReader(clip) as whole, VideoReader(cut) as part:
        assert part.info.n_frames == SEGMENT[1] - SEGMENT[0] + 1
        frames = np.arange(part.info.n_frames)
        assert np.array_equal(whole.read(frames + SEGMENT[0]).pixels, part.read(frames).pixels)


def test_the_answer_is_that_of_the_part_alone(clip: Path, cut: Path, scene: Scene) -> None:
    readers: list[Watched] = []

    def open_video(video: str | Path) -> Watched:
        readers.append(Watched(video))
        return readers[-1]

    grounder = Grounder.from_pretrained(MODEL_DIR, device="cpu", open_video=open_video)
    found = grounder.ground(clip, scene.query, segment=SEGMENT)
    alone = grounder.ground(cut, scene.query)
    first = SEGMENT[0]
    assert found.tube is not None and alone.tube is not None
    assert found.tube.start_frame == alone.tube.start_frame + first
    assert np.array_equal(found.tube.boxes, alone.tube.boxes) and found.score == alone.score
    assert same(found.evidence.track_boxes, alone.evidence.track_boxes)
    assert same(found.evidence.spatial_map, alone.evidence.spatial_map)
    assert np.array_equal(found.evidence.slot_frames, alone.evidence.slot_frames + first)
    looked = readers[0].asked
    assert first <= min(looked) and max(looked) <= SEGMENT[1], "no frame outside is even looked at"
    assert readers[1].asked == {frame - first for frame in looked}

    said = found.to_json()
    assert said["segment"] == list(SEGMENT) and said["start_frame"] == found.tube.start_frame
    assert said["start_s"] == pytest.approx(found.tube.start_frame / scene.fps, abs=1e-3)
    assert found.video.n_frames == scene.n_frames and found.video.segment is None
    assert alone.to_json()["segment"] is None
    assert found.model_version == alone.model_version


def test_all_of_a_video_as_a_segment_is_the_video(grounder: Grounder, clip: Path, scene: Scene) -> None:
    whole = grounder.ground(clip, scene.query)
    part = grounder.ground(clip, scene.query, segment=(0, scene.n_frames - 1))
    assert whole.tube is not None and part.tube is not None
    assert whole.tube.start_frame == part.tube.start_frame and np.array_equal(whole.tube.boxes, part.tube.boxes)


def test_sentences_about_several_parts_are_kept_apart(grounder: Grounder, clip: Path, scene: Scene) -> None:
    alone = [grounder.ground(clip, scene.query, segment=part) for part in (SEGMENT, (20, 60))]
    grounder.ground(clip, scene.query)
    together = [next(grounder.ground_each(clip, [scene.query], segment=part)) for part in (SEGMENT, (20, 60))]
    many = grounder.ground_many(clip, [scene.query, scene.query], segment=SEGMENT)
    for one, other in zip([*alone, alone[0], alone[0]], [*together, *many], strict=True):
        assert not isinstance(other, Exception) and one.tube is not None and other.tube is not None
        assert one.tube.start_frame == other.tube.start_frame and np.array_equal(one.tube.boxes, other.tube.boxes)
    assert alone[0].evidence.slot_frames.tolist() != alone[1].evidence.slot_frames.tolist()


def test_given_tracks_are_those_of_the_whole_video(grounder: Grounder, clip: Path, cut: Path, scene: Scene) -> None:
    tracks = scene_tracks(scene)
    found = grounder.ground(clip, scene.query, tracks=tracks, segment=SEGMENT)
    cut_tracks = [part for track in tracks if (part := track_within(track, SEGMENT))]
    alone = grounder.ground(cut, scene.query, tracks=cut_tracks)
    assert found.tube is not None and alone.tube is not None
    assert found.tube.start_frame == alone.tube.start_frame + SEGMENT[0]
    assert np.array_equal(found.tube.boxes, alone.tube.boxes)


def test_the_evidence_gives_the_same_answer_again(grounder: Grounder, clip: Path, scene: Scene) -> None:
    """As calibration does it: from what was stored, whose frames are those of the whole video."""
    settings = resolve(MODEL_DIR, None)
    for segment in (SEGMENT, (11, scene.n_frames - 3), (40, 47)):
        found = grounder.ground(clip, scene.query, segment=segment)
        stored = Evidence.from_bytes(
            found.evidence.to_bytes(), chosen=found.evidence.chosen, consistency=found.evidence.consistency,
            info=found.evidence.info,
        )  # fmt: skip
        assert stored.bounds == segment and found.tube is not None
        again = rejoin(stored, settings)
        assert not again.lost
        assert (again.tube.start_frame, again.tube.end_frame) == (found.tube.start_frame, found.tube.end_frame)
        # Another rule of the interval cannot leave the part either.
        all_slots = rejoin(stored, replace(settings, interval="top_k", top_k=99, second_look=False))
        assert segment[0] <= all_slots.span[0] and all_slots.span[1] <= segment[1]


@pytest.mark.parametrize(
    ("segment", "said"),
    [
        ((9, 3), "ends before it begins: frames 9 to 3"),
        ((-1, 3), "frames -1 to 3; the video has frames 0 to"),
        ((5, 10**6), "frames 5 to 1000000; the video has frames 0 to"),
        ((1.5, 3), "two whole numbers"),
        ((1, 2, 3), "two whole numbers"),
        ("ab", "two whole numbers"),
    ],
)
def test_bad_segments_are_refused_in_words(
    grounder: Grounder, clip: Path, scene: Scene, segment: tuple[int, int], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        grounder.ground(clip, scene.query, segment=segment)


def test_one_frame_is_a_segment(grounder: Grounder, clip: Path, scene: Scene) -> None:
    found = grounder.ground(clip, scene.query, segment=(30, 30))
    assert found.tube is None or (found.tube.start_frame, found.tube.end_frame) == (30, 30)


def test_needs_are_the_parts_frames(grounder: Grounder, clip: Path) -> None:
    slots, others = grounder.needs(probe(clip), SEGMENT)
    for frames in (slots, others):
        assert SEGMENT[0] <= frames.min() <= frames.max() <= SEGMENT[1]


def test_kept_proposals_belong_to_their_part(clip: Path, tmp_path: Path) -> None:
    proposer = CachedProposer(EmbeddedProposer(), tmp_path)
    with VideoReader(clip) as video:
        part = PartOf(video, SEGMENT)
        of_whole, of_part = proposer.propose(video), proposer.propose(part)
        assert len(list(tmp_path.iterdir())) == 2
        assert max(track.frames[-1] for track in of_part) <= SEGMENT[1] - SEGMENT[0]
        assert max(track.frames[-1] for track in of_whole) > SEGMENT[1] - SEGMENT[0]
        assert len(proposer.propose(part)) == len(of_part) and len(list(tmp_path.iterdir())) == 2


def test_the_pictures_of_a_part(clip: Path) -> None:
    with VideoReader(clip) as video, PartOf(video, SEGMENT) as part:
        n = SEGMENT[1] - SEGMENT[0] + 1
        assert part.info.n_frames == n and part.info.segment == SEGMENT
        assert part.info.duration_s == pytest.approx(n / video.info.fps)
        assert part.seconds[0] == 0 and len(part.seconds) == n
        read = part.read(np.array([0, n - 1]))
        assert np.array_equal(read.pixels, video.read(np.array(SEGMENT)).pixels)
        assert read.seconds.tolist() == part.seconds[[0, -1]].tolist()
        assert [index for index, _ in part.stream()] == list(range(n))
        for outside in (-1, n):
            with pytest.raises(IndexError):
                part.read(np.array([outside]))


def test_the_times_of_a_part_of_a_variable_rate_video() -> None:
    times = np.array([0.0, 0.1, 0.4, 0.5, 1.0])
    info = VideoInfo("x.mp4", 64, 48, 5, 1, 5, 1.2, variable_rate=True, times=times)
    part = part_info(info, (1, 3))
    assert part.seconds().tolist() == pytest.approx([0.0, 0.3, 0.4]) and part.duration_s == pytest.approx(0.9)
    assert part_info(info, (2, 4)).duration_s == pytest.approx(0.8)
    unknown = replace(info, times=None)
    assert part_info(unknown, (1, 3)).duration_s == pytest.approx(0.6)
    assert check_segment(np.array([1, 3]), info) == (1, 3)


def test_a_track_is_cut_to_the_part() -> None:
    boxes = np.array([[0.0, 0.0, 0.2, 0.2], [0.4, 0.4, 0.6, 0.6]])
    track = Track(np.array([10, 30]), boxes, 0.5, "s", "l")
    part = track_within(track, (15, 25))
    assert part is not None and part.frames.tolist() == [0, 10] and (part.score, part.source) == (0.5, "s")
    assert part.boxes[:, 0].tolist() == pytest.approx([0.1, 0.3])
    assert track_within(track, (31, 40)) is None and track_within(track, (0, 9)) is None
    longer = track_within(track, (5, 40))
    assert longer is not None and longer.frames.tolist() == [5, 25]


def test_a_printed_segment_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "tubes.json"
    line = '"video": "a", "query": "q", "start_frame": 5, "end_frame": 5, "boxes": {"5": [0, 0, 9, 9]}'
    file.write_text(f'{{{line}, "segment": [3, 9]}}\n{{{line}, "segment": null}}\n')
    assert [one.segment for one in read_predictions(file)] == [(3, 9), None]
