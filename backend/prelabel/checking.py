"""What would a run have to do, and which of its inputs could not be used? (``stvg prelabel --dry-run``)

Nothing is fetched or stored. Every video is looked at once, however many sentences ask for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Any

from backend.prelabel.errors import PlaceError
from backend.prelabel.item import Found, Item, Note, Problem, Repeated
from backend.prelabel.looking import Seen
from backend.prelabel.shard import Shard

Telling = Problem | Note | Repeated

LOOKS = 8
"""Videos that are looked at at once."""


@dataclass(frozen=True)
class Pace:
    """How long the work takes, as it was measured: seconds for each video, and more for each sentence on it."""

    video_s: float
    sentence_s: float
    workers: int = 1


@dataclass
class DryRun:
    """What :func:`check` found.

    Attributes:
        items, videos: sentences that can be asked, and the videos that they are on.
        sentences_per_video: how many videos have 1, 2, ... sentences.
        asked: of the items, those that a run would ground: all but those that are answered already, ``answered``, those
            that failed or were cancelled before and are not tried again, ``ended``, and those above the limit,
            ``beyond_limit``.
        repeated: records with the video and sentence of another.
        notes: records that a person should look at.
        elsewhere: items of other shares.
        problems: items that are left out, by the kind of reason.
        bytes_local: of videos on this machine.
        bytes_to_fetch: of the others that the run needs, as far as their servers say; ``unknown_sizes`` do not.
        unseen: videos that could not be asked for before the run.
        frames, video_s: of the videos that were probed, ``probed`` of them.
        estimate_s: how long the run takes; None without a pace.
    """

    items: int = 0
    videos: int = 0
    sentences_per_video: dict[int, int] = field(default_factory=dict)
    asked: int = 0
    answered: int = 0
    ended: int = 0
    beyond_limit: int = 0
    repeated: int = 0
    notes: int = 0
    elsewhere: int = 0
    problems: dict[str, int] = field(default_factory=dict)
    bytes_local: int = 0
    bytes_to_fetch: int = 0
    unknown_sizes: int = 0
    unseen: int = 0
    probed: int = 0
    frames: int = 0
    video_s: float = 0.0
    estimate_s: float | None = None

    @property
    def bad(self) -> int:
        """Items that are left out."""
        return sum(self.problems.values())

    def to_json(self) -> dict[str, Any]:
        """Everything as plain numbers and names."""
        return asdict(self) | {
            "bad": self.bad,
            "sentences_per_video": {
                str(number): self.sentences_per_video[number] for number in self.sentences_per_video
            },
        }


class Known(StrEnum):
    """What a run would do with an item, by what the database knows of it."""

    NEW = "is asked"
    WAITS = "was asked, and waits"
    ANSWERED = "is answered"
    ENDED = "failed, or was cancelled"
    BEYOND = "is left for another run"


@dataclass
class _Video:
    """The sentences on one video so far, and where the items stand: for a problem that concerns all of them."""

    first: Item
    places: list[str] = field(default_factory=list)
    known: Counter[Known] = field(default_factory=Counter)


def check(
    found: Iterable[Found], look: Callable[[Item], Seen], *, pace: Pace | None = None, shard: Shard | None = None,
    have: Callable[[str], bool] = lambda address: False, known: Callable[[Item], Known] = lambda item: Known.NEW,
    limit: int | None = None, every_repetition: bool = False, tell: Callable[[Telling], None] = lambda said: None,
    progress: Callable[[int, int], None] = lambda done, of: None, threads: int = LOOKS,
) -> DryRun:  # fmt: skip
    """Look at every item of a source (:meth:`backend.prelabel.sources.Source.read`) and at each of their videos once.

    Args:
        look: what is known of a video; raises PlaceError where it cannot be used. Called from several threads.
        pace: for the estimate of the time.
        shard: only the items of this share.
        have: is the video of an address here already, though it comes from elsewhere?
        known: what would a run do with an item?
        limit: at most so many new ones are asked.
        every_repetition: a record with another's video and sentence is asked too, as a task of its own.
        tell: gets every problem, note and repetition.
        progress: gets how many videos were looked at, of how many.
        threads: how many videos are looked at at once.
    """
    result = DryRun()
    problems: Counter[str] = Counter()
    videos: dict[str, _Video] = {}
    new = 0

    def say(problem: Problem) -> None:
        problems[problem.reason.value] += 1
        tell(problem)

    for each in found:
        one = each.item if isinstance(each, Repeated) and every_repetition else each
        match one:
            case Item():
                if shard is not None and not shard.has(one.video_ref):
                    result.elsewhere += 1
                    continue
                if (video := videos.get(one.video_ref)) is None:
                    video = videos[one.video_ref] = _Video(replace(one, truth=None, data={}))
                video.places.append(one.where)
                state = known(one)
                if state is Known.NEW and new == limit:
                    state = Known.BEYOND
                new += state is Known.NEW
                video.known[state] += 1
            case Problem():
                say(one)
            case Repeated():
                if shard is None or shard.has(one.item.video_ref):
                    result.repeated += 1
                    tell(one)
            case Note():
                result.notes += 1
                tell(one)
    fan_out, asked = Counter[int](), Counter[int]()
    firsts = [video.first for video in videos.values()]
    for done, (item, seen) in enumerate(_looked(firsts, look, threads), start=1):
        video = videos[item.video_ref]
        if isinstance(seen, PlaceError):
            for where in video.places:
                say(Problem(where, str(seen), seen.reason))
        else:
            fan_out[len(video.places)] += 1
            wanted = video.known[Known.NEW] + video.known[Known.WAITS]
            asked[wanted] += 1
            result.answered += video.known[Known.ANSWERED]
            result.ended += video.known[Known.ENDED]
            result.beyond_limit += video.known[Known.BEYOND]
            _count(result, seen, here=seen.remote and have(item.video_ref), wanted=bool(wanted))
        progress(done, len(firsts))
    result.problems = dict(problems.most_common())
    result.sentences_per_video = dict(sorted(fan_out.items()))
    result.videos = sum(fan_out.values())
    result.items = sum(sentences * number for sentences, number in fan_out.items())
    del asked[0]
    result.asked = sum(sentences * number for sentences, number in asked.items())
    result.estimate_s = None if pace is None else estimate(asked, pace)
    return result


def estimate(sentences_per_video: Mapping[int, int], pace: Pace) -> float:
    """Seconds for all videos, shared evenly; not less than the longest, which one worker does alone."""
    times = {n: pace.video_s + n * pace.sentence_s for n in sentences_per_video}
    whole = sum(times[n] * number for n, number in sentences_per_video.items())
    return max([whole / max(1, pace.workers), *times.values()], default=0.0)


def _count(result: DryRun, seen: Seen, *, here: bool, wanted: bool) -> None:
    if seen.remote and not here:
        if not wanted:
            return
        result.unseen += not seen.asked
        result.unknown_sizes += seen.size_bytes is None
        result.bytes_to_fetch += seen.size_bytes or 0
    else:
        result.bytes_local += seen.size_bytes or 0
    if seen.info is not None:
        result.probed += 1
        result.frames += seen.info.n_frames
        result.video_s = round(result.video_s + seen.info.duration_s, 3)


def _looked(items: list[Item], look: Callable[[Item], Seen], threads: int) -> Iterator[tuple[Item, Seen | PlaceError]]:
    """Each item with what was seen, as the answers come; few are asked for at a time, so that Ctrl-C ends it soon."""

    def ask(item: Item) -> tuple[Item, Seen | PlaceError]:
        try:
            return item, look(item)
        except PlaceError as error:
            return item, error

    waiting = iter(items)
    pool = ThreadPoolExecutor(max_workers=threads)
    try:
        running = {pool.submit(ask, item) for item in islice(waiting, 2 * threads)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(ask, item) for item in islice(waiting, len(done))}
            for one in done:
                yield one.result()
    finally:
        pool.shutdown(cancel_futures=True)
