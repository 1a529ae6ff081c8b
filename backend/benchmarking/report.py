"""The report's folder: report.md with the table, plots, rows.csv with every row, summary.json."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from backend.benchmarking.paper_figures import METRICS, SOURCE, is_of
from backend.benchmarking.record_rows import FAILED, MISSING, NO_TUBE, Row
from backend.benchmarking.result import Line, Result
from backend.runs.summary import write_json
from stvg_core.errors import StvgError
from stvg_core.evaluation.protocols import Protocol
from stvg_core.evaluation.summary import METRICS as ALL
from stvg_core.evaluation.summary import Mean
from stvg_core.notice import notice
from stvg_core.text import printable

_COLUMNS = (
    "name", "video", "sentence", "kind", "segment_first", "segment_last", "state", "reason", "tIoU", "vIoU", "gt_vIoU",
    "true_first", "true_last", "found_first", "found_last", "score", "seconds", "fewer_slots", "model_version",
)  # fmt: skip
_REASONS = 20


def write_report(result: Result, folder: Path, command: str) -> list[Path]:
    """Write everything; returns the files, the report first.

    Args:
        command: how it was asked for, to be written down.

    Raises:
        StvgError: a file cannot be written.
    """
    from stvg_core.evaluation.plots import write_plots  # matplotlib is slow to import

    plots = write_plots(result.comparison(), folder)
    report, rows, summary = folder / "report.md", folder / "rows.csv", folder / "summary.json"
    _write(rows, rows_csv(result))
    write_json(summary, result.to_json() | {"command": command})
    _write(report, "\n".join(report_lines(result, command, [path.name for path in plots])) + "\n")
    return [report, rows, summary, *plots]


def table_lines(result: Result, protocol: Protocol | None = None) -> Iterator[str]:
    """The table in Markdown, in percent: our row and, beside it, the paper's."""
    yield "| | sentences | " + " | ".join(ALL) + " |"
    yield "|---|---|" + "---|" * len(ALL)
    for line in result.lines(protocol):
        ours = " | ".join(f"{100 * line.means[name].value:.1f}" for name in ALL)
        yield f"| **{line.what}**, {printable(result.model)} | {line.n} | {ours} |"
        if protocol is None:
            yield from _paper(result, line)


def _paper(result: Result, line: Line) -> Iterator[str]:
    for row in line.paper:
        figures = dict(zip(METRICS, row.figures, strict=True))
        shown = " | ".join(f"{figures[name]:.1f}" if name in figures else "-" for name in ALL)
        same = " (this model, by its name)" if is_of(row, result.model) else ""
        yield f"| paper, {row.model}{same} | all | {shown} |"


def head_lines(result: Result) -> Iterator[str]:
    """What a person must know with the table."""
    counts = result.counts()
    without = counts[FAILED] + counts[MISSING] + counts[NO_TUBE]
    yield (
        f"{len(result.rows)} sentences under the protocol {result.protocol}; {without} count 0: {counts[FAILED]} "
        f"failed, {counts[MISSING]} without a usable video or sentence, {counts[NO_TUBE]} in which no object was found."
    )
    yield from result.doubts()
    if said := notice(result.model_version):
        yield said
    if any(line.paper for line in result.lines()):
        yield f"The paper's figures: {SOURCE}. By which public protocol they were measured is not known to us."


def report_lines(result: Result, command: str, plots: list[str]) -> Iterator[str]:
    """The whole report in Markdown."""
    yield from (f"# Benchmark: {result.dataset}", "", f"`{printable(command)}`", "")
    for said in head_lines(result):
        yield from (said, "")
    yield from table_lines(result)
    yield ""
    yield from (f"![{name}]({name})" for name in plots)
    yield from ("", "## 95 % intervals", "", "Drawn over videos (bootstrap). In percent.", "")
    for line in result.lines():
        for name in ALL:
            one = line.means[name]
            yield f"- {line.what}, {name}: {100 * one.value:.1f} ({_span(one)})"
    yield from ("", "## Under the other protocols", "")
    for other in Protocol:
        if other is not result.protocol:
            yield from (f"`{other}`:", "", *table_lines(result, other), "")
    reasons = result.reasons()
    if reasons:
        yield from ("## Why sentences have no answer", "")
        yield from (f"- {number}: {printable(reason)}" for reason, number in list(reasons.items())[:_REASONS])
        if len(reasons) > _REASONS:
            yield f"- and {len(reasons) - _REASONS} more reasons, see rows.csv"
        yield ""
    yield from ("## Made with", "")
    seconds = result.seconds()
    if seconds is not None:
        yield f"- {seconds[0]:.2f} s a sentence, {seconds[1]:.2f} s a video with all of its sentences, in one worker"
    yield f"- model version `{result.model_version}`: the last part is the digest of the settings below"
    yield from (f"- {name}: {value}" for name, value in result.made_with.items())
    yield from ("", "| setting | |", "|---|---|")
    yield from (f"| `{name}` | {printable(str(value))} |" for name, value in result.settings.items())


def _span(one: Mean) -> str:
    return "-" if one.low is None or one.high is None else f"{100 * one.low:.1f} to {100 * one.high:.1f}"


def rows_csv(result: Result) -> str:
    """Every sentence's row, with all of its figures."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in result.rows:
        writer.writerow([printable(str(value)) for value in _cells(row, result)])
    return text.getvalue()


def _cells(row: Row, result: Result) -> Iterator[object]:
    truth, scores, found = row.record.truth, row.scores(result.protocol), row.prediction
    yield from (row.record.name, truth.video, truth.sentence, truth.kind or "", *truth.segment, row.state, row.reason)
    yield from (f"{value:.6f}" for value in (scores.tiou, scores.viou, scores.gt_viou))
    yield from (truth.first, truth.last)
    yield from ("", "") if found is None or found.first is None else (found.first, found.last)
    yield from ("" if value is None else f"{value:.6f}" for value in (row.score, row.seconds))
    yield "" if row.slots is None else row.slots
    yield "" if found is None else found.model_version


def _write(path: Path, text: str) -> None:
    """Whoever finds the file finds all of it."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StvgError(f"{path} cannot be written: {error.strerror or error}.") from None
