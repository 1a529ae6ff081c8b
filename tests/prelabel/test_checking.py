"""The look before a run, and the shares of several machines."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import httpx
import pytest

from backend.media import MediaUnavailable
from backend.media.cloud import CloudFiles
from backend.media.cloud_services import SERVICES, Service
from backend.media.download import Downloader
from backend.media.file_address import file_address
from backend.media.label_studio import LabelStudioPlace
from backend.prelabel.checking import Pace, check, estimate
from backend.prelabel.errors import PlaceError, Reason, SourceError
from backend.prelabel.item import Item, Note, Problem, Repeated
from backend.prelabel.looking import Look, Seen
from backend.prelabel.shard import Shard
from stvg_core.errors import VideoError
from stvg_core.tube import VideoInfo
from tests.prelabel.given import clips


def item(video: str, sentence: str = "x", **more: Any) -> Item:
    return Item(video, sentence, f"{video} {sentence}", f"where {video} {sentence}", **more)


def test_the_fan_out_is_counted_and_each_video_looked_at_once() -> None:
    asked: Counter[str] = Counter()

    def look(one: Item) -> Seen:
        asked[one.video_ref] += 1
        if one.video_ref == "gone":
            raise PlaceError(Reason.MISSING, "There is no video gone.")
        return Seen({"a": 100, "far": 7}.get(one.video_ref), remote=one.video_ref != "a")

    again = item("a", "1")
    told: list[Any] = []
    steps: list[tuple[int, int]] = []
    found = [
        item("a", "1"), item("a", "2"), item("gone", "1"), item("far"), item("unsaid"), item("gone", "2"),
        Problem("line 9", "is not JSON"), Repeated(again, "where a 1"), Note("t.csv", "brings labels"),
    ]  # fmt: skip
    result = check(
        found, look, pace=Pace(10, 2, workers=2), tell=told.append, progress=lambda *step: steps.append(step), threads=2
    )
    assert asked == {"a": 1, "gone": 1, "far": 1, "unsaid": 1}
    assert (result.items, result.videos, result.sentences_per_video) == (4, 3, {1: 2, 2: 1})
    assert result.problems == {Reason.MISSING.value: 2, Reason.RECORD.value: 1}
    assert (result.bad, result.repeated, result.notes) == (3, 1, 1)
    assert (result.bytes_local, result.bytes_to_fetch, result.unknown_sizes) == (100, 7, 1)
    assert result.estimate_s == (14 + 12 + 12) / 2
    assert {one.where for one in told if isinstance(one, Problem)} == {"where gone 1", "where gone 2", "line 9"}
    assert steps[-1] == (4, 4)
    assert json.loads(json.dumps(result.to_json()))["sentences_per_video"] == {"1": 2, "2": 1}


def test_what_is_here_already_is_not_fetched() -> None:
    result = check([item("far"), item("kept")], lambda one: Seen(5, remote=True), have=lambda video: video == "kept")
    assert (result.bytes_to_fetch, result.bytes_local) == (5, 5)


def test_an_empty_source_has_an_answer() -> None:
    result = check([], lambda one: Seen(1), pace=Pace(1, 1))
    assert (result.items, result.videos, result.estimate_s) == (0, 0, 0.0)


def test_a_defect_in_looking_is_not_taken_for_a_bad_video() -> None:
    def look(one: Item) -> Seen:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        check([item("a")], look)


def test_one_long_video_is_not_shared_among_workers() -> None:
    assert estimate({1: 10, 50: 1}, Pace(1, 2, workers=8)) == 101
    assert estimate({1: 80}, Pace(1, 2, workers=8)) == 30
    assert estimate({1: 80}, Pace(1, 2)) == 240


# Looking


def reason(look: Look, one: Item) -> Reason:
    with pytest.raises(PlaceError) as raised:
        look(one)
    return raised.value.reason


def test_files_of_this_machine(tmp_path: Path) -> None:
    clips(tmp_path, "a.mp4", "v/b.mp4")
    (tmp_path / "empty.mp4").touch()
    look = Look(document_root=tmp_path)
    assert look(item(file_address(tmp_path / "a.mp4"))).size_bytes == 5
    seen = look(item("/data/local-files/?d=v/b.mp4"))
    assert (seen.size_bytes, seen.remote) == (7, False)
    assert reason(look, item(file_address(tmp_path / "gone.mp4"))) is Reason.MISSING
    assert reason(look, item(file_address(tmp_path / "empty.mp4"))) is Reason.NO_VIDEO
    assert reason(look, item("/data/local-files/?d=gone.mp4")) is Reason.REFUSED
    assert reason(look, item("/data/local-files/?d=../a.mp4")) is Reason.REFUSED


def test_a_probe_says_what_is_in_a_file(tmp_path: Path) -> None:
    clips(tmp_path, "a.mp4", "b.mp4")

    def probe(path: Path) -> VideoInfo:
        if path.name == "b.mp4":
            raise VideoError("b.mp4 is not a video.")
        return VideoInfo(str(path), 320, 240, 25, 1, 50, 2.0)

    found = [item(file_address(tmp_path / name)) for name in ("a.mp4", "b.mp4")]
    result = check(found, Look(probe=probe))
    assert (result.probed, result.frames, result.video_s) == (1, 50, 2.0)
    assert result.problems == {Reason.NO_VIDEO.value: 1}


def test_objects_of_a_storage() -> None:
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pipe("/bucket/a.mp4", b"12345")
    look = Look(cloud=CloudFiles(services={**SERVICES, "memory": Service("memory", "fsspec")}))
    seen = look(item("memory://bucket/a.mp4"))
    assert (seen.size_bytes, seen.remote) == (5, True)
    assert look(item("memory://bucket/listed.mp4", size_bytes=9)).size_bytes == 9, "a listing said it already"
    assert reason(look, item("memory://bucket/gone.mp4")) is Reason.REFUSED
    assert reason(look, item("memory://bucket/empty.mp4", size_bytes=0)) is Reason.NO_VIDEO
    system.store.clear()


def test_a_look_at_a_storage_is_given_up_at_a_signal() -> None:
    """A storage may be silent for as long as it likes."""
    go_on = threading.Event()

    class Silent(CloudFiles):
        def _size(self, system: Any, path: str, url: str) -> int | None:
            go_on.wait(600)
            return 5

    class Enough(BaseException):
        pass

    def alive() -> None:
        raise Enough

    services = {**SERVICES, "memory": Service("memory", "fsspec")}
    with pytest.raises(Enough):
        Look(cloud=Silent(services=services), alive=alive)(item("memory://bucket/a.mp4"))
    with pytest.raises(PlaceError, match=r"was not looked up after 0\.01 s"):
        Look(cloud=Silent(deadline_s=0.01, services=services))(item("memory://bucket/a.mp4"))
    go_on.set()
    assert Look(cloud=Silent(services=services))(item("memory://bucket/a.mp4")).size_bytes == 5


def test_a_server_is_asked_for_the_first_bytes_alone() -> None:
    sent: list[int] = []

    def body() -> Any:
        for _ in range(1000):
            sent.append(1)
            yield b"x" * 1000

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/a.mp4":
            return httpx.Response(200, content=body())
        return httpx.Response({"/gone.mp4": 404, "/down.mp4": 503}[request.url.path])

    downloader = Downloader(transport=httpx.MockTransport(answer), resolver=lambda host, port: ["93.184.216.34"])
    look = Look(fetch=downloader.fetch)
    seen = look(item("https://host.example/a.mp4"))
    assert (seen.size_bytes, seen.remote, seen.asked) == (None, True, True)
    assert len(sent) < 5
    assert reason(look, item("https://host.example/gone.mp4")) is Reason.REFUSED
    assert reason(look, item("https://host.example/down.mp4")) is Reason.UNREACHABLE
    private = Look(fetch=Downloader(resolver=lambda host, port: ["10.0.0.1"]).fetch)
    assert reason(private, item("http://inner.example/a.mp4")) is Reason.REFUSED


def test_what_label_studio_alone_can_give_is_counted() -> None:
    look = Look(place=LabelStudioPlace("http://ls.test"), fetch=_never)
    result = check([item("s3://bucket/a.mp4", project=3, task=5)], look)
    assert (result.unseen, result.unknown_sizes, result.bad) == (1, 1, 0)
    assert reason(Look(), item("/data/upload/a.mp4")) is Reason.REFUSED, "where Label Studio is, is not known"
    assert reason(Look(), item("clip.mp4")) is Reason.REFUSED


def test_a_source_that_is_down_is_said_as_such() -> None:
    def down(url: str, file: BinaryIO) -> None:
        raise MediaUnavailable("did not answer in time.")

    assert reason(Look(fetch=down), item("https://host.example/a.mp4")) is Reason.UNREACHABLE


def _never(url: str, file: BinaryIO) -> None:
    raise AssertionError(f"{url} was asked for")


# Shares


def test_shares_are_disjoint_and_complete() -> None:
    videos = [f"s3://bucket/{number}.mp4" for number in range(300)]
    for of in (1, 2, 7):
        shards = [Shard(number, of) for number in range(1, of + 1)]
        owners = [[str(shard) for shard in shards if shard.has(video)] for video in videos]
        assert all(len(owner) == 1 for owner in owners)
        counts = Counter(owner[0] for owner in owners)
        assert len(counts) == of and min(counts.values()) > 300 / of / 2
    assert [Shard(1, 3).has(video) for video in videos[:20]] == [Shard(1, 3).has(video) for video in videos][:20]


def test_all_sentences_of_a_video_are_in_one_share() -> None:
    found = [item(f"v{number % 20}", str(number)) for number in range(100)]
    results = [check(found, lambda one: Seen(1), shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert sum(one.items for one in results) == 100
    assert sum(one.videos for one in results) == 20
    assert all(set(one.sentences_per_video) == {5} for one in results)
    assert [one.elsewhere + one.items for one in results] == [100] * 3
    again = [Repeated(one, "where") for one in found]
    assert sum(check(again, lambda one: Seen(1), shard=Shard(number, 3)).repeated for number in (1, 2, 3)) == 100


def test_a_share_never_changes() -> None:
    """Machines of different versions must agree; a bucket's bytes that are not UTF-8 are no error."""
    videos = ["s3://bucket/a.mp4", "file:///videos/b.mp4", "caf\udce9.mp4"]
    assert [next(n for n in range(1, 9) if Shard(n, 8).has(video)) for video in videos] == [5, 6, 5]


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "a/b", "1/4/5", "-1/4", ""])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(SourceError):
        Shard.parse(text)
    assert str(Shard.parse(" 2/4 ")) == "2/4"
