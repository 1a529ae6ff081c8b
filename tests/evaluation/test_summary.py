"""Means, intervals and groups; the table, the JSON and the pictures made from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stvg_core.datasets.base import DatasetError
from stvg_core.evaluation.compare import Comparison, Sample, compare
from stvg_core.evaluation.plots import write_plots
from stvg_core.evaluation.protocols import Protocol, Scores
from stvg_core.evaluation.report import as_json, table
from stvg_core.evaluation.samples import Truth
from stvg_core.evaluation.summary import METRICS, breakdown, means
from stvg_core.tube import Tube
from tests.evaluation.many import made_up


def a_sample(viou: float, *, video: str = "a", length: int = 10) -> Sample:
    truth = Truth.of_tube(
        video, "x", Tube(0, np.tile([0.0, 0.0, 0.5, 0.5], (length, 1))), size=(200, 100), fps=25.0, n_frames=500
    )
    return Sample(truth, Scores(viou, viou, viou), "scored")


def test_viou_at_r_is_strictly_above() -> None:
    found = means([a_sample(v) for v in (0.3, 0.300001, 0.5, 0.51)])
    assert (found["vIoU@0.3"].value, found["vIoU@0.5"].value) == (0.75, 0.25)
    assert found["m_vIoU"].value == pytest.approx(0.40250025)


def test_missing_predictions_lower_every_mean() -> None:
    truths, predictions = made_up(60)
    comparison = compare(Protocol.CGSTVG, truths, predictions)
    scored = [sample for sample in comparison.samples if sample.state == "scored"]
    everything, only = means(comparison.samples), means(scored)
    for name in METRICS:
        assert everything[name].value == pytest.approx(only[name].value * len(scored) / 60)


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    """50 draws of 60 videos with 2 sentences of equal score: drawing sentences would make the interval too narrow."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(50):
        values = rng.uniform(0, 1, 60)
        samples = [a_sample(float(value), video=f"v{k}") for k, value in enumerate(values) for _ in range(2)]
        mean = means(samples)["m_vIoU"]
        assert mean.low is not None and mean.high is not None and mean.low < mean.value < mean.high
        covered += mean.low <= 0.5 <= mean.high
    assert 43 <= covered <= 50


def test_one_video_gives_no_interval() -> None:
    found = means([a_sample(0.2), a_sample(0.4)])["m_vIoU"]
    assert (found.value, found.low, found.high) == (pytest.approx(0.3), None, None)


def test_groups_hold_every_sentence_once_and_ordered_values_in_order() -> None:
    truths, predictions = made_up(60)
    samples = compare(Protocol.HCSTVG, truths, predictions).samples
    groups = breakdown(samples)
    for attribute in ("sentence", "object", "tube length", "box size", "objects in video"):
        of_it = [group for group in groups if group.attribute == attribute]
        assert sum(group.n for group in of_it) == 60, attribute
        total = sum(group.n * group.means["m_vIoU"].value for group in of_it) / 60
        assert total == pytest.approx(means(samples)["m_vIoU"].value)
    lengths = [group for group in groups if group.attribute == "tube length"]
    assert [group.value.split()[0] for group in lengths] == ["short", "medium", "long"]
    assert all(19 <= group.n <= 21 for group in lengths)  # equal lengths stay together
    assert [g.value for g in groups if g.attribute == "objects in video"] == ["1 or 2", "3 to 5", "6 or more"]
    counts = [group.n for group in groups if group.attribute == "object"]
    assert counts == sorted(counts, reverse=True)


def test_an_attribute_with_one_value_or_none_makes_no_groups() -> None:
    assert breakdown([a_sample(0.1), a_sample(0.2, video="b")]) == []


def a_comparison(n: int = 60) -> Comparison:
    return compare(Protocol.CGSTVG, *made_up(n))


def test_the_table_says_what_was_missing() -> None:
    text = table(a_comparison())
    assert "protocol cgstvg, 60 sentences" in text
    assert "without a prediction, counted 0: 6" in text
    assert "predicted without a tube, counted 0: 2" in text
    assert "and 1 more, see --json" in text  # 13 classes, 12 shown
    value = means(a_comparison().samples)["m_vIoU"]
    assert f"m_vIoU      {value.value:8.4f}   {value.low:.4f} to {value.high:.4f}" in text
    assert len({len(line) for line in text.splitlines() if line.startswith("  ") and "0." in line}) <= 2  # aligned


def test_the_json_holds_every_sentence() -> None:
    found = json.loads(json.dumps(as_json(a_comparison()), allow_nan=False))
    assert (found["sentences"], found["videos"], found["missing"], found["no_tube"]) == (60, 20, 6, 2)
    assert np.mean([sample["vIoU"] for sample in found["samples"]]) == pytest.approx(
        found["means"]["m_vIoU"]["mean"], abs=1e-5
    )
    assert len([group for group in found["groups"] if group["attribute"] == "object"]) == 13


def test_the_pictures_are_pictures(tmp_path: Path) -> None:
    written = write_plots(a_comparison(30), tmp_path / "new" / "plots")
    assert [path.name for path in written] == ["viou_histogram.png", "tiou_by_length.png", "breakdown.png"]
    for path in written:
        with Image.open(path) as picture:
            assert picture.width == 900 and picture.height > 400
            colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
            assert np.abs(colours.astype(int) - (216, 27, 96)).sum(axis=1).min() < 12, "the mean is not drawn"


@pytest.mark.parametrize("n", [1, 2])
def test_few_sentences_still_make_a_page(tmp_path: Path, n: int) -> None:
    comparison = a_comparison(n)
    assert write_plots(comparison, tmp_path) and table(comparison)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot be written"):
        write_plots(a_comparison(3), tmp_path / "file" / "plots")
