"""What the environment chooses of the method reaches the worker's model and the web process's version alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.bootstrap import LoadedGrounder, method_settings, present_model_version
from backend.language import EndpointError
from backend.settings import Settings, SettingsError, load_settings
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


def test_the_key_of_the_language_model_is_a_secret(chosen: pytest.MonkeyPatch) -> None:
    chosen.setenv("STVG_LLM_KEY", "sk-very-secret")
    settings = Settings()
    assert "sk-very-secret" not in repr(settings)
    assert "sk-very-secret" in set(settings.secrets())
