from __future__ import annotations

import json

from stvg_core.decomposition import AskingDecomposer, CachedDecomposer
from stvg_core.decomposition.asking import _EXAMPLES, max_tokens_for
from stvg_core.decomposition.checking import parts_of, whole
from stvg_core.errors import StvgError

SENTENCE = "the man in red who sits down"
ANSWER = json.dumps({"attribute": "the man in red", "action": "the man in red sits down"})


class Told:
    """A language model that says what it was told to, in turn; an exception is raised instead."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.prompts: list[str] = []

    def __call__(self, prompt: str, max_tokens: int) -> str:
        self.prompts.append(prompt)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_answer_becomes_the_sub_queries() -> None:
    model = Told(ANSWER)
    parts = AskingDecomposer("told", model).decompose(SENTENCE)
    assert (parts.attribute, parts.action, parts.found) == ("the man in red", "the man in red sits down", True)
    assert model.prompts[0].endswith(f'Sentence: "{SENTENCE}"')


def test_answers_are_remembered_usable_or_not() -> None:
    model = Told(ANSWER, "rubbish")
    decomposer = CachedDecomposer(AskingDecomposer("told", model))
    assert decomposer.name == "told"
    assert [decomposer.decompose(SENTENCE).found for _ in range(3)] == [True] * 3
    assert [decomposer.decompose("a dog barks").found for _ in range(3)] == [False] * 3
    assert len(model.prompts) == 2


def test_failures_are_not_remembered() -> None:
    decomposer = CachedDecomposer(AskingDecomposer("told", Told(StvgError("away"), ANSWER)))
    assert decomposer.decompose(SENTENCE) == whole(SENTENCE)
    assert decomposer.decompose(SENTENCE).found


def test_the_sentence_not_used_for_longest_is_forgotten() -> None:
    model = Told(*["rubbish"] * 4)
    decomposer = CachedDecomposer(AskingDecomposer("told", model), size=2)
    for sentence in ("a", "b", "a", "c", "a", "b"):  # c pushes b out, so b is asked twice
        decomposer.decompose(sentence)
    assert [prompt[-2] for prompt in model.prompts] == ["a", "b", "c", "b"]


def test_the_examples_pass_the_check_that_answers_must_pass() -> None:
    for sentence, (attribute, action) in _EXAMPLES.items():
        assert parts_of(json.dumps({"attribute": attribute, "action": action}), sentence) is not None, sentence


def test_the_token_limit_follows_the_sentence_and_ends() -> None:
    assert max_tokens_for("x" * 100) == 164
    assert max_tokens_for("x" * 2000) == 512
