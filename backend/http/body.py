"""Is the request's body JSON?"""

from __future__ import annotations

import json
from typing import Any

from flask import abort, request

from backend.labelstudio.payloads import PayloadError

_LARGEST = 2**63 - 1


def raw_body() -> bytes:
    """The body as it came; larger than the cap is refused with 413 while reading."""
    body = request.get_data(cache=False)
    cap = request.max_content_length
    if not request.content_length and cap is not None and len(body) >= cap:
        abort(413)  # a body without a stated length is cut at the cap without a word
    return body


def parse_json(body: bytes) -> Any:
    """The decoded JSON; raises PayloadError."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PayloadError("The body is not valid JSON.") from None


def check_number(number: int) -> int:
    """One of Label Studio's numbers, if a database can hold it; raises PayloadError."""
    if not 0 <= number <= _LARGEST:
        raise PayloadError("A project or task has a number that Label Studio cannot have given.")
    return number
