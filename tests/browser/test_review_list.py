"""The queue, accepting several, and the work page in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from backend.review.queue import PAGE
from tests.browser.review_page import ReviewPage
from tests.browser.review_site import Site
from tests.review.labelled import a_job, a_task

pytestmark = pytest.mark.browser


def test_sort_and_filter_the_queue(reviewer: ReviewPage, site: Site) -> None:
    reviewer.queue()
    assert reviewer.sentences() == ["another one", "the painted one", "the failed one"], "most uncertain first"
    expect(reviewer.page.get_by_text("gone.mp4 is not a video.")).to_be_visible()
    reviewer.follow("Uncertainty")
    assert reviewer.sentences()[:2] == ["the painted one", "another one"]
    assert "order=up" in reviewer.page.url
    reviewer.follow("to review 1")
    assert reviewer.sentences() == ["the painted one"] and "order=up" in reviewer.page.url
    reviewer.queue()
    with reviewer.page.expect_navigation():
        reviewer.page.select_option("#annotator", "3")
    assert reviewer.sentences() == ["the painted one"]
    assert reviewer.page.url.endswith("/review/?annotator=3&sort=uncertainty")


def test_the_queue_by_keyboard(reviewer: ReviewPage, site: Site) -> None:
    reviewer.queue()
    for key in ("j", "j", "k", "j"):
        reviewer.page.keyboard.press(key)
    expect(reviewer.page.get_by_role("link", name="the painted one")).to_be_focused()
    reviewer.page.keyboard.press("?")
    expect(reviewer.page.get_by_role("dialog")).to_be_visible()
    reviewer.page.keyboard.press("j")  # belongs to nobody while the dialog is open
    reviewer.page.keyboard.press("Escape")
    expect(reviewer.page.get_by_role("dialog")).to_be_hidden()
    reviewer.page.get_by_role("link", name="the painted one").focus()
    reviewer.page.keyboard.press("Enter")
    reviewer.arrives(site.painted)


def test_the_queue_by_arrows_and_search(reviewer: ReviewPage, site: Site) -> None:
    page = reviewer.page
    reviewer.queue()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="the painted one")).to_be_focused()
    assert page.url.endswith(f"#task-{site.painted}")
    page.reload()
    expect(page.get_by_role("link", name="the painted one")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("GONE one")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert reviewer.sentences() == ["the failed one"] and "search=GONE+one" in page.url
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review/tasks/{site.failed}?search=GONE+one*")


def test_the_queue_has_pictures_that_it_does_not_wait_for(reviewer: ReviewPage, site: Site) -> None:
    reviewer.queue()
    painted = reviewer.page.locator(f"#task-{site.painted} .thumb img")
    expect(painted).to_be_visible()
    assert painted.evaluate("image => image.decode().then(() => image.naturalWidth)") == 160
    expect(reviewer.page.locator(f"#task-{site.failed} .thumb img")).to_have_count(0)
    place, picture = reviewer.page.locator(f"#task-{site.painted} .thumb").bounding_box(), painted.bounding_box()
    assert place == picture and painted.evaluate("image => getComputedStyle(image).objectFit") == "contain", "all of it"


def test_accepting_several(reviewer: ReviewPage, site: Site) -> None:
    reviewer.queue()
    reviewer.follow("Accept several…")
    reviewer.page.fill("#below", "0.95")
    with reviewer.page.expect_navigation():
        reviewer.page.get_by_role("button", name="Show").click()
    assert reviewer.sentences() == ["another one"]
    accept = reviewer.page.get_by_role("button", name="Accept what is ticked (1)")
    reviewer.page.get_by_role("button", name="Tick none").click()
    expect(reviewer.page.get_by_role("button", name="Accept what is ticked (0)")).to_be_disabled()
    reviewer.page.get_by_role("checkbox").check()
    assert site.decided(site.other) == []
    with reviewer.page.expect_navigation():
        accept.click()
    expect(reviewer.page.get_by_role("heading", name="1 accepted")).to_be_visible()
    assert site.decided(site.other) == ["accepted"] and site.decided(site.painted) == []


def test_the_pages_of_the_queue_by_keyboard(reviewer: ReviewPage, site: Site) -> None:
    with site.database.write() as session:
        for number in range(20, 20 + 2 * PAGE):
            a_task(session, number, query=f"sentence {number}")
    reviewer.queue("?sort=age")
    first = reviewer.sentences()
    for key, count in (("n", PAGE), ("n", 3), ("p", PAGE), ("p", PAGE)):
        with reviewer.page.expect_navigation():
            reviewer.page.keyboard.press(key)
        assert len(reviewer.sentences()) == count
    assert reviewer.sentences() == first
    reviewer.follow("Last »")
    assert len(reviewer.sentences()) == PAGE and reviewer.page.url.endswith("?sort=age&before=end")
    reviewer.follow("« First")
    assert reviewer.sentences() == first


def test_the_work_page_follows_the_work(reviewer: ReviewPage, site: Site) -> None:
    """Figures change without a reload, and what failed is tried again."""
    reviewer.queue("work")
    jobs, failures = reviewer.page.locator(".figures"), reviewer.page.get_by_label("Failed jobs by reason")
    expect(jobs).to_contain_text("failed1")
    with site.database.write() as session:
        a_job(session, a_task(session, 31), state="failed", reason="It has no pictures.")
    expect(failures).to_contain_text("It has no pictures.")
    expect(jobs).to_contain_text("failed2")
    with reviewer.page.expect_navigation():
        failures.get_by_role("row", name="gone.mp4").get_by_role("button").click()
    expect(reviewer.page.get_by_role("status")).to_have_text("1 queued again.")
    expect(jobs).to_contain_text("queued1")
    expect(failures).not_to_contain_text("gone.mp4")
