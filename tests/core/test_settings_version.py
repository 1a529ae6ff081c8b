from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from stvg_core import settings as of_settings
from stvg_core.demo import MODEL_DIR
from stvg_core.errors import ModelError
from stvg_core.settings import GroundingSettings, JoinedSettings, SeenSettings, resolve
from stvg_core.version import model_version


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "my-model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"model_type": "llava_onevision"}))
    (model / "model.safetensors").write_bytes(b"weights")
    return model


def test_version_is_stable_and_names_family_folder_weights_and_settings(folder: Path) -> None:
    version = model_version(folder)
    assert version == model_version(str(folder))
    assert version.startswith("llava-onevision-my-model@")
    assert version.endswith("/" + GroundingSettings().digest())


def test_version_changes_with_weights_and_with_settings(folder: Path) -> None:
    before = model_version(folder)
    assert model_version(folder, replace(GroundingSettings(), tas=False)) != before
    (folder / "model.safetensors").write_bytes(b"Weights")
    after = model_version(folder)
    assert after.split("/")[0] != before.split("/")[0]
    assert after.split("/")[1] == before.split("/")[1]


def test_hub_ids_and_missing_folders(folder: Path) -> None:
    assert model_version("owner/name").startswith("owner--name@main/")
    assert model_version("owner/name@abc").startswith("owner--name@abc/")
    with pytest.raises(ModelError, match="no model folder"):
        model_version("./missing")
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"no config\.json"):
        model_version(folder)


def test_a_models_preset_is_used_unless_the_caller_chose(folder: Path) -> None:
    (folder / "stvg.json").write_text(json.dumps({"settings": {"layers": [1, 2], "lra_lr": 0.1}}))
    assert resolve(folder, None) == GroundingSettings(layers=(1, 2), lra_lr=0.1)
    assert resolve(folder, GroundingSettings(top_k=3)) == GroundingSettings(top_k=3)
    (folder / "stvg.json").write_text(json.dumps({"settings": {"nonsense": 1}}))
    with pytest.raises(ModelError, match="cannot be used"):
        resolve(folder, None)


def test_digests_outlive_new_versions_of_this_code() -> None:
    """Stored predictions are known by it: a changed digest asks for every video again."""
    assert GroundingSettings().digest() == "a57c74ee"
    assert resolve(MODEL_DIR, None).digest() == "400a3fd4"


def test_what_was_done_before_a_setting_was_there_keeps_its_digests() -> None:
    """Actions named their subject by the whole phrase, of equal tracks the first was chosen: what was predicted so is
    not asked again.
    """
    detected = GroundingSettings(proposer="grounding_dino", ties="first")
    assert detected.digest() == "ddd81664"
    assert GroundingSettings(detect_every=10, tracking="chosen") == GroundingSettings()
    before = replace(detected, action_subject="phrase", lra_guard=False)
    assert before.digest() == "e13bd173"
    before = replace(before, proposer="embedded")
    assert before.looks_digest() == "266975df"
    assert resolve(MODEL_DIR, None).looks_digest() == "e3e34790"


