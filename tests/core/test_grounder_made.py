"""What a grounder is made of: by the settings, or what its caller gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stvg_core import pipeline
from stvg_core.errors import ModelError
from stvg_core.pipeline import Grounder
from stvg_core.video import VideoReader
from tests.core.by_hand import SETTINGS, Clip, Loaded, Recorded, Split

IN_WORDS = replace(SETTINGS, locator="speak", locator_model="that one")
CHAT: Any = SimpleNamespace(loaded=None)


Calls = dict[str, tuple[tuple[object, ...], dict[str, object]]]


@pytest.fixture
def calls() -> Calls:
    """The last call of each replaced function."""
    return {}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> Callable[..., None]:
    """Puts answers in the places of the pipeline's functions."""

    def record(name: str, answer: object) -> None:
        def call(*args: object, **named: object) -> object:
            calls[name] = args, named
            return answer

        monkeypatch.setattr(pipeline, name, call)

    def put(**given: object) -> None:
        for name, answer in given.items():
            record(name, answer)

    return put


@pytest.mark.parametrize("given", [False, True])
def test_what_is_loaded(answers: Callable[..., None], calls: Calls, tmp_path: Path, given: bool) -> None:
    """The settings say how; the caller's proposer, decomposer and reader take the places of theirs."""
    settings = replace(SETTINGS, precision="float16", fit="checkpoint")
    loaded, theirs = Loaded("cuda:1"), (object(), object())
    answers(resolve=settings, model_version="version", load=loaded, proposer_for=theirs[0], decomposer_for=theirs[1])
    own: dict[str, Any] = {"proposer": Recorded([]), "decomposer": Split(), "open_video": Clip} if given else {}
    made: Any = Grounder.from_pretrained("model", device="cuda:1", settings=SETTINGS, cache=tmp_path, **own)
    assert calls["resolve"] == (("model", SETTINGS), {}) and calls["model_version"] == (("model", settings), {})
    assert calls["load"] == (("model",), {"device": "cuda:1", "precision": "float16", "fit": "checkpoint"})
    assert (made.loaded, made.settings, made.model_version) == (loaded, settings, "version")
    if given:
        assert (made.proposer, made.decomposer, made._open_video) == tuple(own.values())
        assert not {"proposer_for", "decomposer_for"} & set(calls)
    else:
        assert (made.proposer, made.decomposer, made._open_video) == (*theirs, VideoReader)
        assert calls["proposer_for"] == ((settings,), {"device": "cuda:1", "cache": tmp_path})
        assert calls["decomposer_for"] == ((settings, loaded, None), {})


def test_a_grounder_takes_what_its_settings_name(answers: Callable[..., None], calls: Calls) -> None:
    answers(proposer_for="theirs")
    made: Any = Grounder(Loaded("cuda:1"), SETTINGS, "version", decomposer=Split())  # type: ignore[arg-type]
    assert made.proposer == "theirs" and calls["proposer_for"] == ((SETTINGS,), {"device": "cuda:1"})


@pytest.mark.parametrize("given", [False, True])
def test_over_an_endpoint_nothing_is_loaded(
    answers: Callable[..., None], calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: bool
) -> None:
    """The settings say what is asked, and of whom; the caller's own take the places of theirs."""
    asked: list[tuple[object, ...]] = []

    def of(*args: object) -> SimpleNamespace:
        asked.append(args)
        return SimpleNamespace(device="cuda:2")

    monkeypatch.setattr(pipeline, "Placement", SimpleNamespace(of=of))
    theirs = Recorded([]), Split()
    answers(model_version="version", proposer_for=theirs[0], decomposer_for=theirs[1])
    own: dict[str, Any] = {"proposer": Recorded([]), "decomposer": Split(), "open_video": Clip} if given else {}
    made: Any = Grounder.over(CHAT, IN_WORDS, cache=tmp_path, **own)
    assert asked == [(None, "auto")] and calls["model_version"] == (("", IN_WORDS), {})
    assert (made.loaded, made.settings, made.model_version) == (None, IN_WORDS, "version")
    assert (made.locator.name, made.locator.chat, made.locator.device) == ("speak", CHAT, "cuda:2")
    assert made.locator.follow == made.proposer.follow
    if given:
        assert (made.proposer, made.decomposer, made._open_video) == tuple(own.values())
        assert not {"proposer_for", "decomposer_for"} & set(calls)
    else:
        assert (made.proposer, made.decomposer, made._open_video) == (*theirs, VideoReader)
        assert calls["proposer_for"] == ((IN_WORDS,), {"device": "cuda:2", "cache": tmp_path})
        assert calls["decomposer_for"] == ((IN_WORDS, None, CHAT), {}), "the endpoint splits sentences, too"


def test_over_an_endpoint_the_device_that_is_named_is_taken_unasked(
    answers: Callable[..., None], calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "Placement", None)
    answers(proposer_for=Recorded([]))
    made = Grounder.over(CHAT, IN_WORDS, device="cuda:3", decomposer=Split())
    assert made.locator.device == "cuda:3"
    assert calls["proposer_for"] == ((IN_WORDS,), {"device": "cuda:3", "cache": None})


def test_the_locator_attention_is_refused_over_an_endpoint() -> None:
    with pytest.raises(ModelError) as error:
        Grounder.over(CHAT, replace(IN_WORDS, locator="attention"), device="cpu", proposer=Recorded([]))
    assert str(error.value) == "The locator attention looks with a model on this machine, and none is loaded here."


def test_an_endpoint_without_the_name_of_its_model_is_refused() -> None:
    with pytest.raises(ValueError) as error:
        Grounder.over(CHAT, replace(IN_WORDS, locator_model=""), device="cpu", proposer=Recorded([]))
    assert str(error.value) == "locator_model is empty: predictions must say which model they are by"


def test_without_a_model_here_the_proposer_is_on_the_cpu_unless_it_is_said() -> None:
    made = Grounder(None, IN_WORDS, "version", Recorded([]), Split(), chat=CHAT)
    assert made.locator.device == "cpu"
