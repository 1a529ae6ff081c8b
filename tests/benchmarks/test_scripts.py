"""Every script runs from its command line to its Markdown row, at a size of seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import (
    attention_memory,
    batched_prefills,
    gpu_7b,
    gpu_parts,
    gradient_memory,
    heads,
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
from stvg_core.errors import ModelError
from stvg_core.method.tracks import mask_shares
from stvg_core.mllm import together
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


def test_heads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "heads.json"
    found = heads.main(["--clips", "2", "--difficulty", "easy", "--out", str(out)])
    assert found["items"] == 2 and found["left_out"] == [] and not found["adopted"]
    assert json.loads(out.read_text())["before"] == found["before"]
    assert f"| {found['before']:.3f} | {found['after']:.3f} |" in capsys.readouterr().out


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


@pytest.fixture(scope="module")
def parts_on_a_cpu() -> dict[str, Any]:
    parts = ["--parts", *gpu_7b.PARTS_OF_A_MODEL, "--seconds", "3", "--batch-slots", "1", "3", "--slots", "4"]
    return gpu_7b.main([*TINY, "--dtype", "float32", *parts, "--memory-gb", "24"])


@pytest.mark.parametrize("family", ["llava_onevision", "qwen2_5_vl"])
def test_gpu_7b_part_by_part(parts_on_a_cpu: dict[str, Any], family: str) -> None:
    found = parts_on_a_cpu["families"][family]["parts"]
    assert set(found) == {"layers", *gpu_7b.PARTS_OF_A_MODEL}
    learnable = found["prefills"]
    assert learnable["recomputed"]["peak_gb"] < learnable["as it is"]["peak_gb"]
    assert found["asking"]["folded"]["peak_gb"] < found["asking"]["copied"]["peak_gb"]
    assert found["asking"]["answers_differ_by"] < 1e-4
    assert set(found["lra"]) == {"on", "off"}
    assert [one["way"] for one in found["batches"]] == ["prefills", "batch", "shared"] * 2
    assert all(one["seen_differs_by"] == 0 for one in found["batches"])
    assert [one["slots"] for one in found["card"].values()] == [4, 4]
    assert [one["vision_towers"] for one in found["card"].values()] == [1, 1]
    assert found["out_of_memory"]["slots"] == [2, 2]
    assert "The memory of the GPU did not suffice: only 2 frames were looked at." in found["out_of_memory"]["warnings"]
    assert found["decode_ahead"]["clips"] == 3 and found["decode_ahead"]["ahead_s"] > 0


def test_gpu_7b_says_whether_the_memory_suffices(parts_on_a_cpu: dict[str, Any]) -> None:
    assert parts_on_a_cpu["memory"] == "all of it: there is no GPU whose memory could be limited"
    assert set(parts_on_a_cpu["precision_auto"].values()) == {"torch.float32"}
    said = gpu_7b.verdict(parts_on_a_cpu["families"], "24.0 GB of 80.0")
    assert said[0] == "LLaVA-OneVision-7B, 24.0 GB of 80.0, one sentence: fits with 4 slots, as it is."
    refused = {"qwen2_5_vl": {"parts": {"card": {"one sentence": {"refused": "too small"}}}}}
    assert gpu_7b.verdict(refused, "8 GB") == ["Qwen2.5-VL-7B, 8 GB, one sentence: does not fit."]
    skipped = {"qwen2_5_vl": {"parts": {"card": {"skipped": "cv2 is not installed"}}}}
    assert gpu_7b.verdict(skipped, "8 GB") == ["Qwen2.5-VL-7B: skipped, cv2 is not installed."]


def test_a_part_that_does_not_fit_says_so() -> None:
    def never() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    def broken() -> None:
        raise RuntimeError("no such kernel")

    assert gpu_parts.cost(never, "cpu", 1) == {"out_of_memory": True}
    with pytest.raises(RuntimeError, match="kernel"):
        gpu_parts.cost(broken, "cpu", 1)


def test_a_gpu_is_limited_and_says_that_it_has_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU is played."""
    fractions: list[float] = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80 * 10**9))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (70 * 10**9, 80 * 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device=None: 4 * 10**9)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda part, device: fractions.append(part))
    with gpu_parts.limited("cuda", 24.0) as said:
        assert torch.cuda.mem_get_info("cuda") == (20 * 10**9, 24 * 10**9) and fractions == [0.3]
    assert said == "24.0 GB of 80.0" and fractions == [0.3, 1.0]
    assert torch.cuda.mem_get_info("cuda") == (70 * 10**9, 80 * 10**9)
    with pytest.raises(ModelError, match="less than the 90 GB"), gpu_parts.limited("cuda", 90.0):
        pass


def test_batched_prefills(capsys: pytest.CaptureFixture[str]) -> None:
    usual = dict(together.FULL)
    found = batched_prefills.main(["--tiny", "--slots", "2", "--sentences", "5", "--repeats", "1"])["measured"]
    assert [(one["way"], one["sentences"]) for one in found] == [(way, 5) for way in batched_prefills.WAYS]
    assert capsys.readouterr().out.count("| 64 wide | ") == 3 and usual == together.FULL


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
