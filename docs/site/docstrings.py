"""The project's docstrings as Markdown: double backticks, roles and sections like ``Args:``."""

from __future__ import annotations

import inspect
import re

_ROLE = re.compile(r":(?:func|class|meth|mod|data|attr|exc):`~?([^`]+)`")
_DOUBLE = re.compile(r"(?<!`)``(?!`)")
_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\s*(.*)$")
_ENTRY = re.compile(r"^([\w*][\w*, .]*): +(.*)$")


def markdown(docstring: str | None) -> str:
    """A docstring as Markdown. Sections become a bold word with a list; text and examples stay as they are."""
    lines, at = inspect.cleandoc(docstring or "").split("\n"), 0
    out: list[str] = []
    while at < len(lines):
        section = _SECTION.match(lines[at])
        if section and not section[2]:
            end = at + 1
            while end < len(lines) and (not lines[end].strip() or lines[end].startswith("    ")):
                end += 1
            out += [f"**{section[1]}**", "", *_entries(lines[at + 1 : end]), ""]
            at = end
        elif section:
            out += [f"**{section[1]}**: {section[2]}"]
            at += 1
        elif lines[at].startswith(">>>"):
            end = at
            while end < len(lines) and lines[end].strip():
                end += 1
            shown = (line.split("# doctest:")[0].rstrip() for line in lines[at:end])
            out += ["```pycon", *shown, "```"]
            at = end
        else:
            out.append(lines[at])
            at += 1
    return _marks("\n".join(out)).strip()


def _entries(lines: list[str]) -> list[str]:
    """``name: text`` lines with their continuations as a list."""
    out: list[str] = []
    for line in (line[4:] for line in lines if line.strip()):
        entry = _ENTRY.match(line)
        if entry and not line.startswith(" "):
            names = ", ".join(f"`{name.strip()}`" for name in entry[1].split(","))
            out.append(f"- {names}: {entry[2]}")
        elif out:
            out[-1] += " " + line.strip()
        else:
            out.append(line.strip())
    return out


def _marks(text: str) -> str:
    return _DOUBLE.sub("`", _ROLE.sub(lambda found: f"`{found[1]}`", text))
