"""Is the model that is shown pictures set up? Asked on demand only."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from backend.doctor import checkpoints, gpu, language
from backend.doctor.installation import Installation
from tests.doctor.test_here import one, settings
from tests.language.chat_server import Reply, said, serving

KEY = "k" * 20


def speaking(**more: Any) -> Any:
    return settings(locator="speak", proposer="embedded", llm_model="m", llm_key=SecretStr(KEY), **more)


def test_attention_needs_none() -> None:
    assert one(language.check_chat, Installation(settings()))[0] == "ok"


@pytest.mark.parametrize(
    ("ask", "reply", "status", "asked"),
    [(False, Reply(500), "ok", 0), (True, said("ready"), "ok", 1), (True, Reply(401), "fail", 1),
     (True, Reply(404), "fail", 1)],
)  # fmt: skip
def test_it_is_asked_with_one_picture_on_demand(ask: bool, reply: Reply, status: str, asked: int) -> None:
    with serving() as server:
        server.replies = [reply]
        found, line = one(language.check_chat, Installation(speaking(llm_url=server.url), ask=ask))
        assert (found, len(server.requests)) == (status, asked) and KEY not in line
        if asked:
            assert server.requests[0].body["messages"][0]["content"][1]["type"] == "image_url"


@pytest.mark.parametrize(
    ("given", "variable"),
    [({"llm_model": "m"}, "STVG_LLM_URL"), ({"llm_url": "http://127.0.0.1:9/v1"}, "STVG_LLM_MODEL")],
)
def test_half_of_an_endpoint(given: dict[str, Any], variable: str) -> None:
    status, line = one(language.check_chat, Installation(settings(locator="marks", **given)))
    assert status == "fail" and variable in line


def test_no_weights_and_no_gpu_are_asked_for() -> None:
    here = Installation(speaking(llm_url="http://127.0.0.1:9/v1", model="/nowhere"))
    status, line = one(checkpoints.check_model, here)
    assert status == "ok" and "No model is loaded" in line
    assert one(gpu.check, here)[0] == "ok"
