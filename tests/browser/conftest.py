"""Chromium, with somebody logged in to Label Studio or to the review pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from backend.demo.label_studio import LabelStudioServer
from tests.browser.chromium import CHROMIUM, CHROMIUM_FLAGS
from tests.browser.labelling_page import LabellingPage
from tests.browser.review_site import reviewer, site  # noqa: F401
from tests.browser.waiting import PATIENCE_MS


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"NO CHROMIUM at {CHROMIUM}: the labelling page was not tested. apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def labelling_page(
    chromium: Browser, label_studio: LabelStudioServer, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[LabellingPage]:
    """A tab of its own for each test; a picture of it stays in the test's folder."""
    context = chromium.new_context(viewport={"width": 1500, "height": 1000})
    tab = LabellingPage(context.new_page(), label_studio.url)
    tab.log_in(label_studio.username, label_studio.password)
    yield tab
    tab.page.screenshot(path=tmp_path / f"{request.node.originalname}.png")
    context.close()
