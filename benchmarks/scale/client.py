"""Requests as Label Studio and a browser send them, with the time that each took."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import numpy as np

Address = tuple[str, int]


@dataclass(frozen=True)
class Answer:
    """Of one request; ``seconds`` from the first byte sent to the last one read."""

    status: int
    seconds: float
    body: bytes
    headers: Mapping[str, str]
    cookies: tuple[str, ...] = ()

    def json(self) -> Any:
        return json.loads(self.body)

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def ask(
    address: Address, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None,
    limit: float = 60.0,
) -> Answer:  # fmt: skip
    """One request on a connection of its own, as Label Studio's ``requests`` does it; OSError where no answer comes."""
    began = time.perf_counter()
    connection = HTTPConnection(*address, timeout=limit)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    cookies = tuple(response.headers.get_all("Set-Cookie") or ())
    return Answer(response.status, time.perf_counter() - began, content, dict(response.headers), cookies)


def protocol_headers(user: str, password: str) -> dict[str, str]:
    """What Label Studio sends to a backend."""
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {word}", "Content-Type": "application/json"}


def form(fields: Mapping[str, str | list[str]]) -> bytes:
    return urlencode(fields, doseq=True).encode()


def milliseconds(seconds: Iterable[float]) -> dict[str, float]:
    """p50, p99 and the largest, in ms, with how many there are."""
    found = np.asarray(list(seconds), dtype=np.float64) * 1000
    if not found.size:
        return {"n": 0}
    named = {"p50_ms": np.percentile(found, 50), "p99_ms": np.percentile(found, 99), "max_ms": found.max()}
    return {"n": int(found.size)} | {name: round(float(value), 1) for name, value in named.items()}
