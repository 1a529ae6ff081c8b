"""``stvg ground``: one video, one or more sentences, one JSON object for each on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from pydantic import SecretStr
from tqdm import tqdm

from backend.cli.method_options import method_options
from backend.settings import MethodSettings, load_method_settings
from stvg_core.datasets.base import UNUSABLE, are_shares, decimal, load_json, whole
from stvg_core.errors import StvgError
from stvg_core.tube import Grounding, Track, VideoInfo

if TYPE_CHECKING:
    from stvg_core.pipeline import Grounder  # torch is heavy
    from stvg_core.proposals.following import DrawnBox

Progress = Callable[[float, str], None]


@click.command()
@click.argument("video", type=click.Path(path_type=Path))
@click.option(
    "--query",
    "queries",
    required=True,
    multiple=True,
    help="One sentence naming one object, e.g. 'the man in red who sits down'. Repeat it for more sentences: what does "
    "not depend on the sentence is done once.",
)
@click.option("--model", help="Local folder or hub id of a multimodal model.  [STVG_MODEL, else the embedded one]")
@click.option("--device", help="cpu, cuda, cuda:1 ..., auto for all GPUs.  [STVG_DEVICE, else a GPU if there is one]")
@method_options
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16", "float16", "4bit"]))
@click.option("--proposer", type=click.Choice(["embedded", "grounding_dino"]), help="Where candidate tracks come from.")
@click.option("--decomposer", type=click.Choice(["model", "endpoint", "rules"]), help="Who splits the sentence.")
@click.option(
    "--locator", type=click.Choice(["attention", "speak", "marks", "pick"]), help="Who says which object, and when."
)
@click.option("--llm-url", help="OpenAI-compatible address for --locator and --decomposer endpoint.  [STVG_LLM_URL]")
@click.option("--llm-model", help="Name of the model there.  [STVG_LLM_MODEL]")
@click.option("--llm-key", help="Its key; better set as STVG_LLM_KEY than typed.")
@click.option("--overlay", type=click.Path(path_type=Path, dir_okay=False), help="Write the video with the tube drawn.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write a picture of the scores and maps.")
@click.option(
    "--tracks", type=click.Path(path_type=Path, dir_okay=False),
    help='Candidates instead of proposals: JSON [{"frames": [0, 9], "boxes": [[x1, y1, x2, y2], ...]}], in pixels.',
)  # fmt: skip
@click.option("--box", help="x1,y1,x2,y2 in pixels: follow the object in this box, drawn on the frame of --frame.")
@click.option("--frame", type=click.IntRange(min=0), help="The frame of --box, counted from 0.")
@click.option("--segment", metavar="FIRST,LAST", help="Look at these frames alone, both ends included, from 0.")
def command(
    video: Path, queries: tuple[str, ...], model: str | None, device: str | None, overlay: Path | None,
    plot: Path | None, tracks: Path | None, box: str | None, frame: int | None, llm_url: str | None,
    llm_key: str | None, llm_model: str | None, segment: str | None, preset: str | None,
    assignments: tuple[str, ...], **method: str | None,
) -> None:  # fmt: skip
    """Find the tube that each QUERY describes in VIDEO and print it as one JSON object, one per line.

    Frames count from 0 and both ends are included; boxes are x1, y1, x2, y2 in pixels, one per frame of the tube.
    """
    if len(queries) > 1 and (overlay or plot or tracks):
        raise StvgError("--overlay, --plot and --tracks belong to one sentence; give one --query with them.")
    if (box is None) != (frame is None):
        raise StvgError("--box and --frame belong together: the box, and the frame on which it is drawn.")
    if box is not None and (tracks or len(queries) > 1):
        raise StvgError("--box is for one sentence and goes without --tracks.")
    if box is not None and segment is not None:
        raise StvgError("--box is followed through the whole video: it goes without --segment.")
    _check_outputs(video, overlay, plot)
    settings = read_settings(model, device, preset, assignments, method, llm_url, llm_key, llm_model)
    from stvg_core.query import normalise_query
    from stvg_core.video import probe

    # Mistakes in the input are said at once, before a large model is loaded.
    for query in queries:
        normalise_query(query)
    info = probe(video)
    given = None if tracks is None else read_tracks(tracks, info.width, info.height)
    drawn = None if box is None or frame is None else read_box(box, frame, info)
    within: dict[str, Any] = {} if segment is None else {"segment": read_segment(segment, info)}
    with progress_bar(extra=overlay is not None) as report:
        grounder = _load(settings, given is None)
        if drawn is not None:
            answers = [grounder.follow(video, queries[0], drawn, progress=report)]
        elif given is None:
            answers = grounder.ground_many(video, queries, progress=report, **within)
        else:
            answers = [grounder.ground(video, queries[0], tracks=given, progress=report, **within)]
        failed = _draw(answers[0], overlay, plot, report)
    for said in dict.fromkeys(warning for found in answers for warning in found.warnings):
        click.echo(f"warning: {said}", err=True)
    for found in answers:
        click.echo(json.dumps(found.to_json(), ensure_ascii=not _writes_utf8(), allow_nan=False))
    if failed is not None:
        raise failed


def _writes_utf8() -> bool:
    """Is stdout UTF-8? Else JSON keeps to ASCII, which every encoding has."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _check_outputs(video: Path, overlay: Path | None, plot: Path | None) -> None:
    """Raises StvgError for a file that could not be written, or that would take the place of another."""
    from stvg_core.drawing.outputs import check_writable

    outputs = [out for out in (overlay, plot) if out is not None]
    for out in outputs:
        check_writable(out)
    places = [video.resolve(), *(out.resolve() for out in outputs)]
    if len(set(places)) < len(places):
        raise StvgError("--overlay and --plot write files of their own: name other ones than the video and each other.")


