from __future__ import annotations

import json
import re

import pytest

from stvg_core.decomposition import AskingDecomposer, CachedDecomposer
from stvg_core.decomposition.asking import _EXAMPLES, max_tokens_for, prompt_for
from stvg_core.decomposition.checking import parts_of
from stvg_core.errors import StvgError
from stvg_core.query import SubQueries, whole
from stvg_core.settings import ActionSubject

SENTENCE = "the man in red who sits down"
ANSWER = json.dumps({"attribute": "the man in red", "action": "the man sits down"})
PHRASE = json.dumps({"attribute": "the man in red", "action": "the man in red sits down"})


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


@pytest.mark.parametrize("answer", [ANSWER, PHRASE])
@pytest.mark.parametrize(
    ("action_subject", "action"), [("noun", "the man sits down"), ("phrase", "the man in red sits down")]
)
def test_the_answer_becomes_the_sub_queries(answer: str, action_subject: ActionSubject, action: str) -> None:
    model = Told(answer)
    parts = AskingDecomposer("told", model, action_subject).decompose(SENTENCE)
    assert parts == SubQueries("the man in red", action, found=True)
    assert model.prompts == [prompt_for(SENTENCE, action_subject)]
    assert model.prompts[0].endswith(f'Sentence: "{SENTENCE}"')


@pytest.mark.parametrize("answer", [ANSWER, PHRASE])
def test_the_bare_noun_is_what_is_asked_for_by_default(answer: str) -> None:
    assert AskingDecomposer("told", Told(answer)).decompose(SENTENCE).action == "the man sits down"
    assert CachedDecomposer(AskingDecomposer("told", Told(answer))).decompose(SENTENCE).action == "the man sits down"


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


@pytest.mark.parametrize("action_subject", ["noun", "phrase"])
def test_the_examples_are_in_the_form_that_answers_are_brought_to(action_subject: ActionSubject) -> None:
    shown = re.findall(r'^Sentence: (".*")\n({.*})$', prompt_for(SENTENCE, action_subject), re.MULTILINE)
    assert len(shown) == len(_EXAMPLES)
    for sentence, answer in shown:
        parts = SubQueries(**json.loads(answer), found=True)
        assert parts_of(answer, json.loads(sentence), action_subject) == parts


def test_the_model_is_shown_the_paper_own_example_in_the_form_of_the_setting() -> None:
    ends = "takes a step forward and sits on the bench"
    assert f'"action": "the man {ends}"' in prompt_for(SENTENCE)
    assert f'"action": "the man in purple clothes {ends}"' in prompt_for(SENTENCE, "phrase")


def test_the_token_limit_follows_the_sentence_and_ends() -> None:
    assert max_tokens_for("x" * 100) == 164
    assert max_tokens_for("x" * 2000) == 512
