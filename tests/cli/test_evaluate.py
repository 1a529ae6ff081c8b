"""``stvg evaluate`` from the command line: what it prints and writes, and what it says when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.cli.evaluate import command
from backend.cli.main import stvg
from backend.db.engine import Database
from stvg_core.datasets.base import DatasetError
from stvg_core.demo import MODEL_DIR
from stvg_core.errors import StvgError
from stvg_core.evaluation.protocols import Protocol
from stvg_core.notice import DEMO_NOTICE
from stvg_core.version import model_version
from tests.datasets.small import hcstvg_entry, moving, vidor, vidstg_entry
from tests.evaluation.own_sentences import write_sentences
from tests.export.rows import CORRECTED, a_prediction, a_task, a_tube, a_video, annotate


def run(*arguments: object) -> str:
    found = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_the_command_is_found_by_its_name() -> None:
    assert "protocols differ" in CliRunner().invoke(stvg, ["evaluate", "--help"]).output


def test_hcstvg_against_an_hcstvg_like_file(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.json", {"a.mp4": hcstvg_entry(6, 10), "b.mp4": hcstvg_entry(6, 10)})
    predicted = write(tmp_path / "predicted.json", {"a.mp4": hcstvg_entry(6, 5)})
    printed = run("--truth", truth, "--predictions", predicted, "--json", tmp_path / "out.json")
    assert "protocol hcstvg, 2 sentences" in printed and "without a prediction, counted 0: 1" in printed
    found = json.loads((tmp_path / "out.json").read_text())
    assert [sample["vIoU"] for sample in found["samples"]] == [0.5, 0.0]
    assert found["means"]["m_vIoU"]["mean"] == 0.25


def test_another_picture_size_is_refused_or_scaled(tmp_path: Path) -> None:
    """Lines of stvg ground on a half-size copy: every box would be wrong, and nothing would say so."""
    entry = hcstvg_entry(6, 10)
    truth = write(tmp_path / "truth.json", {"a.mp4": entry})
    boxes = {str(5 + n): [x / 2, y / 2, (x + w) / 2, (y + h) / 2] for n, (x, y, w, h) in enumerate(entry["bbox"])}
    line = {"video": "a.mp4", "query": entry["caption"], "start_frame": 5, "end_frame": 14, "boxes": boxes}
    line |= {"width": entry["width"] // 2, "height": entry["height"] // 2}
    arguments = ["--truth", str(truth), "--predictions", str(write(tmp_path / "line.json", line))]
    refused = CliRunner().invoke(command, arguments)
    assert isinstance(refused.exception, DatasetError) and "--scale-boxes" in str(refused.exception)
    assert refused.stdout == "", "no number is printed that would be wrong"
    printed = run(*arguments, "--scale-boxes", "--json", tmp_path / "out.json")
    assert "The boxes of 1 predictions were scaled" in printed
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["means"]["m_vIoU"]["mean"] == pytest.approx(1.0) and found["scaled_predictions"] == 1
    unsaid = {name: value for name, value in line.items() if name not in ("width", "height")}
    larger = {frame: [900, 900, 990, 990] for frame in boxes}
    arguments[3] = str(write(tmp_path / "larger.json", unsaid | {"boxes": larger}))
    assert "1 predictions have boxes far outside" in run(*arguments)


def test_vidstg_against_lines_of_stvg_ground(tmp_path: Path) -> None:
    vidor(tmp_path / "vidor", "77", {0: moving(range(5, 30)), 1: moving(range(40))})
    truth = write(tmp_path / "truth.json", [vidstg_entry("77", 10, 20)])
    boxes = {str(frame): list(box) for frame, box in moving(range(5, 30)).items() if 10 <= frame < 20}
    line = {"video": "77.mp4", "query": "the dog runs", "start_frame": 10, "end_frame": 19, "boxes": boxes}
    (tmp_path / "predicted.jsonl").write_text(json.dumps(line) + "\n")
    arguments = ("--truth", truth, "--vidor", tmp_path / "vidor", "--predictions", tmp_path / "predicted.jsonl")
    printed = run(*arguments, "--json", tmp_path / "out.json", "--plots", tmp_path / "plots")
    assert "protocol tubedetr, 2 sentences" in printed and "declarative" in printed
    [first, second] = json.loads((tmp_path / "out.json").read_text())["samples"]
    assert (first["tIoU"], first["vIoU"], first["gt_vIoU"], second["state"]) == (1.0, 1.0, 1.0, "missing")
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        "breakdown.png", "tiou_by_length.png", "viou_histogram.png",
    ]  # fmt: skip


def means_of(
    protocol: Protocol, annotations: Path, vidor_folder: Path, predictions: list[dict[str, Any]], tmp_path: Path
) -> dict[str, float]:
    """The command's three means for predictions in the public evaluators' form."""
    predicted = write(tmp_path / "predicted.json", predictions)
    run(
        "--truth", annotations, "--vidor", vidor_folder, "--predictions", predicted, "--protocol", protocol.value,
        "--json", tmp_path / "out.json",
    )  # fmt: skip
    found = json.loads((tmp_path / "out.json").read_text())["means"]
    metrics = {"tiou": "m_tIoU", "viou": "m_vIoU", "gt_viou": "m_gt_vIoU"}
    return {metric: found[name]["mean"] for metric, name in metrics.items()}


@pytest.mark.parametrize("protocol", [Protocol.TUBEDETR, Protocol.CGSTVG])
def test_predictions_with_segments_and_ends_of_their_own(protocol: Protocol, tmp_path: Path) -> None:
    own = write_sentences(tmp_path)
    for metric, mean in means_of(protocol, own.annotations, own.vidor, own.predictions, tmp_path).items():
        expected = sum(entry[protocol.value][metric] for entry in own.predictions) / len(own.predictions)
        assert mean == pytest.approx(expected, abs=1e-6), metric


def test_the_databases_newest_predictions_against_its_corrections(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as session:
        task = a_task(session)
        annotate(session, task, a_tube(CORRECTED), prediction=a_prediction(session, task))
    url = database.engine.url.render_as_string(hide_password=False)
    printed = run(
        "--truth", "database", "--predictions", "database", "--database-url", url, "--json", tmp_path / "o.json"
    )
    assert "protocol hcstvg, 1 sentences" in printed
    [found] = json.loads((tmp_path / "o.json").read_text())["samples"]
    assert (found["tIoU"], found["sentence"]) == (0.75, "the red box")
    with pytest.raises(StvgError, match="no truth to compare with"):
        run("--truth", "database", "--predictions", "database", "--database-url", url, "--project", "99")


def test_predictions_of_the_demo_model_are_named(tmp_path: Path) -> None:
    """From the lines of ``stvg ground``; other files do not say whose predictions they hold."""
    truth = write(tmp_path / "truth.json", {"a.mp4": hcstvg_entry(6, 10)})
    sentence = hcstvg_entry(6, 10)["caption"]
    line = {"video": "a.mp4", "query": sentence, "start_frame": None, "end_frame": None, "boxes": {}}
    for version, said in ((model_version(MODEL_DIR), True), ("real@1/2", False), (7, False)):
        predicted = write(tmp_path / "predicted.json", [{**line, "model_version": version}])
        printed = run("--truth", truth, "--predictions", predicted, "--json", tmp_path / "out.json")
        wanted = f"1 of 1 predictions are of the {DEMO_NOTICE}"
        assert (wanted in printed.splitlines()) is said
        assert json.loads((tmp_path / "out.json").read_text())["warnings"] == ([wanted] if said else [])


def test_mistakes_are_said(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.json", {"a.mp4": hcstvg_entry(6, 10)})
    with pytest.raises(StvgError, match="looks like VidSTG"):
        run("--truth", write(tmp_path / "vidstg.json", []), "--predictions", truth)
    with pytest.raises(StvgError, match="cannot be read"):
        run("--truth", tmp_path / "none.json", "--predictions", truth)
    with pytest.raises(StvgError, match="no folder"):
        run("--truth", truth, "--predictions", truth, "--json", tmp_path / "none" / "out.json")


def test_a_bad_record_of_the_truth_is_named_and_the_means_are_over_the_others(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.json", {"a.mp4": hcstvg_entry(6, 10), "b.mp4": {}})
    predicted = write(tmp_path / "predicted.json", {"a.mp4": hcstvg_entry(6, 10)})
    printed = run("--truth", truth, "--predictions", predicted)
    assert "1 sentences" in printed and "left out of the truth: " in printed and "record of b.mp4" in printed
    with pytest.raises(StvgError, match="holds nothing that can be used"):
        run("--truth", write(tmp_path / "truth.json", {"b.mp4": {}}), "--predictions", predicted)


def test_files_in_another_encoding(tmp_path: Path) -> None:
    content = json.dumps({"a.mp4": hcstvg_entry(6, 10, caption="der Fußgänger")}, ensure_ascii=False)
    for name in ("truth.json", "predicted.json"):
        (tmp_path / name).write_bytes(content.encode("cp1252"))
    arguments = ("--truth", tmp_path / "truth.json", "--predictions", tmp_path / "predicted.json")
    with pytest.raises(StvgError, match="--encoding"):
        run(*arguments)
    assert "m_vIoU        1.0000" in run(*arguments, "--encoding", "cp1252")


def test_a_name_that_two_videos_of_the_database_have_is_no_guess(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with database.write() as session:
        for number, folder in enumerate("ab", start=1):
            video = a_video(session, folder)
            ref = f"/data/local-files/?d={folder}/clip.mp4"
            annotate(session, a_task(session, number, video=video, ref=ref), a_tube(CORRECTED))
    entry = {"query": "the red box", "start_frame": 4, "end_frame": 9, "boxes": {}}
    for name, said in (("b/clip.mp4", "without a prediction, counted 0: 1"), ("clip.mp4", "could be a/clip.mp4 or b/")):
        file = write(tmp_path / "p.json", [entry | {"video": name}])
        arguments = ("--truth", "database", "--predictions", file, "--database-url", database_url)
        if name == "clip.mp4":
            with pytest.raises(StvgError, match=said):
                run(*arguments)
        else:
            assert said in run(*arguments)
