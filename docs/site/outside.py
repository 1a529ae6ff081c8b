"""Links that are right in the repository, as the site needs them.

The site shows docs/ and a few files from elsewhere. A link to one of those leads to its page; a link to any other file
of the repository becomes the file's name.
"""

from __future__ import annotations

import posixpath
import re

BESIDE = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "model-card.md": "stvg_core/demo/model/README.md",
}
"""Pages of the site whose files do not lie in docs/."""

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_SHOWN_AS_IS = re.compile(r"^[a-z][a-z0-9+.-]*:|^/")


def mended(text: str, uri: str) -> str:
    """The Markdown of the page ``uri`` with every link that leads out of docs/ made good."""
    here = posixpath.dirname(BESIDE.get(uri, f"docs/{uri}"))
    pages = {path: page for page, path in BESIDE.items()} | {"README.md": "index.md"}

    def mend(found: re.Match[str]) -> str:
        label, target, anchor = found[1], found[2], found[3] or ""
        if _SHOWN_AS_IS.match(target):
            return found[0]
        path = posixpath.normpath(posixpath.join(here, target))
        page = pages.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if page is None:
            return label if path in label else f"{label} (`{path}`)"
        return f"[{label}]({posixpath.relpath(page, posixpath.dirname(uri) or '.')}{anchor})"

    return "".join(part if code else _LINK.sub(mend, part) for code, part in parts(text))


def parts(text: str) -> list[tuple[bool, str]]:
    """The text in pieces, each with whether it is a fenced block of code."""
    out: list[tuple[bool, str]] = []
    inside = False
    for line in text.splitlines(keepends=True):
        fence = line.startswith("```")
        code = inside or fence
        if out and out[-1][0] == code:
            out[-1] = (code, out[-1][1] + line)
        else:
            out.append((code, line))
        inside ^= fence
    return out
