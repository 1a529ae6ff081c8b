"""``stvg settings``: what is in force, who said so, what the paper says."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.bootstrap import open_versions
from backend.cli.main import stvg
from backend.db import calibrations
from backend.db.engine import Database
from backend.settings import Settings
from stvg_core.demo import MODEL_DIR
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.version import model_version

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"
NAMES = [field.name for field in fields(GroundingSettings)]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STVG_DATABASE_URL", f"sqlite:///{tmp_path}/none.sqlite3")


def printed(*words: str) -> str:
    result = CliRunner().invoke(stvg, ["settings", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def of(*words: str) -> dict[str, Any]:
    said = json.loads(printed("--json", *words))
    assert [line["name"] for line in said["settings"]] == NAMES
    return {line["name"]: line for line in said["settings"]} | {"all": said}


def test_the_documentation_is_this_list() -> None:
    assert DOCS.read_text(encoding="utf-8") == printed("--markdown"), "stvg settings --markdown > docs/settings.md"


def test_every_setting_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STVG_PRECISION", "float32")
    found = of("--preset", "ablation:gti", "--set", "n_slots=12")
    said = {name: (line["value"], line["source"]) for name, line in found.items() if name != "all"}
    assert said["n_slots"] == (12, "--set")
    assert said["precision"] == ("float32", "environment")
    assert said["tas"] == (False, "--preset ablation:gti")
    assert said["layers"] == ([3, 4], "model's preset")
    assert said["fit"] == ("squash", "default")
    assert found["all"]["model"] == str(MODEL_DIR) and "paper" in found["all"]["presets"]
    settings = replace(
        resolve(MODEL_DIR, None), n_slots=12, precision="float32", lra_steps=0, tas=False, second_look=False
    )
    assert found["all"]["model_version"] == model_version(MODEL_DIR, settings)


def test_what_agrees_with_the_paper() -> None:
    plain, paper = of(), of("--preset", "paper")
    assert (plain["interval"]["agrees"], plain["interval"]["paper"]) == (False, ["top_k"])
    assert (plain["fit"]["agrees"], plain["fit"]["paper"]) == (None, None) and plain["fit"]["note"]
    assert [name for name in NAMES if paper[name]["agrees"] is False] == ["decomposer"], "rules: no model writes here"
    assert paper["top_k"]["value"] == 7 and paper["lra_guard"]["where"] == "Algorithm 1"
    assert of("--preset", "paper", "--set", "n_slots=10")["top_k"]["value"] == 4


def test_the_text_has_every_setting() -> None:
    lines = printed("--set", "proposer_weight=none").splitlines()
    heads = [line[2:].partition(" = ")[0] for line in lines if " = " in line and line[0] in "* " and line[2] != " "]
    assert heads == NAMES
    [interval] = [line for line in lines if line[2:].startswith("interval = ")]
    assert interval.startswith("* interval = segment") and "paper: top_k (3.2)" in interval
    assert [line for line in lines if line[2:].startswith("proposer_weight = none ")]
    assert lines[-1].startswith("Presets: paper")


def test_another_models_own_preset(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llava_onevision"}')
    (tmp_path / "stvg.json").write_text('{"settings": {"lra_lr": 4.0}}')
    found = of("--model", str(tmp_path))
    assert (found["lra_lr"]["value"], found["lra_lr"]["source"]) == (4.0, "model's preset")
    (tmp_path / "stvg.json").write_text('{"settings": {"interval": "topk"}}')
    result = CliRunner().invoke(stvg, ["settings", "--model", str(tmp_path)])
    assert "interval: 'topk' is not allowed; allowed: segment or top_k" in str(result.exception)


def test_an_adopted_calibration_is_said(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STVG_DATABASE_URL", str(sqlite_database.engine.url))
    versions = open_versions(Settings())
    with sqlite_database.write() as session:
        number = calibrations.request(
            session, looks=versions.looks, base=versions.base, project_id=None, requested_by="t"
        ).id
        row = calibrations.lease(session, "w", looks=versions.looks, seconds=600, number=number)
        assert row is not None and row.leased_by is not None
        values = {"settings": {"centre": 0.25}, "model_version": "v"}
        assert calibrations.finish(session, row.id, row.leased_by, calibrations.ADOPTED, **values)
    assert of()["all"]["calibration"] == {"centre": 0.25}
    assert "for jobs: centre = 0.25 (adopted calibration)" in printed()
    assert of("--set", "interval=top_k")["all"]["calibration"] == {}, "the joining was chosen by hand"
