"""Deciding about a task in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from backend.db.tables import Task
from backend.review import decisions
from tests.browser.review_page import ReviewPage
from tests.browser.review_site import PASSWORD, Site
from tests.review.labelled import a_correction

pytestmark = pytest.mark.browser


def test_accept_by_keyboard_and_undo(reviewer: ReviewPage, site: Site) -> None:
    reviewer.item(site.painted, "?order=up")
    reviewer.page.keyboard.press("a")
    reviewer.arrives(site.other, "?order=up")
    assert site.decided(site.painted) == ["accepted"]
    reviewer.page.keyboard.press("u")
    reviewer.arrives(site.painted, "?order=up")
    expect(reviewer.page.get_by_text("The decision was taken back.")).to_be_visible()
    assert site.decided(site.painted) == ["accepted", "undone"]
    reviewer.page.keyboard.press("j")
    reviewer.arrives(site.other, "?order=up")
    reviewer.page.keyboard.press("k")
    reviewer.arrives(site.painted, "?order=up")


def test_send_back_needs_a_reason(reviewer: ReviewPage, site: Site) -> None:
    reviewer.item(site.painted)
    page = reviewer.page
    page.keyboard.press("m")
    page.keyboard.type("arbs")  # letters that are keys elsewhere
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    expect(page.get_by_role("alert")).to_contain_text("choose a reason")
    assert site.decided(site.painted) == []
    page.keyboard.press("2")
    with page.expect_navigation():
        page.keyboard.press("b")
    assert site.decided(site.painted) == ["sent back"]
    with site.database.read() as session:
        (row,) = decisions.history(session, site.painted)
    assert (row.reason, row.comment) == ("wrong start or end", "arbs")


def test_to_somebody_else_by_keyboard(reviewer: ReviewPage, site: Site) -> None:
    reviewer.item(site.painted)
    reviewer.page.keyboard.press("1")
    with reviewer.page.expect_navigation():
        reviewer.page.keyboard.press("o")
    assert site.decided(site.painted) == ["sent to another"]


def test_a_label_that_changed_meanwhile_loses_no_comment(chromium: Browser, site: Site) -> None:
    context = chromium.new_context()
    tab = ReviewPage.open(context.new_page(), site.url)
    tab.log_in("rita", PASSWORD)
    tab.item(site.painted)
    with site.database.write() as session:
        a_correction(session, session.get_one(Task, site.painted), None, who=5)
    tab.page.fill("#comment", "a long thought")
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("a")
    expect(tab.page.locator("#problem")).to_contain_text("changed meanwhile")
    assert tab.page.input_value("#comment") == "a long thought"
    assert site.decided(site.painted) == []
    context.close()


def test_deciding_without_scripts(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(java_script_enabled=False)
    tab = ReviewPage.open(context.new_page(), site.url)
    tab.log_in("rita", PASSWORD)
    tab.page.goto(f"{site.url}/review/tasks/{site.painted}?state=to+review")
    tab.page.get_by_role("button", name="Reject").click()
    expect(tab.page.locator("#problem")).to_contain_text("choose a reason")
    tab.page.get_by_label("object absent").check(force=True)
    tab.page.get_by_role("button", name="Reject").click()
    tab.page.wait_for_url("**/review/?state=to+review")
    assert site.decided(site.painted) == ["rejected"]
    context.close()
