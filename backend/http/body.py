"""Is the request's body JSON?"""

from __future__ import annotations

import json
from typing import Any

from flask import abort, request

from backend.labelstudio.values import PayloadError, check_body


def raw_body() -> bytes:
    """The body as it came; larger than the cap is refused with 413 while reading."""
    body = request.get_data(cache=False)
    cap = request.max_content_length
    if not request.content_length and cap is not None and len(body) >= cap:
        abort(413)  # a body without a stated length is cut at the cap without a word
    return body


def parse_json(body: bytes, *, leave: str | None = None) -> Any:
    """The decoded JSON, with nothing in it that could not be kept; raises PayloadError.

    Args:
        leave: a key of the outer object whose value the caller looks at himself.
    """
    try:
        decoded = json.loads(body)
    except RecursionError:
        raise PayloadError("The body is nested too deeply.") from None
    except ValueError:
        raise PayloadError("The body is not valid JSON.") from None
    outer = (
        decoded if leave is None or not isinstance(decoded, dict) else {k: v for k, v in decoded.items() if k != leave}
    )
    check_body(outer)
    return decoded
