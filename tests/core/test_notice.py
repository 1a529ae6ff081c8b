"""Only the embedded model's versions carry the notice, old ones and copies too."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stvg_core.demo import MODEL_DIR
from stvg_core.notice import DEMO_NOTICE, REVISIONS, notice, notice_of_some, notices
from stvg_core.settings import GroundingSettings
from stvg_core.version import model_version


def test_the_embedded_model_is_known_under_any_settings_and_as_a_copy(tmp_path: Path) -> None:
    versions = [model_version(MODEL_DIR), model_version(MODEL_DIR, replace(GroundingSettings(), top_k=3))]
    for name in ("embedded", "my-model"):
        versions.append(model_version(shutil.copytree(MODEL_DIR, tmp_path / name)))
    assert [notice(version) for version in versions] == [DEMO_NOTICE] * 4


def test_the_weights_that_are_shipped_are_in_the_list() -> None:
    """Who trains them anew adds the new revision and keeps the old ones: stored answers are known by them."""
    assert model_version(MODEL_DIR).partition("@")[2].partition("/")[0] in REVISIONS


def test_weights_of_before_under_the_models_name_are_known() -> None:
    assert notice("llava-onevision-embedded@00000000/12345678") == DEMO_NOTICE


def test_a_real_checkpoint_has_none_even_in_a_folder_of_that_name(tmp_path: Path) -> None:
    real = tmp_path / "embedded"
    real.mkdir()
    (real / "config.json").write_text(json.dumps({"model_type": "llava_onevision"}))
    (real / "model.safetensors").write_bytes(b"seven billion")
    assert notice(model_version(real)) is None


@pytest.mark.parametrize(
    "version",
    [
        None,
        "",
        "fake@1/0",
        "llava-hf--llava-onevision-qwen2-7b-ov-hf@main/12345678",
        "owner--embedded@main/1",
        "owner--llava-onevision-embedded@main/1",
        "qwen2-vl-embedded@12345678/1",
        "llava-onevision-embedded",
        "llava-onevision-embedded-2@12345678/1",
    ],
)
def test_versions_without_a_notice(version: str | None) -> None:
    assert notice(version) is None


def test_many_answers_get_one_line() -> None:
    demo = model_version(MODEL_DIR)
    assert notices([demo, "real@1/2", None, demo]) == [DEMO_NOTICE]
    assert notice_of_some({demo: 2, "real@1/2": 3}, "labels are") == f"2 of 5 labels are of the {DEMO_NOTICE}"
    assert notice_of_some({"real@1/2": 3}, "labels are") is None and notice_of_some({}, "labels are") is None
