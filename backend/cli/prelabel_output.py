"""What does a run say? A bar and sentences in a terminal; JSON lines for a program and for a log."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TextIO

import click
from tqdm import tqdm

from backend.prelabel.checking import DryRun
from backend.prelabel.item import Note, Problem, Repeated
from backend.runs.enqueue import Enqueued
from backend.runs.summary import Summary
from backend.runs.watch import Standing
from stvg_core.errors import StvgError
from stvg_core.text import printable

EVERY_S = 5.0
"""Between two JSON lines that say the same kind of thing."""
_NAMED = 20
"""Problems that a terminal shows; the file has all."""

_BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}{postfix}"

Telling = Problem | Note | Repeated


class Output(Protocol):
    """Where everything goes that a run has to say."""

    def note(self, said: str) -> None: ...
    def left_out_file(self, path: Path) -> None:
        """From now on, records that are left out are written there too."""
        ...

    def found(self, said: Telling) -> None: ...
    def reading(self, items: int) -> None: ...
    def looking(self, done: int, of: int) -> None: ...
    def queued(self, queued: Enqueued, project: str) -> None: ...
    def standing(self, standing: Standing) -> None: ...
    def summary(self, summary: Summary, file: Path) -> None: ...
    def dry_run(self, result: DryRun) -> None: ...
    def close(self) -> None: ...


class _LeftOut:
    """The list of what was left out, one JSON object on a line; no file where nothing was.

    Raises:
        StvgError: it cannot be written.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file: TextIO | None = None

    def start(self, path: Path) -> None:
        self._path = path
        with _in_words(path):
            path.unlink(missing_ok=True)

    def add(self, problem: Problem) -> None:
        if self._path is None:
            return
        with _in_words(self._path):
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8")
            self._file.write(json.dumps(_problem(problem), ensure_ascii=True) + "\n")

    def close(self) -> Path | None:
        if self._file is None or self._path is None:
            return None
        file, self._file = self._file, None
        with _in_words(self._path):
            file.close()
        return self._path


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StvgError(f"{path} cannot be written: {error.strerror}.") from None


