"""What mkdocs calls while it builds the site (``hooks`` in mkdocs.yml)."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.site import commands, modules, routes, variables
from docs.site.outside import BESIDE, mended

ROOT = Path(__file__).parents[2]
GENERATED = {
    "reference/cli.md": commands.page,
    "reference/http.md": routes.page,
    "reference/python.md": modules.page,
    "reference/server-settings.md": variables.page,
}
LISTED = {
    "The command line": "cli.md", "HTTP": "http.md", "Python": "python.md", "Service settings": "server-settings.md",
}  # fmt: skip
_COMMENT = re.compile(r"^(<!--.*-->)\n(?=\|)", re.MULTILINE)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages and those from elsewhere; fill in the patterns of the navigation."""
    for uri, page in GENERATED.items():
        files.append(File.generated(config, uri, content=page()))
    for uri, path in BESIDE.items():
        files.append(File.generated(config, uri, content=(ROOT / path).read_text(encoding="utf-8")))
    config.nav = filled(config.nav, sorted(file.src_uri for file in files.documentation_pages()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links out of docs/, and a blank line before a table that follows a comment (GitHub does without it)."""
    if page.file.src_uri == "reference/index.md":  # these pages are not in the repository, so no file can link to them
        markdown += "\n\nOn this site:\n\n" + "\n".join(f"- [{title}]({name})" for title, name in LISTED.items())
    return _COMMENT.sub(r"\1\n\n", mended(markdown, page.file.src_uri))


def filled(nav: Any, pages: list[str]) -> Any:
    """The navigation with each pattern (``decisions/*.md``) replaced by the pages that it stands for."""
    if isinstance(nav, dict):
        return {title: filled(inner, pages) for title, inner in nav.items()}
    if not isinstance(nav, list):
        return nav
    out: list[Any] = []
    for entry in nav:
        if isinstance(entry, str) and "*" in entry:
            out += [page for page in pages if fnmatch(page, entry)]
        else:
            out.append(filled(entry, pages))
    return out
