"""Prompts token by token, with a vocabulary that can be read at a glance.

    <s>U: <video>QUESTION<end>A:    ->    <s> U : space <video>, the question letter by letter, <end> A :

The longest word of the vocabulary that fits is the next token, else one character.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from jinja2 import TemplateError

from stvg_core.errors import ModelError
from stvg_core.mllm.prompts import PromptLayout, QuestionBatch, answer_ids
from stvg_core.mllm.spelling import Spelling

VIDEO = "<video>"


class Vocabulary:
    """A tokenizer; a token's id is its number among the words, and a character's its code point."""

    bos_token: str | None = "<s>"
    unk_token_id = 63  # "?"

    def __init__(
        self, *words: str, template: str = "<s>U: <video>{}<end>A:", same: dict[str, str] | None = None
    ) -> None:
        self.words = ["<s>", "<end>", VIDEO, *words]
        self.template, self.same = template, same or {}

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        ids = [0] if add_special_tokens else []
        while text:
            word = max((word for word in self.words if text.startswith(word)), key=len, default=text[0])
            text = text[len(word) :]
            word = self.same.get(word, word)
            ids.append(self.words.index(word) if word in self.words else ord(word))
        return {"input_ids": ids}

    def decode(self, ids: list[int]) -> str:
        return "".join(self.words[number] if number < len(self.words) else chr(number) for number in ids)

    def convert_ids_to_tokens(self, number: int) -> str:
        return self.decode([number])

    def get_added_vocab(self) -> dict[str, int]:
        return {"<s>": 0, "<end>": 1, VIDEO: 2, "": 9}

    def apply_chat_template(self, messages: Any, *, tokenize: bool, add_generation_prompt: bool) -> str:
        (message,) = messages
        video, text = message["content"]
        assert message["role"] == "user" and video == {"type": "video"} and text["type"] == "text"
        assert tokenize is False and add_generation_prompt is True
        return self.template.format(text["text"])


def codes(text: str) -> list[int]:
    return [ord(character) for character in text]


def test_a_prompt_is_split_at_the_video() -> None:
    layout = PromptLayout.of(Vocabulary(), 2)
    assert layout.role_length == 3
    assert layout.head == (0, *codes("U: ")), "the template's own beginning is not doubled"
    assert layout.suffix("a.") == [*codes("a."), 1, *codes("A:")]
    assert layout.before_slots((0.0,)) == [list(layout.head)]


def test_a_template_without_a_beginning_gets_one() -> None:
    assert PromptLayout.of(Vocabulary(template="U: <video>{}<end>"), 2).head == (0, *codes("U: "))
    without = Vocabulary(template="U: <video>{}<end>")
    without.bos_token = None
    assert PromptLayout.of(without, 2).head == (0, *codes("U: "))


def test_what_is_written_around_slots_goes_by_number_and_time() -> None:
    spelling = Spelling(("<v>", VIDEO), VIDEO, lambda number, seconds: f"{number}at{seconds}", "]", ",")
    layout = PromptLayout.of(Vocabulary(), 2, spelling)
    assert layout.before_slots((0.0, 1.5)) == [[0, *codes("U: 0at0.0")], codes("],1at1.5")]
    assert layout.head == (0, *codes("U: 0at0.0"))
    assert layout.suffix("a") == [*codes("]a"), 1, *codes("A:")]


def test_a_template_that_says_nothing_after_the_question() -> None:
    with pytest.raises(ModelError) as error:
        PromptLayout.of(Vocabulary(template="<s>U: <video>{}"), 2)
    assert str(error.value) == (
        "The model's chat template puts nothing after the user's words; it cannot ask for an answer."
    )


def test_a_template_that_says_the_same_whatever_is_asked() -> None:
    """Everything after the video is shared then, from its first token to its last."""
    assert PromptLayout.of(Vocabulary(template="<s><video>AB"), 2).role_length == 2


def test_a_placeholder_without_a_token() -> None:
    with pytest.raises(ModelError) as error:
        PromptLayout.of(Vocabulary(), 7, Spelling((VIDEO,), VIDEO))
    assert str(error.value) == "The tokenizer has no token for <video>, which stands for the video."


@pytest.mark.parametrize("fault", [TemplateError("no"), TypeError("no")])
def test_a_template_that_fails(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise fault

    monkeypatch.setattr(Vocabulary, "apply_chat_template", fail)
    with pytest.raises(ModelError) as error:
        PromptLayout.of(Vocabulary(), 2)
    assert str(error.value) == "The model's chat template cannot show a video and a question: no"


@pytest.mark.parametrize(
    ("question", "places"),
    [
        ("a dog.", (4, 3, 2, 1)),
        ("a dog", (3, 2, 1)),
        ("a dog?", (3, 2, 1)),
        ('a "dog."', (5, 3, 2, 1)),  # the quote after it is a token that is not watched
        ("a dog.’ ”", (7, 3, 2, 1)),
        ("(a dog.).", (4, 3, 2, 1)),
        ("一条狗。", (4, 3, 2, 1)),
        ('a dog..."', (4, 3, 2, 1)),  # one token: ..."
        ("a dog, too", (3, 2, 1)),
        (".", (4, 3, 2, 1)),
        (")", (3, 2, 1)),
        ("", (3, 2, 1)),
    ],
)
def test_watched_are_the_role_tokens_and_a_final_full_stop(question: str, places: tuple[int, ...]) -> None:
    assert PromptLayout.of(Vocabulary('..."'), 2).watched(question) == places


def test_a_character_of_several_tokens_is_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The full stop as two tokens, neither of which is a character by itself."""

    class Bytes(Vocabulary):
        def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
            return super().__call__(text.replace("。", "\u0300\u0301"), add_special_tokens)

        def decode(self, ids: list[int]) -> str:
            text = super().decode(ids).replace("\u0300\u0301", "。")
            text = text.replace("\u0300", "\N{REPLACEMENT CHARACTER}").replace("\u0301", "\N{REPLACEMENT CHARACTER}")
            return f" {text}" if text.startswith("\N{REPLACEMENT CHARACTER}") else text  # as Llama's do

    layout = PromptLayout.of(Bytes(), 2)
    assert layout.watched("狗。") == (4, 3, 2, 1)
    assert layout.watched("狗。”") == (5, 3, 2, 1)


