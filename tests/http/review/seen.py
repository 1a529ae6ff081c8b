"""What a person sees on the review pages."""

from __future__ import annotations

import html
import re

from flask.testing import FlaskClient

from tests.http.visitors import HTML


def page(web: FlaskClient, path: str) -> str:
    response = web.get(path, headers=HTML)
    assert response.status_code == 200, response.text
    return response.text


def seen_on(text: str) -> str:
    return text.partition('name="seen" value="')[2].partition('"')[0]


def linked(text: str, rel: str) -> str:
    """Where the link of a kind leads."""
    found = re.search(rf'rel="{rel}" href="([^"]+)"', text)
    assert found is not None, rel
    return html.unescape(found[1])


def tasks_on(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'<tr data-task="(\d+)"', text)]
