"""The page of the service's settings: every ``STVG_`` variable, with its kind and default as the classes have them."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from backend.settings import Settings
from docs.site.modules import ROOT
from stvg_core.demo import MODEL_DIR

HEAD = """# Service settings

Every variable of the environment that the program reads. Kind and default are read from the classes in
`backend/settings.py`; what each is for comes from [deployment](../deployment.md#settings), which also says which belong
together. The settings of the method itself (`STVG_SET`, `--set`): [settings](../settings.md).

A variable that is empty counts as not set where its default is "not set".
"""


def page() -> str:
    """The page as Markdown."""
    said = notes()
    lines = [HEAD, "| variable | kind | default | what |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        kind, default = _kind(field.annotation, field), _default(field)
        lines.append(f"| `STVG_{name.upper()}` | {kind} | {default} | {said.get(name, '')} |")
    return "\n".join(lines) + "\n"


def notes() -> dict[str, str]:
    """What docs/deployment.md says of each variable: one statement in one place. Links lead from reference/."""
    text = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for names, said in re.findall(r"^\| (`[A-Z][^|]*) \|(?:[^|]*)\| ?(.*?) ?\|$", text, flags=re.MULTILINE):
        moved = re.sub(r"\]\((?=#)", "](../deployment.md", said)
        moved = re.sub(r"\]\((?=[a-z-]+\.md)", "](../", moved)
        found |= {name.lower(): moved for name in re.findall(r"`([A-Z_]+)`", names)}
    return found


def _kind(annotation: Any, field: FieldInfo) -> str:
    inner = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in inner)
    if inner:
        return _kind(inner[0], field)
    if annotation is SecretStr or field.repr is False:
        return "secret text"
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "yes or no", "Path": "path"}
    limits = [str(limit).split("(")[-1].rstrip(")") for limit in field.metadata]
    return names[annotation.__name__] + (f" ({', '.join(map(_limit, limits))})" if limits else "")


def _limit(text: str) -> str:
    """``ge=1`` in words."""
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    name, _, value = text.partition("=")
    return f"{words.get(name, name)} {value}"


def _default(field: FieldInfo) -> str:
    value = field.default
    if value in (None, ""):
        return "not set"
    return f"`{str(value).replace(str(ROOT) + '/', '') if value == str(MODEL_DIR) else value}`"
