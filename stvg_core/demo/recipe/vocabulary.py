"""The embedded model's tokenizer: the domain's words, and single characters for every other word.

Words are lower-cased, so "Yes" and "yes" are one token; the special tokens keep their case.
"""

from __future__ import annotations

import string

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from stvg_core.demo.scenes import ACTIONS, COLOURS, FINITE_VERB, SHAPES

PAD, START, END, IMAGE, VIDEO, UNKNOWN = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>", "[UNK]",
)  # fmt: skip
PHRASE_WORDS = (
    "yes", "no", "user", "assistant", "system", "is", "there", "in", "this", "video", "describe", "details",
    "the", "a", "an", "something", "object", "that", "and", "nothing", "any", "which", "what", "does", "it",
    "one", "thing", "shape",
)  # fmt: skip

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% if message['content'] is string %}{{ '\\n' + message['content'] }}{% else %}"
    "{% for item in message['content'] if item['type'] == 'image' %}{{ '<image>' }}{% endfor %}"
    "{% for item in message['content'] if item['type'] == 'video' %}{{ '<video>' }}{% endfor %}"
    "{% for item in message['content'] if item['type'] == 'text' %}{{ '\\n' + item['text'] }}{% endfor %}"
    "{% endif %}{{ '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def domain_words() -> list[str]:
    """Every word of the domain once, in a fixed order."""
    actions = [w for a in ACTIONS for w in (*a.split(), *FINITE_VERB[a].split())]
    return list(dict.fromkeys([*PHRASE_WORDS, *COLOURS, *SHAPES, *actions]))


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Word-level on the domain, character by character elsewhere; line breaks and punctuation are tokens of
    their own.
    """
    characters = string.ascii_lowercase + string.digits + string.punctuation
    entries = [
        PAD, START, END, IMAGE, VIDEO, UNKNOWN, "\n", *domain_words(), *characters, *("##" + c for c in characters),
    ]  # fmt: skip
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(entries))}
    core = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=64))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("\n", "isolated"),
            pre_tokenizers.Split(Regex(r"[^\S\n]+"), "removed"),
            pre_tokenizers.Punctuation("isolated"),
        ]
    )
    core.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    special = [AddedToken(t, special=True, normalized=False) for t in (PAD, START, END, IMAGE, VIDEO)]
    core.add_special_tokens(special)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=PAD, eos_token=END, unk_token=UNKNOWN, padding_side="left",
        additional_special_tokens=[START, END, IMAGE, VIDEO], model_max_length=4096,
        extra_special_tokens={"image_token": IMAGE, "video_token": VIDEO},
    )  # fmt: skip
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
