"""Every link of the documents leads to something, by GitHub's rules; every page has its place in the site."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from docs.site.outside import BESIDE, mended
from tests.docs.pages import NAMES, ROOT, anchors, links, navigation, site

GENERATED = {"reference/cli.md", "reference/http.md", "reference/python.md", "reference/server-settings.md"}
_ELSEWHERE = ("http://", "https://", "mailto:")


def broken(name: str, text: str) -> list[str]:
    """The links of a page that lead nowhere."""
    return [link for link in links(text) if not link.startswith(_ELSEWHERE) and not _leads(name, text, link)]


def _leads(name: str, text: str, link: str) -> bool:
    """Does a link of a page lead to a file of the project, and to an anchor that this has?"""
    path, _, anchor = link.partition("#")
    if not link or path.startswith("/"):
        return False
    file = ((ROOT / name).parent / path).resolve() if path else ROOT / name
    if not file.exists() or not file.is_relative_to(ROOT.resolve()):
        return False
    if not anchor:
        return True
    return file.suffix == ".md" and anchor in anchors(file.read_text(encoding="utf-8") if path else text)


@pytest.mark.parametrize("name", NAMES)
def test_links_and_anchors_lead_somewhere(name: str) -> None:
    assert broken(name, (ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a](nowhere.md)", ["nowhere.md"]),
        ("![a](images/nowhere.png)", ["images/nowhere.png"]),
        ("[a](review.md#edits) [b](review.md#no-such-heading)", ["review.md#no-such-heading"]),
        ("# One\n[a](#one) [b](#two)", ["#two"]),
        ("[a](/docs/review.md) [b]()", ["/docs/review.md", ""]),
        ("`[a](nowhere.md)`\n\n```\n[a](nowhere.md)\n```\n[a](https://example.org/x#y)", []),
    ],
)
def test_a_link_that_leads_nowhere_is_found(text: str, wrong: list[str]) -> None:
    assert broken("docs/index.md", text) == wrong


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("# How it runs", "how-it-runs"),
        ("## 2026-11-29: V in half precision", "2026-11-29-v-in-half-precision"),
        ("## Tasks for `stvg connect`", "tasks-for-stvg-connect"),
        ("## What's *new* (in short)?", "whats-new-in-short"),
        ("### `grounding_dino` & friends", "grounding_dino--friends"),
        ("## [A link](x.md), and more", "a-link-and-more"),
    ],
)
def test_anchors_follow_githubs_rule(heading: str, anchor: str) -> None:
    assert anchors(heading) == {anchor}


def test_the_second_heading_of_a_name_is_numbered() -> None:
    assert anchors("# Same\n\n## Same\n\n```\n# Same\n```\n") == {"same", "same-1"}


def test_every_page_has_a_place_in_the_navigation() -> None:
    wanted = list(navigation(site()["nav"]))
    pages = {name.removeprefix("docs/") for name in NAMES if name.startswith("docs/")} | GENERATED | set(BESIDE)
    assert len(wanted) == len(set(wanted)), "a page stands twice in the navigation of mkdocs.yml"
    missing = [page for page in sorted(pages) if not any(fnmatch(page, entry) for entry in wanted)]
    assert missing == [], "these pages are not in the navigation of mkdocs.yml"
    lost = [entry for entry in wanted if not any(fnmatch(page, entry) for page in pages)]
    assert lost == [], "these entries of the navigation are no pages"


def test_what_is_shown_from_elsewhere_exists_and_no_page_has_its_name() -> None:
    for page, path in BESIDE.items():
        assert (ROOT / path).is_file() and not (ROOT / "docs" / page).exists()
    assert not any((ROOT / "docs" / page).exists() for page in GENERATED), "generated pages are not committed"


def test_a_link_out_of_the_docs_is_right_in_the_site() -> None:
    decision = "decisions/0001-x.md"
    assert mended("[card](../../stvg_core/demo/model/README.md#x)", decision) == "[card](../model-card.md#x)"
    assert mended("[read](../../README.md)", decision) == "[read](../index.md)"
    assert mended("[code](../../stvg_core/pipeline.py)", decision) == "code (`stvg_core/pipeline.py`)"
    assert mended("[a](docs/review.md#edits)", "changelog.md") == "[a](review.md#edits)"
    assert (
        mended("![a](images/a.png) [b](#c) [d](https://e.org)", "x.md")
        == "![a](images/a.png) [b](#c) [d](https://e.org)"
    )
    assert mended("```\n[a](../x.py)\n```\n", "x.md") == "```\n[a](../x.py)\n```\n"
