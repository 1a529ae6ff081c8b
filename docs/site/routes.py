"""The page of the HTTP routes, from the description that the service itself gives (``/openapi.json``)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from backend.db.engine import Database
from backend.http.app import create_app
from backend.http.openapi import describe
from backend.settings import Settings

HEAD = """# HTTP

Read from the OpenAPI description that the service gives at `/openapi.json` (with the credentials). Whoever
writes a program against the service should read that file: it has every field of every body.

How to log in: [deployment](../deployment.md#other-programs), [accounts](../accounts.md).
"""


def described() -> dict[str, Any]:
    """The OpenAPI description of an app that has no database and calls nobody."""
    secret = SecretStr("only for the description")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            username="docs", password=secret, api_token=secret, webhook_token=secret, secret_key=secret,
            label_studio_url=None, label_studio_token=None, data_dir=Path(folder),
        )  # fmt: skip
        database = Database(f"sqlite:///{folder}/none.sqlite3")
        return describe(create_app(settings, database=database, model_version="none"))


def page() -> str:
    """The page as Markdown."""
    found = described()
    lines = [HEAD, "## Ways to log in", "", "| name | what is sent |", "|---|---|"]
    for name, way in found["components"]["securitySchemes"].items():
        where = f"{way['in']} `{way['name']}`" if "in" in way else f"`Authorization: {way['scheme'].title()}`"
        lines.append(f"| {name} | {where}: {way['description']} |")
    lines += ["", "## Routes", ""]
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            lines += [f"### {method.upper()} {path}", "", *_about(operation), ""]
    return "\n".join(lines)


def _about(operation: dict[str, Any]) -> Iterator[str]:
    yield from (_text(operation["summary"]), "")
    if "description" in operation:
        yield from (_text(operation["description"]), "")
    ways = [" and ".join(way) for way in operation["security"]]
    yield from (f"Log-in: {', or '.join(ways) if any(ways) else 'none'}.", "")
    if operation["parameters"]:
        yield from ("| parameter | where | values |", "|---|---|---|")
        for each in operation["parameters"]:
            yield f"| `{each['name']}` | {each['in']} | {_values(each.get('schema', {}))} |"
        yield ""
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        yield from (
            f"Body, `{kind}`:",
            "",
            "```json",
            json.dumps(body["schema"], indent=2, ensure_ascii=False),
            "```",
            "",
        )
    yield from ("| status | what |", "|---|---|")
    for status, answer in operation["responses"].items():
        kinds = ", ".join(f"`{kind}`" for kind in answer.get("content", {}))
        yield f"| {status} | {_text(answer['description'])}{': ' + kinds if kinds else ''} |"


def _values(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "any")
    return ", ".join(kind) if isinstance(kind, list) else str(kind)


def _text(said: str) -> str:
    return said.replace("``", "`").replace("|", "\\|").replace("<", "&lt;")
