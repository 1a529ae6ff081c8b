"""``stvg ground`` with settings by name, another model or a part of the video: does it reach the method?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.cli import ground
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.errors import ModelError, StvgError
from stvg_core.proposals.grounding_dino import GroundingDino
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.version import model_version
from tests.cli.fake_grounder import FakeGrounder


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    scene = split_scene("validation", 3)
    return write_clip(tmp_path_factory.mktemp("rendered") / "clip.mp4", scene), scene.query


def grounded(rendered: tuple[Path, str], *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(ground.command, [str(rendered[0]), "--query", rendered[1], *options])
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_settings_by_name_reach_the_method(rendered: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STVG_SET", "second_look=no n_slots=12")
    found = grounded(rendered, "--set", "n_slots=6", "--set", "tas=off")
    settings = replace(resolve(MODEL_DIR, None), second_look=False, n_slots=6, tas=False)
    assert found["model_version"] == model_version(MODEL_DIR, settings)
    assert "second_look" not in found["timings"]
    assert found["split"]["by"] == "rules" and found["split"]["found"] is True
    assert found["split"]["attribute"] == found["attribute_query"] != found["query"]


def test_the_papers_method_on_the_embedded_model(rendered: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain re-attention, the original sentence backwards, the top K; on candidates that need no weights."""
    monkeypatch.setenv("STVG_PRESET", "paper")
    found = grounded(rendered, "--set", "proposer=embedded")
    settings = GroundingSettings(
        decomposer="rules",
        lra_guard=False,
        interval="top_k",
        tracking="all",
        ties="first",
        proposer_weight=0.0,
        centre=resolve(MODEL_DIR, None).centre,
    )
    assert found["model_version"] == model_version(MODEL_DIR, settings)
    assert "second_look" not in found["timings"] and found["boxes"]
    assert found["split"]["action"] == found["action_query"] != found["query"]


def test_grounding_dino_without_weights_is_refused_in_words(
    rendered: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: GroundingDino) -> None:
        raise ModelError(f"The model {self.model} cannot be loaded: no connection.")

    monkeypatch.setattr(GroundingDino, "load", load)
    options = [str(rendered[0]), "--query", rendered[1], "--preset", "paper", "--device", "cpu"]
    result = CliRunner().invoke(ground.command, options)
    assert isinstance(result.exception, ModelError) and result.stdout == ""
    said = str(result.exception)
    assert "grounding-dino-base cannot be loaded: no connection." in said and "--set proposer=embedded" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "lra_step=2"], "The nearest: lra_steps"), (["--set", "interval=topk"], "segment or top_k"),
        (["--set", "n_slots=0"], "n_slots must be at least 1"), (["--preset", "papers"], "The nearest: paper"),
        (["--proposer", "embedded", "--set", "proposer=grounding_dino"], "contradict"),
        (["--set", "role_tokens=max"], "gti, mean or token-N"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used_are_said_before_anything_is_loaded(
    clip: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.setattr(ground, "_load", lambda *chosen: pytest.fail("nothing is loaded"))
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "x", *options])
    assert isinstance(result.exception, StvgError) and said in str(result.exception)


def test_the_environment_chooses_the_model_as_for_the_service(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def load(settings: Any, searched: bool) -> FakeGrounder:
        seen.append(settings)
        return FakeGrounder()

    monkeypatch.setattr(ground, "_load", load)
    monkeypatch.setenv("STVG_MODEL", "owner/name")
    monkeypatch.setenv("STVG_DEVICE", "cuda:1")
    monkeypatch.setenv("STVG_LLM_URL", "http://127.0.0.1:9/v1")
    CliRunner().invoke(ground.command, [str(clip), "--query", "x"], catch_exceptions=False)
    CliRunner().invoke(ground.command, [str(clip), "--query", "x", "--model", "other/name", "--device", "cpu"])
    assert [(one.model, one.device, one.llm_url) for one in seen] == [
        ("owner/name", "cuda:1", "http://127.0.0.1:9/v1"), ("other/name", "cpu", "http://127.0.0.1:9/v1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--segment", "9"), "--segment needs two frames, FIRST,LAST"),
        (("--segment", "a,b"), "--segment needs two frames, FIRST,LAST"),
        (("--segment", "9,3"), "ends before it begins"),
        (("--segment", "0,100000"), "the video has frames 0 to"),
        (("--segment", "3,9", "--box", "1,1,9,9", "--frame", "4"), "goes without --segment"),
    ],
)
def test_bad_segments_are_refused_before_a_model_is_loaded(
    clip: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(ground, "_load", None)
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "the man", *arguments])
    assert result.exit_code != 0 and said in f"{result.output}{result.exception}"


def test_the_segment_is_handed_on_and_printed(clip: Path) -> None:
    for more in ([], ["--query", "the dog"]):
        result = CliRunner().invoke(ground.command, [str(clip), "--query", "the man", "--segment", "2,8", *more])
        assert result.exit_code == 0, result.output
        assert [json.loads(line)["segment"] for line in result.stdout.splitlines()] == [[2, 8]] * (1 + len(more) // 2)
