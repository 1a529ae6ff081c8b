"""What do the rows come to? The figures of a benchmark, beside the paper's, as plain numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.benchmarking.paper_figures import DECLARATIVE, INTERROGATIVE, METRICS, SOURCE, Published, is_of, published
from backend.benchmarking.record_rows import FAILED, MISSING, NO_TUBE, SCORED, Row
from stvg_core.evaluation.compare import Comparison
from stvg_core.evaluation.protocols import Protocol
from stvg_core.evaluation.summary import METRICS as ALL
from stvg_core.evaluation.summary import Mean, means

_KINDS = (DECLARATIVE, INTERROGATIVE)


@dataclass(frozen=True)
class Line:
    """One line of the table: our means over ``n`` sentences in percent, and the paper's rows for the same sentences.

    Attributes:
        what: the dataset, with the kind of sentence where it has kinds.
    """

    what: str
    n: int
    means: dict[str, Mean]
    paper: tuple[Published, ...]


@dataclass(frozen=True)
class Result:
    """All that a report says.

    Attributes:
        dataset, split, limit: what was asked for; ``of``: how many sentences the dataset (of that split) has.
        unusable: records of the file that no truth could be made of, which are in no mean.
        model, model_version, settings, made_with: what answered.
        rows: one for each sentence.
    """

    dataset: str
    split: str | None
    limit: int | None
    of: int
    unusable: int
    model: str
    model_version: str
    settings: dict[str, Any]
    made_with: dict[str, str]
    protocol: Protocol
    rows: Sequence[Row] = field(repr=False)

    def comparison(self, rows: Sequence[Row] | None = None, protocol: Protocol | None = None) -> Comparison:
        """As the evaluation has it, under the benchmark's own protocol unless another one is named."""
        chosen = protocol or self.protocol
        return Comparison(chosen, [one.sample(chosen) for one in (self.rows if rows is None else rows)], 0, 0)

    def lines(self, protocol: Protocol | None = None) -> list[Line]:
        """The table: of VidSTG a line for each kind of sentence, as in the paper."""
        kinds: list[str | None] = [kind for kind in _KINDS if any(one.record.truth.kind == kind for one in self.rows)]
        found = []
        for kind in kinds or [None]:
            rows = [one for one in self.rows if kind is None or one.record.truth.kind == kind]
            what = self.dataset if kind is None else f"{self.dataset}, {kind}"
            found.append(
                Line(what, len(rows), means(self.comparison(rows, protocol).samples), published(self.dataset, kind))
            )
        return found

    def counts(self) -> dict[str, int]:
        """Sentences by what became of them."""
        found = Counter(one.state for one in self.rows)
        return {state: found[state] for state in (SCORED, NO_TUBE, FAILED, MISSING)}

    def reasons(self) -> dict[str, int]:
        """Why sentences have no answer, the most frequent reason first."""
        return dict(Counter(one.reason for one in self.rows if one.state in (FAILED, MISSING)).most_common())

    def seconds(self) -> tuple[float, float] | None:
        """Mean seconds of a sentence and of a video with all of its sentences; None where nothing was timed."""
        timed = [(one.record.truth.key[0], one.seconds) for one in self.rows if one.seconds is not None]
        whole = sum(seconds for _, seconds in timed)
        return (whole / len(timed), whole / len({video for video, _ in timed})) if timed else None

    def doubts(self) -> list[str]:
        """What makes the figures another thing than they seem."""
        said = []
        if len(self.rows) < self.of:
            said.append(f"These are {len(self.rows)} of {self.of} sentences; the paper's figures are over all.")
        if self.unusable:
            said.append(f"{self.unusable} more records of the file have no usable truth and are in no mean.")
        read = [one for one in self.rows if one.size is not None]
        frames = sum(one.n_frames != one.record.truth.n_frames for one in read)
        if frames:
            said.append(
                f"{frames} of {len(read)} sentences are on a video with another number of frames than the annotations "
                "say: where its frames are other ones, its scores are wrong."
            )
        shape = sum(not _alike(one.size, one.record.truth.size) for one in read)
        if shape:
            said.append(f"{shape} of {len(read)} sentences are on a video of another shape than the annotations say.")
        fewer = sum(one.slots is not None for one in self.rows)
        if fewer:
            said.append(
                f"{fewer} of {len(self.rows)} sentences were answered with fewer frames than the settings say: the "
                "memory of the GPU did not suffice."
            )
        return said

    def to_json(self) -> dict[str, Any]:
        """Everything but the rows."""
        seconds = self.seconds()
        return {
            "dataset": self.dataset, "split": self.split, "limit": self.limit, "sentences": len(self.rows),
            "sentences_in_dataset": self.of, "unusable_records": self.unusable, "model": self.model,
            "model_version": self.model_version, "settings_digest": self.model_version.rpartition("/")[2],
            "settings": self.settings, "made_with": self.made_with, "protocol": str(self.protocol), **self.counts(),
            "table": {line.what: self._line(line) for line in self.lines()},
            "other_protocols": {
                str(other): {line.what: _means(line) for line in self.lines(other)}
                for other in Protocol if other is not self.protocol
            },
            "seconds_per_sentence": None if seconds is None else round(seconds[0], 3),
            "seconds_per_video": None if seconds is None else round(seconds[1], 3),
            "reasons": self.reasons(), "doubts": self.doubts(),
        }  # fmt: skip

    def _line(self, line: Line) -> dict[str, Any]:
        paper = [
            {"model": row.model, "same_name": is_of(row, self.model), **dict(zip(METRICS, row.figures, strict=True))}
            for row in line.paper
        ]
        return {"sentences": line.n, "ours": _means(line), "paper_percent": paper, "paper_source": paper and SOURCE}


def _means(line: Line) -> dict[str, Any]:
    return {
        name: {"mean": round(one.value, 6), "low": _rounded(one.low), "high": _rounded(one.high)}
        for name in ALL
        for one in [line.means[name]]
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _alike(one: tuple[int, int] | None, other: tuple[int, int]) -> bool:
    """The same shape: boxes are shares of the picture, so that its size does not matter."""
    return one is None or abs(one[0] / one[1] - other[0] / other[1]) < 0.02 * other[0] / other[1]
