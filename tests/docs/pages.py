"""The Markdown files of the project, as their readers see them: text without code, links, headings' anchors, code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "stvg_core/demo/model/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)(.*)$")
_INLINE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_LINK = re.compile(r"\]\(\s*<?([^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_ID = re.compile(r"<[a-z]+ [^>]*\b(?:id|name)=\"([^\"]+)\"")


def split(text: str) -> tuple[str, list[str]]:
    """Text without its fenced blocks, and the blocks."""
    outside: list[str] = []
    blocks: list[str] = []
    fence = ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if not fence and found:
            fence = found[1]
            blocks.append("")
        elif fence and found and found[1].startswith(fence) and not found[2].strip():
            fence = ""
        elif fence:
            blocks[-1] += line + "\n"
        else:
            outside.append(line)
    assert not fence, "a block of code that never ends"
    return "\n".join(outside), blocks


def links(text: str) -> list[str]:
    """Targets of links and images outside of code."""
    return _LINK.findall(_INLINE.sub("`code`", split(text)[0]))


def inline_code(text: str) -> list[str]:
    """What stands between backticks, line breaks as spaces."""
    return [" ".join(code.split()) for _, code in _INLINE.findall(split(text)[0])]


def anchors(text: str) -> set[str]:
    """The anchors of a page by GitHub's rule: lower case, no punctuation, spaces as dashes, doubles numbered."""
    outside = split(text)[0]
    found, seen = set(_ID.findall(outside)), Counter[str]()
    for line in outside.splitlines():
        if heading := _HEADING.match(line):
            slug = _slug(heading[2])
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found


def _slug(heading: str) -> str:
    shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    shown = re.sub(r"\*+|`+|(?<!\w)_+|_+(?!\w)", "", shown)
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml without mkdocs: a tag that names a function of it is nothing."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def site() -> dict[str, Any]:
    """mkdocs.yml."""
    found: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader=_Loader)
    return found


def navigation(entry: Any) -> Iterator[str]:
    """Every page and pattern of a navigation."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        for inner in entry.values():
            yield from navigation(inner)
    else:
        for inner in entry or ():
            yield from navigation(inner)
