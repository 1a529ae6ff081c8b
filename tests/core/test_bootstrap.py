"""What the environment chooses of the method reaches the worker's model and the web process's version alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.bootstrap import LoadedGrounder, method_settings, present_model_version
from backend.language import EndpointError
from backend.settings import Settings, SettingsError, load_method_settings, load_settings
from stvg_core.proposals.cache import CachedProposer
from tests.tiny_models import save_llava_onevision


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llava_onevision(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def chosen(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("STVG_MODEL", str(folder))
    monkeypatch.setenv("STVG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STVG_DEVICE", "cpu")
    return monkeypatch


def test_web_and_worker_agree_on_the_version(chosen: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = present_model_version(load_settings())
    chosen.setenv("STVG_DECOMPOSER", "rules")
    chosen.setenv("STVG_PRECISION", "float32")
    settings = load_settings()
    grounder = LoadedGrounder(settings)
    assert grounder.model_version == present_model_version(settings) != plain
    assert grounder._grounder.decomposer.name == "rules"
    assert isinstance(grounder._grounder.proposer, CachedProposer)


def test_empty_variables_leave_the_preset_alone(chosen: pytest.MonkeyPatch) -> None:
    before = method_settings(load_settings())
    for name in (
        "PRECISION",
        "PROPOSER",
        "DETECTOR",
        "TRACKER",
        "DECOMPOSER",
        "DECOMPOSER_MODEL",
        "LLM_URL",
        "LLM_KEY",
        "PRESET",
        "SET",
    ):
        chosen.setenv(f"STVG_{name}", "")
    assert method_settings(load_settings()) == before


def test_the_endpoint_is_asked_for_at_the_start(chosen: pytest.MonkeyPatch) -> None:
    chosen.setenv("STVG_DECOMPOSER", "endpoint")
    chosen.setenv("STVG_DECOMPOSER_MODEL", "some-model")
    with pytest.raises(EndpointError, match="http://host"):
        LoadedGrounder(load_settings())
    chosen.setenv("STVG_LLM_URL", "http://127.0.0.1:9/v1")
    assert LoadedGrounder(load_settings())._grounder.decomposer.name == "endpoint"


def test_an_unknown_choice_is_named(chosen: pytest.MonkeyPatch) -> None:
    chosen.setenv("STVG_PROPOSER", "yolo")
    with pytest.raises(SettingsError, match="STVG_PROPOSER"):
        load_settings()


def test_who_wins(chosen: pytest.MonkeyPatch, folder: Path) -> None:
    """The command line over the environment over the model's own preset over the defaults."""
    (folder / "stvg.json").write_text(json.dumps({"settings": {"decomposer": "rules", "lra_steps": 3}}))
    try:
        settings = load_settings()
        assert (method_settings(settings).decomposer, method_settings(settings).lra_steps) == ("rules", 3)
        chosen.setenv("STVG_PRESET", "paper")
        chosen.setenv("STVG_DECOMPOSER", "endpoint")
        chosen.setenv("STVG_SET", "lra_steps=2  tas=no")
        settings = load_settings()
        found = settings.chosen()
        assert (found.settings.decomposer, found.settings.lra_steps, found.settings.tas) == ("endpoint", 2, False)
        assert found.settings.interval == "top_k" and found.sources["interval"] == "STVG_PRESET paper"
        found = settings.with_line("ablation:gti", ["decomposer=rules"]).chosen()
        assert (found.settings.decomposer, found.sources["decomposer"]) == ("rules", "--set")
        assert (found.settings.lra_steps, found.sources["lra_steps"]) == (0, "--preset ablation:gti")
        assert found.settings.interval == "segment", "one preset at a time: --preset stands in place of STVG_PRESET"
        assert settings.chosen().settings.lra_steps == 2, "with_line changes a copy"
    finally:
        (folder / "stvg.json").unlink()


def test_one_place_that_says_two_things_is_refused(chosen: pytest.MonkeyPatch) -> None:
    chosen.setenv("STVG_SET", "proposer=embedded")
    chosen.setenv("STVG_PROPOSER", "grounding_dino")
    with pytest.raises(SettingsError, match="STVG_PROPOSER=grounding_dino and proposer=embedded in STVG_SET"):
        load_settings()
    chosen.setenv("STVG_PROPOSER", "embedded")
    assert method_settings(load_settings()).proposer == "embedded"
    with pytest.raises(SettingsError, match="--proposer embedded and --set proposer=grounding_dino contradict"):
        load_settings().with_line(None, ["proposer=grounding_dino"], {"proposer": "embedded"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SET", "lra_step=2", "The nearest: lra_steps"), ("SET", "tas=perhaps", "true or false"),
        ("SET", "n_slots=0", "at least 1"), ("SET", "centre=2", "between 0 and 1"), ("SET", "tas", "NAME=VALUE"),
        ("SET", "layers=", "at least one"), ("SET", "guard=-1", "at least 0"), ("SET", "lra_lr=-8", "at least 0"),
        ("SET", "layers=1,1", "different"), ("PRESET", "papers", "The nearest: paper"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_said_at_the_start(chosen: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    chosen.setenv(f"STVG_{name}", value)
    with pytest.raises(SettingsError, match=f"STVG_{name}: .*{said}"):
        load_settings()


def test_what_the_line_says_goes_to_another_command(chosen: pytest.MonkeyPatch) -> None:
    """The workers of a run are told on their own command line."""
    line = load_settings().with_line("paper", ["proposer=embedded", "layers=0,1", "proposer_weight=none", "tas=off"])
    words = line.line()
    assert words[:2] == ["--preset", "paper"] and words[2::2] == ["--set"] * 4
    again = load_settings().with_line(words[1], words[3::2])
    assert again.chosen() == line.chosen() and again.chosen().settings.layers == (0, 1)
    assert load_settings().line() == []


def test_who_only_grounds_reads_nothing_else(chosen: pytest.MonkeyPatch) -> None:
    chosen.setenv("STVG_PORT", "none")
    assert load_method_settings().model == load_method_settings().with_line(None, []).model
    with pytest.raises(SettingsError, match="STVG_PORT"):
        load_settings()


def test_the_key_of_the_language_model_is_a_secret(chosen: pytest.MonkeyPatch) -> None:
    chosen.setenv("STVG_LLM_KEY", "sk-very-secret")
    settings = Settings()
    assert "sk-very-secret" not in repr(settings)
    assert "sk-very-secret" in set(settings.secrets())