class JsonLines:
    """One JSON object on a line of standard output, each with its ``event``."""

    def __init__(self, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock, self._out = every_s, clock, sys.stdout  # which later may be given to others
        self._said: dict[str, float] = {}
        self._last: Standing | None = None
        self._left_out = _LeftOut()

    def note(self, said: str) -> None:
        self._line("note", said=said)

    def left_out_file(self, path: Path) -> None:
        self._left_out.start(path)

    def found(self, said: Telling) -> None:
        if isinstance(said, Problem):
            self._left_out.add(said)
            self._line("left out", **_problem(said))
        elif isinstance(said, Note):
            self._line("note", where=said.where, said=said.said)

    def reading(self, items: int) -> None:
        if self._due("reading"):
            self._line("reading", items=items)

    def looking(self, done: int, of: int) -> None:
        if self._due("looking") or done == of:
            self._line("looking", videos=done, of=of)

    def queued(self, queued: Enqueued, project: str) -> None:
        self._line("queued", project=project, items=queued.items, new=queued.queued, tried_again=queued.again)

    def standing(self, standing: Standing) -> None:
        last, self._last = self._last, standing
        news = last is None or standing.failed > last.failed or (not standing.open and standing != last)
        if self._due("progress") or news:
            self._line("progress", **{name: _short(value) for name, value in asdict(standing).items()})

    def summary(self, summary: Summary, file: Path) -> None:
        self._line("summary", **summary.to_json(), file=str(file))

    def dry_run(self, result: DryRun) -> None:
        self._line("dry run", **result.to_json())

    def close(self) -> None:
        self._left_out.close()

    def _due(self, event: str) -> bool:
        now = self._clock()
        due = now - self._said.get(event, float("-inf")) >= self._every_s
        if due:
            self._said[event] = now
        return due

    def _line(self, event: str, **values: Any) -> None:
        click.echo(printable(json.dumps({"event": event, **values}, ensure_ascii=False)), self._out)


class Terminal:
    """A bar on standard error, sentences beside it; the end on standard output."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._out = sys.stdout
        self._problems = 0
        self._left_out = _LeftOut()

    def note(self, said: str) -> None:
        self._say(f"- {said}")

    def left_out_file(self, path: Path) -> None:
        self._left_out.start(path)

    def found(self, said: Telling) -> None:
        if isinstance(said, Problem):
            self._left_out.add(said)
            self._problems += 1
            if self._problems <= _NAMED:
                self._say(f"left out: {said.where}: {said.said}")
        elif isinstance(said, Note):
            self._say(f"note: {said.where}: {said.said}")

    def reading(self, items: int) -> None:
        self._at("reading", items, None)

    def looking(self, done: int, of: int) -> None:
        self._at("looking", done, of)

    def queued(self, queued: Enqueued, project: str) -> None:
        self._end_bar()
        again = f", {queued.again} failed ones again" if queued.again else ""
        self._say(f"- {queued.items} sentences read, {queued.queued} new ones queued in {project}{again}")
        if path := self._left_out.close():
            more = f" Only {_NAMED} are shown." if self._problems > _NAMED else ""
            self._say(f"- {self._problems} records are left out; {path} lists them.{more}")

    def standing(self, standing: Standing) -> None:
        bar = self._at("grounding", standing.ended, standing.total)
        bar.set_postfix_str(_postfix(standing))

    def summary(self, summary: Summary, file: Path) -> None:
        self._end_bar()
        for sentence in summary.sentences():
            click.echo(printable(sentence), self._out)
        if summary.interrupted:
            click.echo("stopped; run it again to go on", self._out)
        click.echo(f"written: {click.format_filename(file)}", self._out)

    def dry_run(self, result: DryRun) -> None:
        self._end_bar()
        for sentence in dry_run_sentences(result):
            click.echo(sentence)

    def close(self) -> None:
        self._end_bar()
        self._left_out.close()

    def _at(self, what: str, done: int, total: int | None) -> tqdm:
        if self._bar is None or self._bar.desc != what:
            self._end_bar()
            form = "{desc} {n_fmt}" if total is None else _BAR
            self._bar = tqdm(desc=what, total=total, leave=False, dynamic_ncols=True, bar_format=form)
        self._bar.total, self._bar.n = total, done
        self._bar.refresh()
        return self._bar

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None

    def _say(self, said: str) -> None:
        with tqdm.external_write_mode():
            click.echo(printable(said), err=True)


def dry_run_sentences(result: DryRun) -> list[str]:
    """What a look before a run found, for a person."""
    each = ", ".join(f"{number} with {sentences}" for sentences, number in result.sentences_per_video.items())
    said = [f"{result.items} sentences on {result.videos} videos" + (f" ({each})" if result.videos else "")]
    if result.asked != result.items:
        said.append(f"{result.asked} of them would be grounded")
    for number, what in (
        (result.answered, "are answered already"),
        (result.ended, "failed or were cancelled before (--retry-failed tries the failed ones again)"),
        (result.beyond_limit, "new ones are left for another run (--limit)"),
    ):
        if number:
            said.append(f"{number} {what}")
    said += [f"{number} records cannot be used: {reason}" for reason, number in result.problems.items()]
    if result.repeated:
        said.append(f"{result.repeated} records repeat another one")
    if result.elsewhere:
        said.append(f"{result.elsewhere} sentences belong to other shares")
    said.append(
        f"{result.bytes_local / 1e6:.1f} MB of videos are here, {result.bytes_to_fetch / 1e6:.1f} MB are fetched"
    )
    if result.unknown_sizes:
        said.append(f"{result.unknown_sizes} videos more are fetched, of unknown size")
    if result.unseen:
        said.append(f"{result.unseen} videos could not be looked at before the run")
    if result.probed:
        said.append(f"{result.probed} videos were looked into: {result.video_s:.0f} s, {result.frames} frames")
    if result.estimate_s is None:
        said.append("how long it takes is not known: nothing was grounded with this model yet")
    else:
        said.append(f"that takes about {result.estimate_s:.0f} s, by what was grounded with this model before")
    return said


def _postfix(standing: Standing) -> str:
    """Rate, time left and failures behind the bar."""
    said = []
    if standing.rate is not None and standing.left_s is not None:
        said += [f"{standing.rate:.2f}/s", f"{tqdm.format_interval(standing.left_s)} left"]
    elif standing.open:
        said.append("the workers start" if not standing.running else "the first ones")
    said.append(f"{standing.failed} failed")
    return ", ".join(said)


def _problem(problem: Problem) -> dict[str, str]:
    return {"where": problem.where, "reason": problem.reason.value, "said": problem.said}


def _short(value: float | None) -> float | None:
    return round(value, 3) if isinstance(value, float) else value
