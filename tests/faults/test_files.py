"""Faults 13 to 15: a file that is no video, is cut off, or is made to fill the memory."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from backend.db.tables import Job
from stvg_core.video import VideoReader, probe, read_frames
from stvg_core.video.wholeness import END_MISSING
from tests.faults.fault import fault
from tests.faults.servers import Server, said
from tests.faults.service import Service
from tests.faults.without import no, nothing
from tests.video.painted import read_number, write_painted

FAULTS = range(13, 16)

PAGES = {
    "page": "<!DOCTYPE html><html><body>Log in</body></html>",
    "capitals": "\n <HTML><HEAD><TITLE>moved</TITLE></HEAD></HTML>",
    "mark": "\ufeff<!doctype html><title>Log in</title>",
    "comment": "<!-- served by a proxy -->\n<html><body>502</body></html>",
    "xhtml": '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x"><html></html>',
}


def grounded(service: Service, content: bytes, name: str = "clip.mp4") -> Job:
    """How the job of a task ends whose video has this content; the next one must be worked on."""
    (service.videos / name).write_bytes(content)
    job = service.ground(f"/data/local-files/?d={name}")
    (service.videos / "good.mp4").write_bytes(b"video")
    assert service.ground("/data/local-files/?d=good.mp4").state == "done"
    return job


@fault(13, guard="stvg_core.video.container._refuse_empty", without=nothing)
def test_an_empty_file_is_no_video(service: Service) -> None:
    job = grounded(service, b"")
    assert job.state == "failed" and "is an empty file, not a video" in str(job.reason)


def _as_ffmpeg_says(path: Path, head: bytes) -> str:
    return "Invalid data found when processing input"


@fault(13, guard="stvg_core.video.container._is_page", without=no)
@fault(13, guard="stvg_core.video.container._why_not_open", without=_as_ffmpeg_says)
@pytest.mark.parametrize("page", PAGES)
def test_a_web_page_that_is_called_a_video_is_said_to_be_one(service: Service, page: str) -> None:
    job = grounded(service, PAGES[page].encode())
    assert job.state == "failed" and "is a web page, not a video" in str(job.reason)


@fault(13, guard="stvg_core.video.container._why_not_open", without=_as_ffmpeg_says)
@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x01garbage" * 500, b"\x89PNG\r\n\x1a\n" + bytes(300), b'{"detail": "not found"}', b"\x00", bytes(4096),
        b"<Error><Code>AccessDenied</Code></Error>", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
    ],
    ids=["noise", "png", "json", "one byte", "zeros", "xml", "pointer"],
)  # fmt: skip
def test_what_is_no_video_is_said_not_to_be_one(service: Service, content: bytes) -> None:
    job = grounded(service, content)
    assert job.state == "failed" and "clip.mp4 is not a video that can be read" in str(job.reason)


@fault(13, guard="backend.media.download._refuse_page", without=nothing)
@pytest.mark.parametrize("kind", ["text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml", "application/json"])
def test_a_page_that_is_served_as_one_is_not_fetched(service: Service, kind: str) -> None:
    with Server(said(200, b"video of words", f"Content-Type: {kind}")) as source:
        service.downloader.allowed_origins = [source.url]
        job = service.ground(f"{source.url}/a.mp4")
    assert job.state == "failed" and "instead of a video" in str(job.reason) and service.kept() == []


@fault(13, guard="backend.media.download._refuse_nothing", without=nothing)
def test_an_empty_answer_is_no_video(service: Service) -> None:
    with Server(said(200)) as source:
        service.downloader.allowed_origins = [source.url]
        job = service.ground(f"{source.url}/a.mp4")
    assert job.state == "failed" and "gave an empty file" in str(job.reason) and service.kept() == []


@fault(14, guard="stvg_core.video.container._why_not_open", without=_as_ffmpeg_says)
def test_an_mp4_without_its_index_is_said_to_be_cut_off(service: Service, tmp_path: Path) -> None:
    whole = write_painted(tmp_path / "whole.mp4", 60).read_bytes()  # the index is at the end
    job = grounded(service, whole[:-600])
    assert job.state == "failed" and "is cut off" in str(job.reason)


def index_in_front(folder: Path, options: dict[str, str]) -> bytes:
    whole, path = write_painted(folder / "whole.mp4", 60), folder / "moved.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w", options=options) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path.read_bytes()


@fault(14, guard="stvg_core.video.timeline.is_cut", without=no)
@pytest.mark.parametrize("options", [{"movflags": "+faststart"}, {"movflags": "frag_keyframe+empty_moov"}])
@pytest.mark.parametrize("share", [2 / 3, 0.9])
def test_an_mp4_whose_end_is_missing_fails(
    service: Service, tmp_path: Path, options: dict[str, str], share: float
) -> None:
    data = index_in_front(tmp_path, options)
    (tmp_path / "all.mp4").write_bytes(data)
    assert probe(tmp_path / "all.mp4").n_frames == 60
    job = grounded(service, data[: int(len(data) * share)])
    assert job.state == "failed" and "is cut off" in str(job.reason)


@fault(14, guard="stvg_core.video.probe.end_is_missing", without=no)
@pytest.mark.parametrize("ending", ["ts", "mkv"])
def test_what_can_be_read_of_a_transport_stream_is_used_and_flagged(tmp_path: Path, ending: str) -> None:
    path = write_painted(tmp_path / f"a.{ending}", 60)
    data = path.read_bytes()
    for share in (0.5, 2 / 3, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        info = probe(path)
        assert 10 < info.n_frames < 60 and END_MISSING in info.warnings
        numbers = [read_number(picture) for picture in read_frames(info, np.arange(info.n_frames - 1)).pixels]
        assert numbers == list(range(info.n_frames - 1))


SIDE = 8192


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three pictures of 8192 x 8192 in some containers: 200 KB, and 100 MB each when decoded."""
    folder = tmp_path_factory.mktemp("bombs")
    picture = av.VideoFrame(SIDE, SIDE, "yuv420p")
    for plane in picture.planes:
        plane.update(bytes(plane.buffer_size))
    for name in ("a.mp4", "a.ts"):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
            stream.options = {"preset": "ultrafast", "threads": "1"}
            for number in range(3):
                picture.pts, picture.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    lie = bytearray((folder / "a.mp4").read_bytes())
    at = lie.index(b"avc1", lie.index(b"stsd")) + 28  # width and height, 16 bits each
    lie[at : at + 4] = bytes([0, 64, 0, 64])
    (folder / "lie.mp4").write_bytes(lie)
    return folder


@fault(15, guard="stvg_core.video.container.check_size", without=nothing)
@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "lie.mp4"])
def test_enormous_pictures_are_refused_before_one_is_decoded(service: Service, bombs: Path, name: str) -> None:
    """``lie.mp4`` says 64 x 64 in its header. Without the check the decoder still takes none, and nothing says why."""
    content = (bombs / name).read_bytes()
    assert len(content) < 600_000
    job = grounded(service, content, name)
    assert job.state == "failed" and f"{SIDE} x {SIDE} pixels per picture" in str(job.reason)


@fault(15, guard="stvg_core.video.container.bound_decoder", without=nothing)
def test_enormous_pictures_behind_small_ones_are_never_decoded(bombs: Path, tmp_path: Path) -> None:
    small = write_painted(tmp_path / "a.ts", 50)
    small.write_bytes(small.read_bytes() + (bombs / "a.ts").read_bytes())
    info = probe(small)
    assert info.n_frames == 50 and any("damaged" in warning for warning in info.warnings)
    with VideoReader(info) as reader:
        assert [read_number(picture) for _, picture in reader.stream()] == list(range(50))
