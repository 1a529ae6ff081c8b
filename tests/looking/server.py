"""The looking stand-in behind an OpenAI-compatible address, on loopback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.language.chat_server import ChatServer, Reply, Request, serving
from tests.looking.mind import Facts, Seen, take_apart, think

MODEL = "looking-1"
Says = Callable[[Facts], str]
"""Facts -> the words of the answer."""


@dataclass
class Looking:
    """What the server did.

    Attributes:
        says: how it answers; one after the other where there are several, the last again and again.
        facts: of each request with pictures, in the order in which they came.
    """

    chat: ChatServer
    says: list[Says]
    seen: list[Seen] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.chat.url

    def reply(self, request: Request) -> Reply:
        if request.path.partition("?")[0] != "/v1/chat/completions":
            return Reply(404, b'{"detail": "Not Found"}')
        if request.body["model"] != MODEL:
            return Reply(404, b'{"error": {"code": "model_not_found"}}')
        content = request.body["messages"][-1]["content"]
        if isinstance(content, str):
            return _completion(_split(content), 50)
        seen = take_apart(request.body)
        if not seen.words.count("Sentence:"):
            return _completion("ready", 10)
        facts = think(seen)
        self.seen.append(seen)
        self.facts.append(facts)
        says = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        return _completion(says(facts), 100 * len(seen.pictures))


@contextmanager
def looking(*says: Says) -> Iterator[Looking]:
    """A server for the time of the block; without ``says`` it answers in the form that was asked for."""
    with serving() as chat:
        server = Looking(chat, list(says) or [good])
        chat.answer = server.reply
        yield server


def _completion(text: str, tokens: int) -> Reply:
    body = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": len(text) // 4},
    }
    return Reply(body=json.dumps(body).encode())


def _split(prompt: str) -> str:
    """The two halves of a sentence of the domain."""
    sentence = str(json.loads(re.findall(r'^Sentence: (".*")$', prompt, re.MULTILINE)[-1]))
    words = sentence.rstrip(".").split()
    doing = " ".join(word for word in words[3:] if word != "that")
    verb = doing if words[3:4] != words[-2:-1] or not words[3].endswith("ing") else f"is {doing}"
    return json.dumps({"attribute": " ".join(words[:3]), "action": f"the {words[2]} {verb}"})


def as_json(facts: Facts) -> dict[str, Any]:
    """The object that was asked for."""
    assert facts.seen is not None
    if facts.moment is not None:
        return {facts.moment[0]: round(facts.moment[1], 2)}
    if facts.sorted is not None:
        return facts.sorted
    found: dict[str, Any] = {}
    if facts.number is not None:
        found["number"] = facts.number
    if facts.span is not None:
        found |= {"start": round(facts.span[0], 2), "end": round(facts.span[1], 2)}
    if facts.boxes is not None:
        size = np.array(facts.seen.size * 2)
        found["boxes"] = [
            {"picture": picture + 1, "box": (box * 1000 / size).round().astype(int).tolist()}
            for picture, box in facts.boxes
        ]
    return found


def good(facts: Facts) -> str:
    """In the form that was asked for."""
    return json.dumps(as_json(facts))
