"""What is said when a checkpoint cannot be loaded, and what is read from one that can."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stvg_core.errors import ModelError
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.pixels import PixelPreparation
from stvg_core.mllm.prompts import answer_ids


@pytest.fixture
def copy(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


def test_answers_pool_case_and_space(tiny: LoadedModel) -> None:
    tokenizer = tiny.prompts.tokenizer
    assert tokenizer.convert_ids_to_tokens(list(tiny.yes_ids)) == ["yes"]
    assert set(tiny.yes_ids).isdisjoint(tiny.no_ids)
    with pytest.raises(ModelError, match="no single token"):
        answer_ids(tokenizer, "yes", "perhaps")


def test_unknown_family(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["model_type"] = "bert"
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="'bert' are not supported"):
        load(copy)


def test_missing_chat_template(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="no chat template"):
        load(copy)


def test_a_template_of_its_own_file_as_older_checkpoints_have_it(copy: Path, tiny: LoadedModel) -> None:
    template = (copy / "chat_template.jinja").read_text()
    (copy / "chat_template.jinja").unlink()
    (copy / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    assert load(copy, device="cpu").prompts.suffix("a star.") == tiny.prompts.suffix("a star.")


def test_a_template_for_text_alone(copy: Path) -> None:
    (copy / "chat_template.jinja").write_text("{% for m in messages %}{{ 'user ' + m['content'] }}{% endfor %}")
    with pytest.raises(ModelError, match="cannot show a video and a question"):
        load(copy, device="cpu")
    (copy / "chat_template.jinja").write_text("user {{ messages[0]['content'][1]['text'] }} assistant")
    with pytest.raises(ModelError, match="no place for a video"):
        load(copy, device="cpu")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "video_preprocessor_config.json"])
def test_files_that_are_cut_off(copy: Path, name: str) -> None:
    text = (copy / name).read_text()
    (copy / name).write_text(text[: len(text) // 2])
    with pytest.raises(ModelError) as caught:
        load(copy, device="cpu")
    assert "\n" not in str(caught.value) and str(copy) in str(caught.value)


def test_a_frame_size_is_required(copy: Path) -> None:
    file = copy / "video_preprocessor_config.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps(values | {"size": {"shortest_edge": 56}}))
    with pytest.raises(ModelError, match="not understood"):
        PixelPreparation.from_checkpoint(copy)
    file.write_text(json.dumps({name: value for name, value in values.items() if name != "image_mean"}))
    with pytest.raises(ModelError, match="image_mean"):
        PixelPreparation.from_checkpoint(copy)
    file.unlink()
    with pytest.raises(ModelError, match="frame size"):
        PixelPreparation.from_checkpoint(copy)


def test_pixels_are_scaled_as_configured(tiny: LoadedModel) -> None:
    frames = np.full((2, 31, 77, 3), 255, np.uint8)
    pixels = tiny.pixels(frames)
    assert pixels.shape == (2, 3, 56, 56)
    assert float(pixels.min()) == pytest.approx(1.0) == float(pixels.max())


def test_files_as_the_published_checkpoints_have_them(tiny_folder: Path, copy: Path) -> None:
    """A processor_config.json without a frame size beside a preprocessor_config.json with one: the latter is read."""
    values = (copy / "video_preprocessor_config.json").read_text()
    (copy / "video_preprocessor_config.json").unlink()
    (copy / "processor_config.json").write_text(json.dumps({"num_image_tokens": 729}))
    (copy / "preprocessor_config.json").write_text(values)
    assert PixelPreparation.from_checkpoint(copy) == PixelPreparation.from_checkpoint(tiny_folder)
