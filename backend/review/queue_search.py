"""Which tasks have these words in their sentence or in the name of their video's file? A condition for the database.

Every word must be in one of the two; upper and lower case are the same. No index helps: both texts of each task under
the other filters are looked through.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy.orm import Session

from backend.db.tables import Task
from backend.db.types import plain
from stvg_core.errors import StvgError

LONGEST, MOST_WORDS = 200, 8
_FILE = func.substr(Task.video_ref, func.length(func.rtrim(Task.video_ref, func.replace(Task.video_ref, "/", ""))) + 1)
"""What stands behind the last slash of the address: taking away every other character from its end stops there."""


class SearchError(StvgError):
    """The search is not one that the database should be asked."""


def tidy(text: str) -> str:
    """The words with one space between them.

    Raises:
        SearchError: it is too long, or has too many words.
    """
    words = plain(text).split()
    found = " ".join(words)
    if len(found) > LONGEST:
        raise SearchError(f"The search has {len(found)} characters. Shorten it to {LONGEST}.")
    if len(words) > MOST_WORDS:
        raise SearchError(f"The search has {len(words)} words. Name at most {MOST_WORDS}.")
    return found


def matches(session: Session, search: str) -> ColumnElement[bool]:
    """Of ``task``: every word is in the sentence or in the file's name."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    return and_(*(_has(word, sqlite=sqlite) for word in search.split()))


def _has(word: str, *, sqlite: bool) -> ColumnElement[bool]:
    # In an address a name is often percent-encoded; its capital letters have other codes than its small ones.
    spelt = dict.fromkeys([word, *(quote(each, safe="") for each in (word, word.lower(), word.upper()))])
    return or_(_contains(Task.query, word, sqlite), *(_named(each, sqlite) for each in spelt))


def _named(word: str, sqlite: bool) -> ColumnElement[bool]:
    """The whole address is asked first: cutting the name out of each takes longer than the rest of the search."""
    return and_(_contains(Task.video_ref, word, sqlite), _contains(_FILE, word, sqlite))


def _contains(column: Any, word: str, sqlite: bool) -> ColumnElement[bool]:
    # SQLite's LIKE knows the case of a to z only; each character of its GLOB, which is slower, can be a choice of two.
    found: ColumnElement[bool] = (
        column.op("GLOB", is_comparison=True)(glob(word))
        if sqlite and not word.isascii()
        else column.icontains(word, autoescape=True)
    )
    return found


def glob(word: str) -> str:
    """SQLite's GLOB pattern for "contains this word in any case"; nothing in the word is a wildcard."""
    return f"*{''.join(_character(each) for each in word)}*"


def _character(each: str) -> str:
    forms = "".join(dict.fromkeys(form for form in (each, each.lower(), each.upper()) if len(form) == 1))
    return f"[{forms}]" if len(forms) > 1 or each in "*?[" else each
