"""``stvg benchmark`` on small HC-STVG and VidSTG files with a fake engine: what counts, what is refused and kept."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend.bootstrap import open_versions
from backend.cli import benchmark as module
from backend.cli.prelabel_engines import Engine
from backend.runs.child import RunError
from backend.settings import load_settings
from backend.testing import FakeEngine
from stvg_core.datasets import hcstvg, vidstg
from stvg_core.evaluation.compare import compare
from stvg_core.evaluation.protocols import Protocol
from stvg_core.evaluation.samples import Prediction, Truth
from stvg_core.evaluation.summary import means
from stvg_core.tube import FEWER_SLOTS
from tests.datasets.small import hcstvg_entry, moving, vidor, vidstg_entry
from tests.prelabel.conftest import Here
from tests.prelabel.given import clips, written


@dataclass
class Bench:
    """The command in a folder of its own."""

    folder: Path
    engine: FakeEngine
    crews: list[Here]

    def __call__(self, *arguments: object, status: int | None = 0) -> Result:
        out = () if "--out" in arguments else ("--out", self.folder / "out")
        result = CliRunner().invoke(module.command, [str(one) for one in (*arguments, *out)])
        assert status is None or result.exit_code == status, f"{result.output} {result.exception!r}"
        return result

    def refused(self, *arguments: object) -> str:
        result = self(*arguments, status=None)
        assert result.exit_code in (1, 2), result.output
        return f"{result.output} {result.exception}"

    def summary(self, pattern: str = "*") -> dict[str, Any]:
        [file] = (self.folder / "out").glob(f"{pattern}/summary.json")
        return json.loads(file.read_text())  # type: ignore[no-any-return]

    def rows(self, pattern: str = "*") -> list[dict[str, str]]:
        [file] = (self.folder / "out").glob(f"{pattern}/rows.csv")
        with file.open() as text:
            return list(csv.DictReader(text))

    def hcstvg(self, *more: object, status: int | None = 0) -> Result:
        return self("hcstvg1", *self.of_hcstvg, *more, status=status)

    @property
    def of_hcstvg(self) -> tuple[object, ...]:
        return "--annotations", self.folder / "v1.json", "--videos", self.folder / "clips"

    @property
    def of_vidstg(self) -> tuple[object, ...]:
        named = "--annotations", self.folder / "vid.json", "--videos", self.folder / "clips"
        return *named, "--vidor", self.folder / "vidor"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name in ("STVG_LABEL_STUDIO_URL", "STVG_LABEL_STUDIO_TOKEN", "STVG_DOCUMENT_ROOT", "STVG_MODEL"):
        monkeypatch.delenv(name, raising=False)
    folder = clips(tmp_path / "clips", "a.mp4", "b.mp4", "nothing.mp4", "123.mp4")
    (folder / "bad.mp4").write_bytes(b"not a video")
    entries = {
        "a.mp4": hcstvg_entry(3, 30, img_num=50), "b.mp4": hcstvg_entry(3, 20, caption="the dog", img_num=50),
        "bad.mp4": hcstvg_entry(1, 9), "gone.mp4": hcstvg_entry(1, 9),
        "nothing.mp4": hcstvg_entry(1, 9, caption="nothing at all"), "broken.mp4": {"caption": "x"},
    }  # fmt: skip
    written(tmp_path / "v1.json", entries)
    vidor(tmp_path / "vidor", "123", {0: moving(range(40)), 1: moving(range(12, 40), corner=50)})
    part = {"used_segment": {"begin_fid": 5, "end_fid": 39}}
    written(tmp_path / "vid.json", [vidstg_entry("123", 12, 20), vidstg_entry("123", 14, 30, questions=[], **part)])
    engine, crews = FakeEngine(open_versions(load_settings()).base), list[Here]()

    def workers(self: Engine, database: object, number: int, *more: object) -> Here:
        engine.model_version = open_versions(self.settings).base
        crews.append(Here(self.settings, engine, number))
        return crews[-1]

    monkeypatch.setattr(Engine, "workers", workers)
    return Bench(tmp_path, engine, crews)


def test_failed_and_missing_videos_count_0_and_are_said(bench: Bench) -> None:
    result = bench.hcstvg(status=3)
    rows = {row["name"]: row for row in bench.rows()}
    assert {name: row["state"] for name, row in rows.items()} == {
        "a.mp4": "scored", "b.mp4": "scored", "bad.mp4": "failed", "gone.mp4": "missing", "nothing.mp4": "no tube",
    }  # fmt: skip
    assert "is not a video" in rows["bad.mp4"]["reason"] and "There is no video gone" in rows["gone.mp4"]["reason"]
    for name in ("bad.mp4", "gone.mp4", "nothing.mp4"):
        assert {rows[name][metric] for metric in ("tIoU", "vIoU", "gt_vIoU")} == {"0.000000"}
    summary = bench.summary()
    assert [summary[name] for name in ("sentences", "scored", "no tube", "failed", "missing")] == [5, 2, 1, 1, 1]
    scored = [float(rows[name]["vIoU"]) for name in ("a.mp4", "b.mp4")]
    assert 0 < summary["table"]["hcstvg1"]["ours"]["m_vIoU"]["mean"] == pytest.approx(sum(scored) / 5, abs=1e-5)
    assert "3 count 0: 1 failed, 1 without a usable video or sentence, 1 in which no object" in result.stdout
    assert summary["unusable_records"] == 1 and "1 more records of the file have no usable truth" in result.stdout


def test_the_figures_are_those_of_the_evaluation(bench: Bench) -> None:
    """Of the very tubes that the engine gave, through the public protocol, whatever way they were stored."""
    bench.hcstvg(status=3)
    bench("vidstg", *bench.of_vidstg, "--out", bench.folder / "out2")
    [vid] = (bench.folder / "out2").glob("*/summary.json")

    def predicted(truth: Truth, segment: tuple[int, int] | None) -> Prediction | None:
        path = bench.folder / "clips" / f"{Path(truth.video).stem}.mp4"
        if not path.exists() or "bad" in path.name:
            return None
        found = bench.engine.ground(path, truth.sentence.strip().replace("  ", " "), lambda *_: None, segment)
        prediction = Prediction.of_tube(truth.video, truth.sentence, found.tube, truth.size)
        return Prediction(**{**vars(prediction), "segment": segment})

    for truths, parts, summary in (
        ([Truth.of_hcstvg(one) for one in hcstvg.read(bench.folder / "v1.json", bad=[])], False, bench.summary()),
        (
            [Truth.of_vidstg(one) for one in vidstg.read(bench.folder / "vid.json", bench.folder / "vidor")],
            True, json.loads(vid.read_text()),
        ),
    ):  # fmt: skip
        protocol = Protocol(summary["protocol"])
        predictions = [found for one in truths if (found := predicted(one, one.segment if parts else None))]
        for what, line in summary["table"].items():
            mine = [one for one in truths if one.kind is None or one.kind in what]
            expected = means(compare(protocol, mine, predictions).samples)
            for metric, value in line["ours"].items():
                assert value["mean"] == pytest.approx(expected[metric].value, abs=1e-4), (what, metric)
    assert protocol is Protocol.TUBEDETR and expected["m_vIoU"].value > 0


def test_the_papers_rows_are_printed_beside_ours(bench: Bench) -> None:
    shown = bench.hcstvg(status=3).stdout
    assert "| paper, LLaVA-OneVision-7B | all | - | 24.8 | - | 41.5 | 16.3 |" in shown and "2509.15178" in shown
    shown = bench("vidstg", *bench.of_vidstg, "--out", bench.folder / "out2").stdout
    assert shown.index("**vidstg, declarative**") < shown.index("18.0 | - | 29.8") < shown.index("interrogative**")
    assert "13.5 | - | 21.4 | 8.2 |" in shown


def test_the_same_model_is_marked(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "llava-onevision-qwen2-7b-ov-hf"
    shutil.copytree(module.MODEL_DIR, folder)
    shown = bench.hcstvg("--model", folder, status=3).stdout
    assert (
        "paper, LLaVA-OneVision-7B (this model, by its name)" in shown and shown.count("(this model, by its name)") == 1
    )
    assert "**hcstvg1**, llava-onevision-qwen2-7b-ov-hf" in shown and str(tmp_path / "llava") not in shown


def test_it_goes_on_where_it_was_stopped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Here, "ensure", _nobody)
        assert isinstance(bench.hcstvg(status=1).exception, RunError)
    assert not list((bench.folder / "out").glob("*/report.md")), "a report over some of them would look like a figure"
    bench.hcstvg(status=3)
    asked = len(bench.engine.calls)
    again = bench.hcstvg(status=3)
    assert len(bench.engine.calls) == asked and "5 sentences, 0 to be grounded" in again.stderr
    bench.hcstvg("--retry-failed", status=3)
    assert len(bench.engine.calls) == asked + 1


def _nobody(self: Here, *, progressed: bool) -> list[str]:
    raise RunError("no worker lives")


def test_a_part_is_a_report_of_its_own_and_says_so(bench: Bench) -> None:
    result = bench.hcstvg("--limit", 2)
    assert "These are 2 of 5 sentences" in result.stdout and bench.summary()["limit"] == 2
    assert {name for name, _ in bench.engine.calls} == {"a.mp4", "b.mp4"}
    bench.hcstvg(status=3)
    names = sorted(path.parent.name for path in (bench.folder / "out").glob("*/report.md"))
    assert len(names) == 2 and names[0].endswith("-first-2-hcstvg")
    bench("vidstg", *bench.of_vidstg, "--split", "declarative", "--out", bench.folder / "out2")
    [file] = (bench.folder / "out2").glob("*-declarative-tubedetr/summary.json")
    summary = json.loads(file.read_text())
    assert list(summary["table"]) == ["vidstg, declarative"] and summary["sentences"] == 2


def test_other_settings_make_other_rows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.hcstvg("--limit", 2)
    monkeypatch.setenv("STVG_DECOMPOSER", "model")
    bench.hcstvg("--limit", 2)
    files = sorted((bench.folder / "out").glob("*/rows.csv"))
    versions = [{row["model_version"] for row in csv.DictReader(file.open())} for file in files]
    assert len(files) == 2 and all(len(one) == 1 for one in versions) and versions[0] != versions[1]


def test_rows_of_another_program_are_refused(bench: Bench) -> None:
    bench.hcstvg("--limit", 2)
    [file] = (bench.folder / "out" / "made-with").glob("*.json")
    before = json.loads(file.read_text())
    file.write_text(json.dumps(before | {"torch": "1.0"}))
    said = bench.refused("hcstvg1", *bench.of_hcstvg, "--limit", 2)
    assert "torch: 1.0, now" in said and "never mixed" in said
    file.write_text("{")
    assert "cannot be read" in bench.refused("hcstvg1", *bench.of_hcstvg, "--limit", 2)


def test_another_dataset_in_the_same_folder_is_refused(bench: Bench) -> None:
    bench.hcstvg("--limit", 2)
    assert "never mixed" in bench.refused("vidstg", *bench.of_vidstg)
    content = json.loads((bench.folder / "v1.json").read_text())
    written(bench.folder / "v1.json", content | {"c.mp4": hcstvg_entry(1, 9)})
    assert "annotations_sha256" in bench.refused("hcstvg1", *bench.of_hcstvg)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rendered", "--videos", "x"), "it takes no files"),
        (("hcstvg1",), "needs --annotations and --videos"),
        (("hcstvg1", "--split", "declarative", "v1"), "--split is for vidstg"),
        (("hcstvg2", "v1"), "is HC-STVG version 1, by the names of its fields: ask for hcstvg1"),
        (("hcstvg1", "v2"), "is HC-STVG version 2, by the names of its fields: ask for hcstvg2"),
        (("vidstg", "v1", "--vidor"), "is not a VidSTG file"),
        (("vidstg", "vid"), "VidSTG's boxes are in VidOR"),
        (("hcstvg1", "vid"), "is not an HC-STVG file"),
        (("hcstvg1", "none"), "no sentence with a truth that can be used"),
        (("hcstvg1", "words"), "has sentences and no boxes"),
        (("hcstvg1", "gone"), "None of the 1 sentences can be asked. The first: There is no video gone"),
        (("vidstg", "one", "--vidor", "--split", "interrogative"), "There is no interrogative sentence"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    bench: Bench, arguments: tuple[str, ...], said: str
) -> None:
    second = {"a.mp4": hcstvg_entry(1, 9) | {"English": "the man", "img_size": [100, 200]}}
    written(bench.folder / "v2.json", second)
    written(bench.folder / "none.json", {"a.mp4": {"caption": "x"}})
    written(bench.folder / "words.json", {"a.mp4": "the man"})
    written(bench.folder / "gone.json", {"gone.mp4": hcstvg_entry(1, 9)})
    written(bench.folder / "one.json", [vidstg_entry("123", 12, 20, questions=[])])
    given: list[object] = []
    for one in arguments:
        if (bench.folder / f"{one}.json").exists() and one != "vidstg":
            given += ["--annotations", bench.folder / f"{one}.json", "--videos", bench.folder / "clips"]
        else:
            given += ["--vidor", bench.folder / "vidor"] if one == "--vidor" else [one]
    assert said in bench.refused(*given)
    assert not bench.crews


def test_workers_get_the_benchmarks_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STVG_LABEL_STUDIO_URL", "http://127.0.0.1:1")
    settings = module.own_settings(load_settings(), tmp_path / "out", "some/model", "cpu")
    engine = module.OwnEngine(settings, module.Chosen(module.PROCESSES, 1, None, None, None, None))
    crew = engine.workers(None, -1, "m@1/2", tmp_path, print)  # type: ignore[arg-type]
    assert isinstance(crew, module.WorkerProcesses) and list(crew.command[-2:]) == ["--expect", "m@1/2"]
    for name, value in crew.env.items():
        monkeypatch.setenv(name, value)
    theirs = load_settings()
    assert theirs == settings and theirs.label_studio_url is None and theirs.keyframe_iou == 1


def test_a_video_that_is_another_one_than_the_annotations_say_is_told(bench: Bench) -> None:
    content = json.loads((bench.folder / "v1.json").read_text())
    content["a.mp4"] |= {"img_num": 51}
    content["nothing.mp4"] |= {"img_num": 50}
    written(bench.folder / "v1.json", content)
    result = bench.hcstvg(status=3)
    assert "1 of 3 sentences are on a video with another number of frames" in result.stdout
    assert "of another shape than the annotations say" in result.stdout


def test_fewer_frames_than_the_settings_say_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = bench.engine.ground

    def short_of_memory(path: Path, query: str, *more: Any) -> Any:
        found = ground(path, query, *more)
        if query == "the dog":
            found.evidence.info[FEWER_SLOTS] = 10
        return found

    monkeypatch.setattr(bench.engine, "ground", short_of_memory)
    result = bench.hcstvg(status=3)
    assert "1 of 5 sentences were answered with fewer frames than the settings say" in result.stdout
    assert [row["fewer_slots"] for row in bench.rows()] == ["", "10", "", "", ""]


def test_settings_by_name_make_rows_of_their_own(bench: Bench) -> None:
    bench.hcstvg(status=3)
    chosen = ("--preset", "paper", "--set", "proposer=embedded", "--set", "lra_steps=2")
    bench.hcstvg(*chosen, status=3)
    version = open_versions(load_settings().with_line("paper", ["proposer=embedded", "lra_steps=2"])).base
    assert bench.engine.model_version == version != open_versions(load_settings()).base
    [report] = (bench.folder / "out").glob(f"*{version.rpartition('/')[2]}*/report.md")
    assert "--preset paper --set proposer=embedded --set lra_steps=2" in report.read_text()
    assert len(list((bench.folder / "out").glob("*/report.md"))) == 2
    assert "The nearest: lra_steps" in bench.refused("hcstvg1", *bench.of_hcstvg, "--set", "lra_step=2")
