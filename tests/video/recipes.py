"""How random video files are made: everything that a seed decides."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction

RATES = [Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(10), Fraction(24000, 1001)]


@dataclass(frozen=True)
class Recipe:
    """How one file is made.

    Attributes:
        ending: of the file's name; it chooses the container.
        options: of the encoder.
        mux: options of the container's writer.
        forced: pictures that are made key frames.
        offset: ticks (frames) that the first picture is late.
        uneven: seed of uneven times, None for even ones.
        change: what is done to the finished file: "", "late" (a copy without the first packets), "edit" (an edit list),
            "edits" (several), "joined" (the file twice, one after the other).
    """

    codec: str
    ending: str
    count: int
    gop: int
    b_frames: int = 0
    options: dict[str, str] = field(default_factory=dict)
    mux: dict[str, str] = field(default_factory=dict)
    forced: tuple[int, ...] = ()
    rate: Fraction = Fraction(25)
    offset: int = 0
    uneven: int | None = None
    change: str = ""
    seed: int = 0

    @property
    def refreshes(self) -> bool:
        """Whether pictures are renewed part by part instead of by key frames."""
        return "intra-refresh=1" in self.options.get("x264-params", "")

    @property
    def key_interval(self) -> int:
        """With gradual refresh: pictures from the beginning of one to the next."""
        return max(self.gop, 2)


def recipe(seed: int) -> Recipe:
    """The seed's recipe."""
    rng = random.Random(seed)
    codec, endings = rng.choice(_CODECS)
    ending = rng.choice(endings)
    count, gop = rng.choice([1, 2, 3, 17, 33, 48, 60]), rng.choice([1, 2, 5, 9, 12, 25, 250])
    b_frames = (
        rng.choice([0, 0, 1, 2, 3]) if codec in ("libx264", "libx265", "mpeg4", "mpeg2video", "mpeg1video") else 0
    )
    if codec in ("mpeg2video", "mpeg1video"):
        b_frames = min(b_frames, 2)
    options = _encoder(rng, codec, gop, b_frames)
    mux: dict[str, str] = {}
    change = ""
    if ending in (".mp4", ".mov"):
        kind = rng.choice(["plain", "plain", "front", "fragments", "every", "no edit list", "negative"])
        mux = _MP4[kind]
        if kind == "plain":
            change = rng.choice(["", "", "edit", "edit", "edits", "" if codec == "libsvtav1" else "late"])
    elif ending == ".ts":
        change = rng.choice(["", "", "late", "joined"])
    elif ending in (".mkv", ".webm", ".mpg") and codec != "libsvtav1":
        change = rng.choice(["", "", "late"])
    if codec == "libsvtav1" or ending == ".ts":  # a transport stream of a few packets is not recognised
        count = max(count, 17)
    if codec == "libx265" and b_frames:  # of fewer pictures than it reorders, x265 does not set the decoding times
        count = max(count, 3)
    timed = ending in (".mp4", ".mov", ".mkv", ".webm", ".ts") and codec in _TIMED_CODECS
    return Recipe(
        codec, ending, count, gop, b_frames, options, mux,
        forced=tuple(sorted(rng.sample(range(count), min(count, rng.choice([0, 0, 1, 3]))))),
        rate=Fraction(25) if codec in ("mpeg2video", "mpeg1video") else rng.choice(RATES),
        offset=rng.choice([0, 0, 3, 100]) if timed else 0,
        uneven=seed if timed and rng.random() < 0.2 else None, change=change, seed=seed,
    )  # fmt: skip


_MP4: dict[str, dict[str, str]] = {
    "plain": {},
    "front": {"movflags": "+faststart"},
    "fragments": {"movflags": "+frag_keyframe+empty_moov"},
    "every": {"movflags": "+frag_every_frame+empty_moov+default_base_moof"},
    "no edit list": {"use_editlist": "0"},
    "negative": {"movflags": "+negative_cts_offsets"},
}
_TIMED_CODECS = ("libx264", "libx265", "libvpx", "libvpx-vp9", "mjpeg")
_X265 = ["min-keyint=1", "log-level=none", "pools=none", "frame-threads=1", "wpp=0", "rc-lookahead=8"]
_CODECS: list[tuple[str, list[str]]] = [
    ("libx264", [".mp4", ".mp4", ".mp4", ".mov", ".mkv", ".ts", ".ts", ".avi", ".flv"]),
    ("libx264", [".mp4", ".mp4", ".mp4", ".mov", ".mkv", ".ts", ".ts", ".avi", ".flv"]),
    ("libx264", [".mp4", ".mp4", ".mp4", ".mov", ".mkv", ".ts", ".ts", ".avi", ".flv"]),
    ("libx265", [".mp4", ".mp4", ".mkv", ".ts"]),
    ("libx265", [".mp4", ".mp4", ".mkv", ".ts"]),
    ("mpeg2video", [".ts", ".mpg", ".mkv", ".mp4", ".avi"]),
    ("mpeg1video", [".mpg", ".mkv"]),
    ("mpeg4", [".mp4", ".avi", ".mkv", ".ts"]),
    ("libvpx", [".webm", ".mkv"]),
    ("libvpx-vp9", [".webm", ".mkv", ".mp4"]),
    ("libsvtav1", [".mp4", ".mkv"]),
    ("mjpeg", [".avi", ".mov", ".mkv"]),
    ("flv", [".flv", ".avi"]),
    ("wmv2", [".wmv", ".avi"]),
]


def _encoder(rng: random.Random, codec: str, gop: int, b_frames: int) -> dict[str, str]:
    if codec == "libx264":
        options = {"preset": "ultrafast", "crf": "18", "threads": "1", "bf": str(b_frames)}
        kind = rng.choice(["closed", "open", "open", "refresh", "pyramid"])
        extra = {"closed": "", "open": "open-gop=1", "refresh": "intra-refresh=1", "pyramid": "b-pyramid=strict"}[kind]
        keyint = max(gop, 2) if kind == "refresh" else gop
        cuts, reach = rng.choice([0, 40]), rng.choice([1, 3])
        params = [f"keyint={keyint}", "min-keyint=1", f"scenecut={cuts}", f"ref={reach}", extra]
        if kind == "refresh":
            options["bf"] = "0"
        return options | {"x264-params": ":".join(filter(None, params))}
    if codec == "libx265":
        opened, pyramid = rng.choice([0, 1, 1]), rng.choice([0, 1])
        params = [f"keyint={gop}", f"bframes={b_frames}", f"open-gop={opened}", f"b-pyramid={pyramid}", *_X265]
        if b_frames and rng.random() < 0.3:
            params.append("radl=1")
        return {"preset": "ultrafast", "crf": "18", "x265-params": ":".join(params)}
    if codec in ("libvpx", "libvpx-vp9"):
        return {"deadline": "realtime" if rng.random() < 0.5 else "good", "cpu-used": "8", "b": "400k", "threads": "1",
                "auto-alt-ref": rng.choice(["0", "1"]), "lag-in-frames": rng.choice(["0", "8"])}  # fmt: skip
    if codec == "libsvtav1":
        # The faster presets, from 10 on, mix pictures so that they cannot be told apart any more.
        return {"preset": "8", "crf": "25", "svtav1-params": "lp=1"}
    options = {"qscale": "3", "b": "2M", "threads": "1"}
    if codec == "mpeg2video" and rng.random() < 0.3:
        options["flags"] = "+cgop"
        options["sc_threshold"] = "1000000000"
    return options