def test_special_tokens_in_a_question_stay_words() -> None:
    layout = PromptLayout.of(Vocabulary(), 2)
    assert layout.suffix("a <end> and <video>.")[:-3] == codes("a < end> and < video>.")


def test_without_special_tokens_a_question_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Vocabulary, "get_added_vocab", lambda _: {})
    assert PromptLayout.of(Vocabulary(), 2).suffix("a <b>.")[:-3] == codes("a <b>.")


def test_a_batch_ends_together() -> None:
    """ "ab." and "c" on a prefix of 2 tokens after which text goes on at 10."""
    batch = QuestionBatch.of(PromptLayout.of(Vocabulary(), 2), ["ab.", "c"], prefix=2, next_position=10)
    roles = [1, *codes("A:")]
    assert batch.ids.tolist() == [[*codes("ab."), *roles], [*codes("ccc"), *roles]]
    assert batch.positions.tolist() == [[10, 11, 12, 13, 14, 15], [10, 10, 10, 11, 12, 13]]
    seen = torch.ones(6, 6, dtype=torch.bool).tril()
    assert batch.mask.shape == (2, 1, 6, 8) and batch.mask.dtype == torch.bool
    assert batch.mask[:, 0, :, :2].all() and batch.mask[0, 0, :, 2:].equal(seen)
    padded = seen.clone()
    padded[:, :2] = False
    assert batch.mask[1, 0, :, 2:].equal(padded)
    assert batch.watched == [(4, 3, 2, 1), (3, 2, 1)]


SIX = [space + word for space in ("", " ") for word in ("yes", "no", "Yes", "No", "YES", "NO")]


def ids(tokenizer: Vocabulary, *words: str) -> tuple[int, ...]:
    return tuple(tokenizer.words.index(word) for word in words)


def test_all_six_spellings_are_pooled() -> None:
    tokenizer = Vocabulary(*SIX)
    yes, no = answer_ids(tokenizer, "yes", "no")
    assert yes == ids(tokenizer, "yes", "Yes", "YES", " yes", " Yes", " YES")
    assert no == ids(tokenizer, "no", "No", "NO", " no", " No", " NO")


@pytest.mark.parametrize("missing", ["YES", " no"])
def test_a_spelling_that_one_answer_lacks_counts_for_none(missing: str) -> None:
    tokenizer = Vocabulary(*(word for word in SIX if word != missing))
    other = missing.replace("YES", "NO") if "YES" in missing else missing.replace("no", "yes")
    yes, no = answer_ids(tokenizer, "yes", "no")
    assert len(yes) == len(no) == 5 and not set(ids(tokenizer, other)) & {*yes, *no}


def test_spellings_that_are_the_same_token_count_once() -> None:
    """A vocabulary without capitals; and one in which both answers became the same token."""
    tokenizer = Vocabulary(*SIX, same={"Yes": "yes", "No": "no", "YES": "yes", "NO": "no", " YES": "no", " NO": "no"})
    yes, no = answer_ids(tokenizer, "yes", "no")
    assert yes == ids(tokenizer, "yes", " yes", " Yes") and no == ids(tokenizer, "no", " no", " No")


def test_a_spelling_that_only_one_answer_shares_with_an_earlier_one() -> None:
    tokenizer = Vocabulary(*SIX, same={"Yes": "yes"})
    yes, no = answer_ids(tokenizer, "yes", "no")
    assert yes == ids(tokenizer, "yes", "YES", " yes", " Yes", " YES") and len(no) == 5


@pytest.mark.parametrize("words", [(), ("yes",), ("Yes", "no")])
def test_no_common_spelling_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ModelError) as error:
        answer_ids(Vocabulary(*words), "yes", "no")
    assert str(error.value) == (
        "The tokenizer has no single token for 'yes' and 'no', so their probability cannot be read."
    )


def test_unknown_words_are_no_answers() -> None:
    tokenizer = Vocabulary(*SIX)
    tokenizer.unk_token_id = tokenizer.words.index("yes")
    assert ids(tokenizer, "yes")[0] not in answer_ids(tokenizer, "yes", "no")[0]


def test_a_word_that_melts_into_the_line_before_is_no_answer() -> None:
    """ "\\nyes" is one token here: what follows the line break is not a token of its own."""
    tokenizer = Vocabulary(*SIX, "\nyes")
    yes, _ = answer_ids(tokenizer, "yes", "no")
    assert yes == ids(tokenizer, "Yes", "YES", " yes", " Yes", " YES")


def test_what_a_tokenizer_puts_around_a_text_is_no_part_of_an_answer() -> None:
    class Closing(Vocabulary):
        def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
            return {"input_ids": super().__call__(text, add_special_tokens)["input_ids"] + [1] * add_special_tokens}

    yes, _ = answer_ids(Closing(*SIX), "yes", "no")
    assert len(yes) == 6
