"""Log-in, export and audit log in a real browser: by keyboard, at phone width, without breaking their own policy."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from backend.db.engine import Database
from backend.http.app import create_app
from tests.browser.waiting import PATIENCE_MS
from tests.export.labels import store
from tests.http.conftest import MODEL, make_settings
from tests.http.visitors import PASSWORD, an_account

pytestmark = pytest.mark.browser


@pytest.fixture
def address(sqlite_database: Database, tmp_path: Path) -> Iterator[str]:
    """The pages with one admin and three labels, on a free port."""
    with sqlite_database.write() as session:
        store(session)
    an_account(sqlite_database, "ann", "admin", ls_user_id=3)
    app = create_app(make_settings(data_dir=tmp_path / "data"), database=sqlite_database, model_version=MODEL)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture(params=[("light", 1280), ("dark", 360)], ids=["light and wide", "dark and narrow"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme, width = request.param
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def _fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_an_admin_logs_in_by_keyboard_exports_and_reads_the_log(page: Page, address: str, tmp_path: Path) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/review/export")
    assert page.url.startswith(f"{address}/login?next=") and _fits(page)
    expect(page.get_by_label("Name")).to_be_focused()  # the page's own doing, a moment after it was loaded
    page.keyboard.type("ann")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus is seen"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/review/export")
    assert _fits(page)
    page.select_option("#format", "csv")
    page.fill("#split", "train=0.5,test=0.5")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    place = tmp_path / "labels.zip"
    download.value.save_as(place)
    assert {"labels-train.csv", "labels-test.csv"} <= set(zipfile.ZipFile(place).namelist())
    page.goto(f"{address}/review/audit")
    assert page.get_by_text("CSV, one row per frame").is_visible() and _fits(page)
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{address}/login")
    page.goto(f"{address}/review/audit")
    assert page.url.startswith(f"{address}/login?next=")
    assert not complaints


def test_the_first_tab_skips_to_the_content(page: Page, address: str) -> None:
    page.goto(f"{address}/review/nowhere")  # the log-in page begins in its first field
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to the content")
    box = link.bounding_box()
    assert page.evaluate("document.activeElement.className") == "skip" and box is not None and box["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
