"""Every page at three widths in both themes: does it fit, does axe-core find a fault, does its title name it?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from backend.db import accounts
from tests.browser.review_page import ReviewPage
from tests.browser.review_site import PASSWORD, Site
from tests.browser.waiting import rest

pytestmark = pytest.mark.browser

WIDTHS = (390, 820, 1440)
PAGES = {
    "/review/": "Queue",
    "/review/?search=zebra": "Queue",
    "/review/bulk": "Accept several",
    "/review/bulk?below=1": "Accept several",
    "/review/work": "Work",
    "/review/dashboard": "Dashboard",
    "/review/export": "Export",
    "/review/audit": "Audit",
    "/review/nowhere": "Error 404",
    "/review/?state=opne": "Error 400",
}

# What is wider than its place, by kind. Tables that are scrolled sideways in their own frame are meant so.
WIDE_JS = """
() => {
  const page = document.documentElement, width = page.clientWidth, found = [];
  if (page.scrollWidth > width) found.push(`the page is ${page.scrollWidth} wide`);
  const name = one => `${one.tagName} ${one.id} ${one.getAttribute('class')} ${one.textContent.trim().slice(0, 30)}`;
  for (const one of document.querySelectorAll('body *')) {
    const { left, right, width: own } = one.getBoundingClientRect();
    if (own < 2 || one.closest('.visually-hidden, .skip, svg, .axis, .stage, .thumb')) continue;
    const scrolled = one.parentElement.closest('.table-wrap, pre');
    if (!scrolled && (right > width + 1 || left < -1)) found.push(`sticks out: ${name(one)}`);
    const whole = one.matches('.tabs, .button, .tag, .strip-value, output');
    if (whole && one.clientWidth && one.scrollWidth > one.clientWidth + 1) found.push(`cut: ${name(one)}`);
  }
  const fields = [...document.querySelectorAll('.filters :is(input, select, button, a)')];
  fields.forEach((one, k) => fields.slice(k + 1).forEach(other => {
    const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
    const beside = a.right <= b.left + 1 || b.right <= a.left + 1;
    if (!beside && a.bottom > b.top + 1 && b.bottom > a.top + 1) found.push(`overlap: ${one.id} ${other.id}`);
  }));
  return found;
}
"""


@pytest.fixture(params=["light", "dark"])
def admin(chromium: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Page]:
    with site.database.write() as session:
        accounts.add(session, "ada", PASSWORD, "admin")
    context = chromium.new_context(color_scheme=request.param)
    tab = ReviewPage.open(context.new_page(), site.url)
    tab.log_in("ada", PASSWORD)
    yield tab.page
    context.close()


def _look(page: Page, where: str) -> list[str]:
    """What is wrong at each width."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        rest(page)
        found += [f"{where} at {width}: {fault}" for fault in [*page.evaluate(WIDE_JS), *_by_axe(page)]]
    return found


def _by_axe(page: Page) -> Iterator[str]:
    """What axe-core finds, of any weight: contrast, names, labels, order of headings, and the like."""
    response = Axe().run(page).response
    assert response["passes"], "it looked at nothing"
    for fault in response["violations"]:
        for node in fault["nodes"]:
            yield f"{fault['id']} ({fault['impact']}) at {node['target']}"


def test_pages_fit_and_can_be_read(admin: Page, site: Site) -> None:
    found = []
    for path, title in PAGES.items():
        admin.goto(f"{site.url}{path}")
        assert admin.title().startswith(title), path
        found += _look(admin, path)
    assert not found, "\n".join(found)


def test_the_page_of_a_task_fits_and_can_be_read(admin: Page, site: Site) -> None:
    found = []
    for task in (site.painted, site.other, site.failed):
        admin.goto(f"{site.url}/review/tasks/{task}")
        admin.wait_for_selector("#item[data-ready=yes]")
        found += _look(admin, f"task {task}")
    assert not found, "\n".join(found)


def test_what_comes_up_by_an_action_fits_and_can_be_read(admin: Page, site: Site) -> None:
    admin.goto(f"{site.url}/review/")
    admin.keyboard.press("?")
    admin.locator("dialog[open]").wait_for()
    found = _look(admin, "the keys")
    admin.goto(f"{site.url}/review/tasks/{site.painted}")
    admin.wait_for_selector("#item[data-ready=yes]")
    admin.locator("[data-decision=r]").click()
    found += _look(admin, "a rejection without a reason")
    admin.goto(f"{site.url}/review/bulk?below=1")
    admin.get_by_role("button", name="Accept what is ticked").click()
    admin.get_by_role("heading", name="accepted").wait_for()
    found += _look(admin, "several accepted")
    admin.get_by_role("button", name="Log out").click()
    admin.wait_for_url("**/login*")
    found += _look(admin, "the log-in")
    admin.fill("#name", "nobody")
    admin.fill("#password", "wrong")
    admin.click("main button[type=submit]")
    admin.wait_for_load_state()
    found += _look(admin, "a wrong password")
    assert not found, "\n".join(found)


def test_where_there_is_little_room_the_list_comes_first(admin: Page, site: Site) -> None:
    """The filter is folded up, opens by a click and by the key of the search, and says when it is in use."""
    admin.set_viewport_size({"width": 390, "height": 900})
    admin.goto(f"{site.url}/review/")
    row = admin.locator(".queue tbody tr").first.bounding_box()
    assert row is not None and row["y"] < 600 and not admin.locator("#search").is_visible()
    assert not admin.locator(".queue thead a").first.is_visible(), "no links that take the focus unseen"
    admin.keyboard.press("/")
    assert admin.locator("#search").is_visible()
    assert admin.evaluate("document.activeElement.id") == "search"
    admin.set_viewport_size({"width": 1440, "height": 900})
    assert admin.locator("#search").is_visible() and not admin.locator(".fold summary").is_visible()
    admin.set_viewport_size({"width": 390, "height": 900})
    admin.goto(f"{site.url}/review/?search=one")
    assert admin.locator(".fold summary").inner_text().endswith("in use")
