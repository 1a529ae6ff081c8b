"""The table of actions in docs/annotating.md says what the browser tests count."""

from __future__ import annotations

import re

from tests.browser.actions import ACTIONS
from tests.docs.pages import ROOT

ROW = re.compile(
    r"^\| (?P<correction>[^|]+?) \| (?P<how>[^|]+?) \| (?P<actions>\d+) \| (?P<seconds>\d+\.\d) \|$", re.MULTILINE
)
SECTION = re.compile(r"^## How many actions$(.*?)^## ", re.MULTILINE | re.DOTALL)


def rows() -> dict[str, tuple[str, int]]:
    found = SECTION.search((ROOT / "docs" / "annotating.md").read_text(encoding="utf-8"))
    assert found is not None
    return {row["correction"]: (row["how"], int(row["actions"])) for row in ROW.finditer(found[1])}


def test_the_table_says_what_the_browser_tests_count() -> None:
    assert {correction: number for correction, (_, number) in rows().items()} == ACTIONS


def test_each_row_names_as_many_actions_as_it_counts() -> None:
    for correction, (how, number) in rows().items():
        # A comma stands between two actions.
        assert len(how.split(", ")) == number, correction


def test_each_row_is_walked_by_a_browser_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "browser").glob("test_*.py"))
    for correction in ACTIONS:
        assert f'.takes("{correction}")' in tests, correction
