"""Every script runs from its command line to its Markdown row, at a size of seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import (
    attention_memory,
    gpu_7b,
    gradient_memory,
    lra_variants,
    many_queries,
    reading,
    reduced_precision,
    small_v,
    speed,
    ties,
)  # fmt: skip
from benchmarks.memory import peak_bytes
from benchmarks.overlapping import overlapping_clips
from benchmarks.scores import Scores
from stvg_core.boxes import box_iou
from stvg_core.method.tracks import mask_shares
from tests.tiny_models import FAMILIES as TINY_MODELS

TINY = ["--tiny", "--device", "cpu", "--slots", "3", "--matrix", "64", "--repeats", "1", "--warm-up", "0"]


def test_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "speed.json"
    found = speed.main(["--clips", "1", "--frames", "4", "--new-tokens", "2", "--out", str(out)])
    assert set(found["ratio_to_ours"]) == {"straight", "released", "released, vision once"}
    assert found["work"]["straight"] == {"prefills": 8, "decodes": 0, "backwards": 3}
    assert json.loads(out.read_text())["machine"]["torch"] == torch.__version__
    assert "| straight | 8 / 3 / 0 |" in capsys.readouterr().out


def test_many_queries(capsys: pytest.CaptureFixture[str]) -> None:
    found = many_queries.main(["--clips", "1", "--counts", "2", "--difficulty", "easy", "--seconds", "6"])
    assert set(found["queries"]) == {2}
    assert "| 2 |" in capsys.readouterr().out


def test_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = count(1)

    def apart(run: Callable[[Path], None], path: Path) -> reading.Cost:
        """In this process, and with seconds of its own: of so short a run the kernel may say that it took none."""
        assert reading._measured(run, path).memory > 0
        return reading.Cost(float(next(costs)), 0.5, 2.0, 10**7)

    monkeypatch.setattr(reading, "apart", apart)
    few = reading.few_frames(tmp_path, (128, 64), 30, 1, 2)
    assert [sorted(ways) for ways in few.values()] == [["before", "in order", "ours"], ["in order", "ours"]]
    clip = next(tmp_path.glob("closed.mp4"))
    grounding = reading.groundings(clip, 1)
    assert set(grounding) == {"embedded", "dense pass"}
    for figures in grounding.values():
        ((ours, once),) = figures["runs"]
        assert figures["cpu"]["median"] == pytest.approx(
            (ours["user"] + ours["system"]) / (once["user"] + once["system"]), abs=0.01
        )
    rows = reading.table({"few": few, "grounding": grounding})
    assert len(rows) == 5 and rows[-1].startswith("| dense pass | ") and rows[-1].count("|") == 7


def test_reduced_precision(capsys: pytest.CaptureFixture[str]) -> None:
    found = reduced_precision.main(["--clips", "2", "--frames", "4"])
    assert set(found) == {"bfloat16", "float16"}
    assert "| float16 |" in capsys.readouterr().out


def test_precisions_are_compared_clip_by_clip() -> None:
    def found(s_obj: list[float], span: tuple[int, int], token: int) -> reduced_precision.Found:
        scores, one = np.array(s_obj), np.full((2, 1, 1), float(token))
        return reduced_precision.Found(
            Scores(scores, int(scores.argmax()), np.ones(2), one, one, {"spatial_token": token}), span
        )

    full = [found([1.0, 2.0], (0, 3), 1)] * 4
    reduced = [
        found([1.0, 2.02], (0, 3), 1),  # close
        found([1.0, 2.0], (0, 4), 1),  # another end
        found([1.0, 4.0], (0, 3), 2),  # another role token: not compared further
        found([3.0, 2.0], (0, 3), 1),  # another track
    ]
    compared = reduced_precision.compare(reduced, full)
    assert compared["same_track"] == 0.75
    assert compared["same_track_and_interval"] == 0.5
    assert compared["same_track_and_ends_within_one_slot"] == 0.75
    assert compared["same_role_tokens"] == 0.75
    # The clip that is read from another token counts here, and only here.
    assert compared["maps_of_all_clips"] == {"median": 0.0, "low": 0.0, "high": 1.0}
    assert compared["relative_difference"]["maps"]["high"] == 0.0
    assert compared["relative_difference"]["s_obj"] == {"median": 0.005, "low": 0.0, "high": 0.01}


def test_ties(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ties.json"
    found = ties.main(["--clips", "2", "--frames", "5", "--sizes", "1", "--out", str(out)])
    assert json.loads(out.read_text()) == found and set(found["sizes"]["1"]) == set(ties.COVERAGES)
    assert "| 1 | mask | " in capsys.readouterr().out


def test_rules_are_compared_clip_by_clip() -> None:
    """Two clips are tied; one of them comes out right by the first rule only."""
    others = dict.fromkeys(list(ties.RULES)[1:], 0.0)
    first = next(iter(ties.RULES))
    clips = [ties.Judged(1, {ties.ANY: 1.0, first: 1.0} | dict.fromkeys(others, 1.0))] * 2
    clips += [ties.Judged(2, {ties.ANY: 0.5, first: right} | others) for right in (1.0, 0.0)]
    found = ties.figures(clips)
    assert (found["clips"], found["tied"]) == (4, 2)
    assert found["rules"][ties.ANY] == {"all": 0.75, "tied": 0.5, "gain": [0.0, 0.0, 0.0]}
    assert (found["rules"][first]["all"], found["rules"][first]["tied"]) == (0.75, 0.5)
    assert found["rules"]["next-brightest cells"]["gain"][0] == -0.25


def test_the_next_brightest_decide_in_their_order() -> None:
    attention = np.array([[[9.0, 5.0, 3.0]]])
    coverage = np.array([[[[1, 0, 1]]], [[[1, 1, 0]]], [[[1, 0, 0]]]])
    assert ties.RULES["next-brightest cells"](attention, coverage).argsort().tolist() == [2, 0, 1]
    assert ties.RULES["mean attention inside"](attention, coverage).tolist() == [6, 7, 9]


def test_one_object_lies_over_the_target_and_masks_do_not_share_a_pixel() -> None:
    for clip in overlapping_clips(4, 21):
        boxes = np.stack([track.at(clip.frames.indices) for track in clip.tracks])
        others = np.delete(np.arange(len(boxes)), clip.target)
        assert box_iou(boxes[others], boxes[clip.target], over="smaller").max() > 0.2
        h, w = 96, 96
        shares = mask_shares(clip.tracks, clip.frames.indices, lambda one: one, h, w)
        # Of a cell, no more than there is: but for what is rounded at the border of a part of a box.
        assert np.nan_to_num(shares.astype(float)).sum(axis=0).mean() <= 1
        assert (np.nan_to_num(shares.astype(float)).sum(axis=0) > 1.5).mean() < 1e-3


def test_small_v(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = small_v.main(["--tiny", "--clips", "1", "--precisions", "bfloat16"])
    assert set(found) == {f"{family} bfloat16" for family in TINY_MODELS}
    for lines in found.values():
        assert len(lines) == len(small_v.SHARES) * len(small_v.WAYS)
        shares = {line["share"]: (line["entries_lost"], line["v_lost"]) for line in lines}
        assert shares[0.003][0] > shares[0.03][0] > 0, "the smaller the step, the more is lost"
        assert shares[0.003][1] > 0.2 > shares[0.03][1]
    assert capsys.readouterr().out.count("| kept apart |") == len(TINY_MODELS) * len(small_v.SHARES)


def test_lra_variants(capsys: pytest.CaptureFixture[str]) -> None:
    lines = lra_variants.main(["--experiment", "low", "--clips", "1", "--first", "5999"])
    assert [line["branches"] for line in lines] == ["", *lra_variants.BRANCHES * 3]
    assert lines[0]["gain"] == (0, 0, 0) and all(line["clips"] == 1 for line in lines)
    assert capsys.readouterr().out.count("\n| token_norm .1, margin below") == 9


def test_gradient_memory(capsys: pytest.CaptureFixture[str]) -> None:
    found = gradient_memory.main(["--tiny", "--repeats", "1"])
    before, after = (found["gigabytes"][way] for way in gradient_memory.WAYS)
    assert after["prefill"] < before["prefill"] and after["questions"] == pytest.approx(before["questions"])
    for measured in found["measured"].values():
        assert measured["gradients_differ_by"] == 0.0
    assert capsys.readouterr().out.count("\n| ") == 2


def test_attention_memory(capsys: pytest.CaptureFixture[str]) -> None:
    found = attention_memory.main(["--tiny", "--layers", "1", "2", "--dtype", "float32"])
    line = found["megabytes"]["first look"]
    # Three questions, six watched tokens, 20 slots of 4 x 4 cells, in float32.
    assert line["per_layer"] == pytest.approx(3 * 6 * 320 * 4 / 1e6, abs=1e-3)
    assert line["at_most"] > line["all_layers"] > 0
    assert "| first look | 3 | 320 | 1, 2 |" in capsys.readouterr().out


def test_the_largest_memory_is_found() -> None:
    def run() -> None:
        for size in (1, 4, 2):
            torch.zeros(size, 1_000_000)

    assert peak_bytes(run, "cpu") == pytest.approx(16e6, rel=0.01)


def test_gpu_7b_on_a_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "gpu.json"
    gpu_7b.main([*TINY, "--dtype", "float32", "--baseline-repeats", "1", "--new-tokens", "2", "--out", str(out)])
    found = json.loads(out.read_text())
    assert set(found["families"]) == {"llava_onevision", "qwen2_5_vl"}
    for parts in found["families"].values():
        assert max(parts["equality_float32"].values()) < 1e-3
        assert set(parts["baselines"]["ratio_to_ours"]) == {"straight", "released"}
    assert "| Qwen2.5-VL-7B |" in capsys.readouterr().out


def test_gpu_7b_needs_no_video_library() -> None:
    """A GPU machine has torch and transformers; whatever else it lacks must not matter."""
    absent = ["PIL", "av", "cv2", "decord", "scipy", "matplotlib", "flask", "sqlalchemy", "torchvision"]
    code = f"import sys\nsys.modules.update(dict.fromkeys({absent}))\nimport benchmarks.gpu_7b"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_a_narrower_model_keeps_the_width_of_a_head() -> None:
    text = gpu_7b.build("qwen2_5_vl", device="cpu", dtype=torch.float32, tiny=True, hidden=32).model.config.text_config
    assert (text.hidden_size, text.num_attention_heads, text.num_key_value_heads) == (32, 2, 1)
    with pytest.raises(ValueError, match="multiple of 32"):
        gpu_7b.build("qwen2_5_vl", device="cpu", dtype=torch.float32, tiny=True, hidden=48)