def _draw(found: Grounding, overlay: Path | None, plot: Path | None, report: Progress) -> StvgError | None:
    """Write what was asked for. An error is given back, so that the answer itself is printed first."""
    from stvg_core.drawing import write_overlay, write_plot

    try:
        if overlay is not None:
            write_overlay(found, overlay, report)
        if plot is not None:
            write_plot(found, plot)
    except StvgError as error:
        return error
    return None


def read_settings(
    model: str | None, device: str | None, preset: str | None, assignments: tuple[str, ...],
    options: dict[str, str | None], llm_url: str | None = None, llm_key: str | None = None,
    llm_model: str | None = None,
) -> MethodSettings:  # fmt: skip
    """What the command line says, over the environment. Raises StvgError for what cannot be used."""
    settings = load_method_settings()
    given = {"model": model, "device": device, "llm_url": llm_url, "llm_key": llm_key and SecretStr(llm_key)}
    given["llm_model"] = llm_model
    settings = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    chosen = {name: value for name, value in options.items() if value is not None}
    settings = settings.with_line(preset, assignments, chosen)
    settings.chosen()
    return settings


def _load(settings: MethodSettings, searched: bool) -> Grounder:
    """The model with its own preset and what was chosen over it; ``searched``: candidates are looked for."""
    import transformers

    from backend.bootstrap import method_settings, open_chat, open_grounder

    transformers.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        transformers.logging.disable_progress_bar()
    grounder = open_grounder(settings, open_chat(settings, method_settings(settings)))
    if searched:
        grounder.proposer.load()  # what is wrong with it is said before the video is read
    return grounder


def read_tracks(path: Path, width: int, height: int) -> list[Track]:
    """Tracks from a JSON file in pixels. Raises StvgError saying which track is wrong."""
    content = load_json(path)
    if not isinstance(content, list):
        raise StvgError(f"{path} must hold a list of tracks.")
    found = []
    for number, item in enumerate(content, start=1):
        try:
            found.append(_track(item, (width, height)))
        except UNUSABLE as error:
            raise StvgError(f"{path}: track {number} has no usable frames and boxes ({error}).") from error
    return found


def _track(item: Any, size: tuple[int, int]) -> Track:
    """Raises one of UNUSABLE."""
    frames = np.array([whole(frame) for frame in item["frames"]], dtype=np.int64)
    boxes = np.array([[decimal(side) for side in box] for box in item["boxes"]], dtype=np.float64)
    if boxes.shape == (len(frames), 4) and len(frames):
        inside = boxes.clip(0.0, (*size, *size))
        if frames.min() < 0:
            raise ValueError("frames count from 0")
        if are_shares(boxes, size):
            raise ValueError("its boxes are shares of the picture, and pixels are expected")
        if (inside[:, 2:] <= inside[:, :2]).any():
            raise ValueError("a box x1, y1, x2, y2 has no size in the picture")
    return Track(frames, (boxes / (*size, *size)).clip(0.0, 1.0), decimal(item.get("score", 1.0)), "file")


def read_box(text: str, frame: int, info: VideoInfo) -> DrawnBox:
    """The drawn box from ``x1,y1,x2,y2`` in pixels. Raises StvgError saying what is wrong with it."""
    from stvg_core.proposals.following import DrawnBox

    try:
        corners = np.array([float(part) for part in text.split(",")])
    except ValueError:
        corners = np.zeros(0)
    if corners.shape != (4,):
        raise StvgError(f'--box needs four numbers, x1,y1,x2,y2 in pixels, got "{text}".')
    drawn = DrawnBox(frame, corners / [info.width, info.height, info.width, info.height])
    drawn.check(info)
    return drawn


def read_segment(text: str, info: VideoInfo) -> tuple[int, int]:
    """First and last frame from ``FIRST,LAST``. Raises StvgError where those are no frames of the video in order."""
    from stvg_core.segment import check_segment

    try:
        frames = [int(part) for part in text.split(",")]
    except ValueError:
        frames = []
    if len(frames) != 2:
        raise StvgError(f'--segment needs two frames, FIRST,LAST, got "{text}".')
    return check_segment(frames, info)


@contextmanager
def progress_bar(*, extra: bool) -> Iterator[Progress]:
    """A bar on stderr where that is a terminal, silence elsewhere; drawing the overlay counts as the second half."""
    with tqdm(total=100, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False, bar_format=_BAR) as bar:

        def report(share: float, stage: str) -> None:
            whole = share if not extra else (0.5 + share / 2 if stage == "overlay" else share / 2)
            bar.set_description_str(stage, refresh=False)
            bar.n = max(bar.n, min(100, round(100 * whole)))
            bar.refresh()

        yield report


_BAR = "{desc:<10} {percentage:3.0f}% |{bar}| {elapsed}"
