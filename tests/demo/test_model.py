"""The embedded model's folder: loads like any LLaVA-OneVision checkpoint, is small, and answers held-out
clips.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, LlavaOnevisionForConditionalGeneration

import stvg_core.demo
from stvg_core.demo.clips import split_scene
from stvg_core.demo.scenes import ACTIONS, describe, render, uniform_frames

FOLDER = Path(stvg_core.demo.__file__).parent / "model"
FRAMES = 20


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return LlavaOnevisionForConditionalGeneration.from_pretrained(FOLDER, dtype=torch.float32).eval()


def pixel_values(scene) -> torch.Tensor:
    """(1, T, 3, 96, 96), prepared as preprocessor_config.json says."""
    rules = json.loads((FOLDER / "video_preprocessor_config.json").read_text())
    size = (rules["size"]["width"], rules["size"]["height"])
    frames = render(scene, uniform_frames(scene.n_frames, FRAMES))
    small = np.stack([np.asarray(Image.fromarray(f).resize(size, rules["resample"])) for f in frames])
    scaled = (small * rules["rescale_factor"] - rules["image_mean"]) / rules["image_std"]
    return torch.from_numpy(scaled).float().permute(0, 3, 1, 2)[None]


def says_yes(model, tokenizer, scene, words: str) -> bool:
    """Whether "yes" is likelier than "no" as the first answer token."""
    content = [{"type": "video"}, {"type": "text", "text": words}]
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    prompt = prompt.replace("<video>", "<video>" * (FRAMES * 36 + 1))
    with torch.no_grad():
        logits = model(**tokenizer(prompt, return_tensors="pt"), pixel_values_videos=pixel_values(scene)).logits[0, -1]
    yes, no = (tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("yes", "no"))
    return bool(logits[yes] > logits[no])


def test_files_of_a_standard_checkpoint():
    names = {path.name for path in FOLDER.iterdir()}
    assert names >= {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
        "preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json", "stvg.json",
        "README.md", "training_log.json",
    }  # fmt: skip
    assert (FOLDER / "model.safetensors").stat().st_size <= 12_000_000
    assert (FOLDER / "training_log.json").stat().st_size < 200_000


def test_presets_name_layers_of_the_model(model):
    layers = json.loads((FOLDER / "stvg.json").read_text())["settings"]["layers"]
    assert layers and set(layers) <= set(range(model.config.text_config.num_hidden_layers))


def test_chat_template_has_the_familys_shape(tokenizer):
    content = [{"type": "video"}, {"type": "text", "text": "Is it?"}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    assert text == "<|im_start|>user <video>\nIs it?<|im_end|><|im_start|>assistant\n"
    assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) == [
        "<|im_start|>", "user", "<video>", "\n", "is", "it", "?", "<|im_end|>", "<|im_start|>", "assistant", "\n",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["yes", "Yes", "YES", "no", "No"])
def test_answers_are_single_tokens(tokenizer, word):
    ids = tokenizer(word, add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == [word.lower()]


@pytest.mark.parametrize("text", ["", "zebra crossing, 3 p.m.", "naïve 日本語 🎬", "x" * 300, "tab\tand\nline"])
def test_any_text_has_tokens(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert all(0 <= i < len(tokenizer) for i in ids)
    assert bool(ids) == bool(text)


def test_unknown_words_fall_back_to_characters(tokenizer):
    tokens = tokenizer.tokenize("Zebra")
    assert tokens == ["z", "##e", "##b", "##r", "##a"]


def test_wrong_number_of_video_tokens_is_refused(model, tokenizer):
    """The family's own check is alive: placeholders must match the visual tokens."""
    scene = split_scene("validation", 0)
    with pytest.raises(ValueError, match=r"(?i)tokens"):
        ids = tokenizer("<|im_start|>user <video>\nyes", return_tensors="pt")
        model(**ids, pixel_values_videos=pixel_values(scene))


def test_answers_on_held_out_clips(model, tokenizer):
    """Yes for the query, no for the target doing what nothing of its look does; most of a fixed dozen must be
    right.
    """
    right = []
    for number in range(12):
        scene = split_scene("test", number, difficulty="easy")
        target = scene.objects[scene.target]
        right.append(says_yes(model, tokenizer, scene, f"Is there {scene.query} in this video?"))
        done = {o.action for o in scene.objects if (o.colour, o.shape) == (target.colour, target.shape)}
        wrong = next(a for a in ACTIONS if a not in done)
        other = describe(target.colour, target.shape, wrong)
        right.append(not says_yes(model, tokenizer, scene, f"Is there {other} in this video?"))
    assert np.mean(right) > 0.85