def test_boxes_that_are_found_in_another_way_are_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the model was shown stays the same, so stored scores can still be joined under it."""
    embedded, detected = GroundingSettings(), GroundingSettings(proposer="grounding_dino")
    before = embedded.digest(), embedded.looks_digest(), detected.digest()
    monkeypatch.setitem(of_settings.SEARCHING, "embedded", 3)
    assert embedded.digest() != before[0]
    assert (embedded.looks_digest(), detected.digest()) == before[1:]


def test_an_unknown_form_of_the_action_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="noun or phrase"):
        GroundingSettings(action_subject="nuon")  # type: ignore[arg-type]
    (folder / "stvg.json").write_text(json.dumps({"settings": {"action_subject": "nuon"}}))
    with pytest.raises(ModelError, match="noun or phrase"):
        resolve(folder, None)


@pytest.mark.parametrize("name", [field.name for field in fields(JoinedSettings)])
def test_what_decides_after_the_model_has_spoken_is_no_part_of_the_looks(name: str) -> None:
    other = {
        "attention": "raw", "guard": 0.2, "role_tokens": "token-2", "gti_rows": "raw", "tas_operator": "forward",
        "tas_temporal": True, "coverage": "peak", "ties": "first", "proposer_weight": 0.5, "interval": "top_k",
        "top_k": 3, "centre": 0.1, "snap_ends": True,
    }  # fmt: skip
    changed = replace(GroundingSettings(), **{name: other[name]})
    assert changed.digest() != GroundingSettings().digest()
    assert changed.looks_digest() == GroundingSettings().looks_digest()


@pytest.mark.parametrize(
    "change",
    [
        {"n_slots": 12}, {"lra_steps": 0}, {"tas": False}, {"second_look": True}, {"layers": (1,)},
        {"action_subject": "phrase"}, {"lra_guard": False}, {"detect_every": 5}, {"tracking": "all"},
        {"v_s_question": "sentence"}, {"locator": "speak"}, {"shown_most": 16}, {"shown_per_second": 1.0},
        {"shown_side": 336}, {"locator_model": "m"}, {"temporal_heads": ("1.0",)},
    ],
    ids=str,
)  # fmt: skip
def test_what_the_model_is_shown_or_asked_is(change: dict[str, object]) -> None:
    assert replace(GroundingSettings(), **change).looks_digest() != GroundingSettings().looks_digest()


def test_every_setting_belongs_to_one_half() -> None:
    seen, joined, whole = (
        {field.name for field in fields(one)} for one in (SeenSettings, JoinedSettings, GroundingSettings)
    )
    assert not seen & joined and seen | joined == whole


@pytest.mark.parametrize(
    "change",
    [
        {"n_slots": 0}, {"lra_steps": -1}, {"top_k": 0}, {"lra_branches": ("both",)}, {"detect_every": 0},
        {"detect_every": 2.5}, {"tracking": "some"}, {"coverage": "masks"}, {"ties": "last"},
    ],
    ids=str,
)  # fmt: skip
def test_values_of_either_half_are_checked(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        GroundingSettings(**change)  # type: ignore[arg-type]


def test_rows_of_another_name_are_refused_for_the_choice_of_the_token() -> None:
    with pytest.raises(ValueError, match="same, relative or raw"):
        GroundingSettings(gti_rows="neutral")  # type: ignore[arg-type]


def test_v_s_is_learnt_with_one_of_two_questions() -> None:
    with pytest.raises(ValueError, match="attribute or sentence"):
        GroundingSettings(v_s_question="action")  # type: ignore[arg-type]


def test_the_order_of_heads_is_no_other_setting(folder: Path) -> None:
    one, other = (GroundingSettings(temporal_heads=heads) for heads in (("10.2", "3.1"), ("3.1", "10.2")))
    assert one == other and one.temporal_heads == ("3.1", "10.2") and one.digest() == other.digest()
    (folder / "stvg.json").write_text(json.dumps({"settings": {"temporal_heads": ["10.2", "3.1"]}}))
    assert resolve(folder, None) == one
    (folder / "stvg.json").write_text(json.dumps({"settings": {"temporal_heads": [3.1]}}))
    with pytest.raises(ModelError, match="temporal_heads"):
        resolve(folder, None)


@pytest.mark.parametrize("heads", [(), ("1.0", "1.0"), ("3",), ("3.1.2",), ("-1.0",), ("3.01",), ("a.b",), ("3. 1",)])
def test_heads_that_are_none(heads: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="temporal_heads"):
        GroundingSettings(temporal_heads=heads)


@pytest.mark.parametrize("name", ["gti", "mean", "token-1", "token-12"])
def test_role_tokens(name: str) -> None:
    assert GroundingSettings(role_tokens=name).role_tokens == name


@pytest.mark.parametrize("name", ["", "token-0", "token--1", "token-1 ", "max"])
def test_role_tokens_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="token-N"):
        GroundingSettings(role_tokens=name)
