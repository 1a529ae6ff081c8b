"""How fast does ``/predict`` answer from the store: one task at a time, and a whole project at once?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from benchmarks.scale import bodies, content, sending
from benchmarks.scale.client import Address, Answer, ask, milliseconds
from benchmarks.scale.target import PROTOCOL, Target

TOGETHER = 5000
_RATE, _CALLS = 50.0, 50


def single(target: Target) -> dict[str, Any]:
    """Requests for one task each whose prediction is stored; every answer must hold it."""
    chosen = list(islice(_suggested(target.tasks), min(target.requests, target.tasks // 2) + 5))
    with target.code.serve() as address:
        answers = [_predict(address, [number], target.limit) for number in chosen]
    empty = sum(not answer.json()["results"][0] for answer in answers)
    if empty:
        raise RuntimeError(f"{empty} of {len(answers)} requests were not answered from the store")
    return milliseconds(answer.seconds for answer in answers[5:])  # the first ones warm up


def together(target: Target) -> dict[str, Any]:
    """Calls with 5,000 tasks one after the other, while webhooks come at 50/s."""
    size, amount = min(TOGETHER, target.tasks), int(_RATE * target.seconds)
    taken: list[float] = []
    given, over = 0, False
    with target.code.serve() as address:
        before = target.count("event")
        with sending.start(address, target, rate=_RATE, count=amount) as webhooks:
            while not over and len(taken) < _CALLS and not (taken and webhooks.over):
                first = 1 + len(taken) * size % target.tasks
                numbers = list(range(first, min(first + size, target.tasks + 1)))
                began = time.monotonic()
                try:
                    answer = _predict(address, numbers, target.limit)
                except TimeoutError:
                    over = True
                else:
                    given = given or sum(bool(entry) for entry in answer.json()["results"])
                taken.append(time.monotonic() - began)
            seen = webhooks.finish()
        stored = target.settles_at("event", before + amount) - before
    return {
        "first_call": {"seconds": round(taken[0], 2), "over_limit": over and len(taken) == 1},
        "slowest_call": {"seconds": round(max(taken), 2), "over_limit": over},
        "calls": len(taken), "tasks_in_a_call": size, "given_in_the_first": given,
        "webhooks": seen | {"lost": amount - stored},
    }  # fmt: skip


def _suggested(tasks: int) -> Iterator[int]:
    """Tasks that have a prediction with a tube, spread over the whole database."""
    step = max(1, tasks * 6180 // 10000) | 1
    while tasks % step == 0 and step > 1:
        step += 2
    for nth in range(tasks):
        number = 1 + nth * step % tasks
        one = content.task(number)
        if one.kind == content.DONE and content.suggested(one):
            yield number


def _predict(address: Address, numbers: list[int], limit: float) -> Answer:
    answer = ask(address, "POST", "/predict", body=bodies.predict(numbers), headers=PROTOCOL, limit=limit)
    if answer.status != 200:
        raise RuntimeError(f"/predict answered {answer.status}: {answer.text()[:500]}")
    return answer
