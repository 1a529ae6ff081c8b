"""Which model speaks, under which settings, and what its predictions are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.bootstrap import method_settings, open_chat, present_model_version
from backend.language import EndpointError
from backend.settings import Settings
from stvg_core import settings as of_settings
from stvg_core.demo import MODEL_DIR
from stvg_core.setting_layers import ENDPOINTS, NAMED
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.version import model_version

ENDPOINT = {
    "llm_url": "http://127.0.0.1:9/v1?token=hidden",
    "llm_model": "Qwen/Qwen3-VL-8B",
    "llm_key": "sk-secret-0123",
}


def chosen(**given: object) -> Settings:
    return Settings(**given)  # type: ignore[arg-type]


def test_an_endpoint_changes_nothing_where_attention_decides() -> None:
    plain, more = method_settings(chosen()), method_settings(chosen(**ENDPOINT))
    assert more == plain == resolve(MODEL_DIR, None)
    assert present_model_version(chosen(**ENDPOINT)) == present_model_version(chosen())
    assert open_chat(chosen(**ENDPOINT), more) is None


def test_a_locator_of_words_takes_the_named_model_and_no_preset_of_the_one_here() -> None:
    found = chosen(locator="speak", **ENDPOINT).chosen()
    assert found.settings == GroundingSettings(locator="speak", locator_model="Qwen/Qwen3-VL-8B", second_look=True)
    assert found.sources["locator_model"] == NAMED and found.sources["second_look"] == ENDPOINTS
    more = chosen(locator="speak", set="second_look=false shown_most=16", **ENDPOINT).chosen().settings
    assert not more.second_look and more.shown_most == 16, "what is set by hand wins"


def test_without_a_named_model_the_one_here_speaks() -> None:
    given = chosen(locator="marks")
    method = method_settings(given)
    assert method == replace(resolve(MODEL_DIR, None), locator="marks") and open_chat(given, method) is None
    half = chosen(locator="marks", llm_url="http://127.0.0.1:9/v1")
    with pytest.raises(EndpointError, match="STVG_LLM_MODEL"):
        open_chat(half, method_settings(half))


def test_the_named_model_splits_sentences_where_no_other_is_named() -> None:
    assert method_settings(chosen(decomposer="endpoint", **ENDPOINT)).decomposer_model == "Qwen/Qwen3-VL-8B"
    both = chosen(decomposer="endpoint", decomposer_model="other", **ENDPOINT)
    assert method_settings(both).decomposer_model == "other"


def test_the_version_says_who_spoke_and_how_it_was_asked_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    given = chosen(locator="speak", **ENDPOINT)
    version = present_model_version(given)
    assert version.startswith("endpoint-Qwen--Qwen3-VL-8B@speak-1/") and version.count("/") == 1
    assert not any(secret in version for secret in ("sk-secret", "hidden", "127.0.0.1"))
    assert present_model_version(chosen(locator="marks", **ENDPOINT)) != version
    assert present_model_version(chosen(locator="speak", **{**ENDPOINT, "llm_model": "other"})) != version
    assert present_model_version(chosen(locator="speak", **{**ENDPOINT, "llm_url": "http://h/v1"})) == version
    looks = method_settings(given).looks_digest()
    monkeypatch.setitem(of_settings.WORDINGS, "speak", 2)
    assert present_model_version(given).startswith("endpoint-Qwen--Qwen3-VL-8B@speak-2/")
    assert method_settings(given).looks_digest() != looks, "another wording is another look"


def test_the_digests_of_the_papers_locator_are_what_they_were() -> None:
    assert GroundingSettings(locator="attention").digest() == "a57c74ee"
    assert GroundingSettings(locator="speak").digest() != GroundingSettings(locator="marks").digest()


@pytest.mark.parametrize("name", ["a b/c", "модель", "m@1/2", "x" * 300])
def test_any_name_of_a_model_makes_one_version_string(name: str) -> None:
    version = model_version("", GroundingSettings(locator="pick", locator_model=name))
    weights, _, digest = version.rpartition("/")
    assert "/" not in weights and weights.isascii() and len(digest) == 8 and len(version) < 256


@pytest.mark.parametrize(
    "change", [{"locator": "guess"}, {"shown_per_second": 0.0}, {"shown_most": 2}, {"shown_side": 10}], ids=str
)
def test_values_are_checked(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        GroundingSettings(**change)  # type: ignore[arg-type]
