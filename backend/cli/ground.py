"""``stvg ground``: one sentence, one video, one JSON object on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from stvg_core.errors import StvgError
from stvg_core.tube import Track

Progress = Callable[[float, str], None]


@click.command()
@click.argument("video", type=click.Path(path_type=Path))
@click.option("--query", required=True, help="One sentence naming one object, e.g. 'the man in red who sits down'.")
@click.option("--model", help="Local folder or hub id of a multimodal model. Default: the embedded one.")
@click.option("--device", help="cpu, cuda, cuda:1 ... Default: a GPU where there is one.")
@click.option("--overlay", type=click.Path(path_type=Path, dir_okay=False), help="Write the video with the tube drawn.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write a picture of the scores and maps.")
@click.option(
    "--tracks", type=click.Path(path_type=Path, dir_okay=False),
    help='Candidates instead of proposals: JSON [{"frames": [0, 9], "boxes": [[x1, y1, x2, y2], ...]}], in pixels.',
)  # fmt: skip
def command(
    video: Path, query: str, model: str | None, device: str | None, overlay: Path | None, plot: Path | None,
    tracks: Path | None,
) -> None:  # fmt: skip
    """Find the tube that QUERY describes in VIDEO and print it as one JSON object.

    Frames count from 0 and both ends are included; boxes are x1, y1, x2, y2 in pixels, one per frame of the tube.
    """
    for out in (overlay, plot):
        if out is not None and not out.absolute().parent.is_dir():
            raise StvgError(f"There is no folder {out.parent} to write {out.name} to. Make it first.")
    from stvg_core.query import normalise_query
    from stvg_core.video import probe

    # Mistakes in the input are said at once, before a large model is loaded.
    normalise_query(query)
    info = probe(video)
    given = None if tracks is None else read_tracks(tracks, info.width, info.height)
    with progress_bar(extra=overlay is not None) as report:
        found = _load(model, device).ground(video, query, tracks=given, progress=report)
        from stvg_core.drawing import write_overlay, write_plot

        if overlay is not None:
            write_overlay(found, overlay, report)
        if plot is not None:
            write_plot(found, plot)
    click.echo(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False))


def _load(model: str | None, device: str | None):  # type: ignore[no-untyped-def]  # Grounder, imported late: torch is heavy
    import transformers

    from stvg_core.demo import MODEL_DIR
    from stvg_core.pipeline import Grounder

    transformers.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        transformers.logging.disable_progress_bar()
    return Grounder.from_pretrained(model or MODEL_DIR, device=device)


def read_tracks(path: Path, width: int, height: int) -> list[Track]:
    """Tracks from a JSON file in pixels. Raises StvgError saying which track is wrong."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StvgError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise StvgError(f"{path} is not a JSON file.") from error
    if not isinstance(content, list):
        raise StvgError(f"{path} must hold a list of tracks.")
    size = np.array([width, height, width, height], dtype=np.float64)
    found = []
    for number, item in enumerate(content):
        try:
            boxes = (np.asarray(item["boxes"], dtype=np.float64) / size).clip(0.0, 1.0)
            found.append(Track(np.asarray(item["frames"]), boxes, float(item.get("score", 1.0)), "file"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StvgError(f"{path}: track {number} has no usable frames and boxes ({error}).") from error
    return found


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
