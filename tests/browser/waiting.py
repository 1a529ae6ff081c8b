"""What a browser test waits for: states of the page, never a while.

The limits only end a test that waits in vain. No test says how long anything may take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from playwright.sync_api import Page

PATIENCE_S = 180
PATIENCE_MS = 1000 * PATIENCE_S

# Twice: what was drawn at an animation frame, and what that set going, is done, and the page has nothing else to do.
REST_JS = """
async () => {
  for (let k = 0; k < 2; k++) await new Promise(done => requestAnimationFrame(() => requestIdleCallback(done)));
}
"""

Found = TypeVar("Found")


def rest(page: Page) -> None:
    """Until the page has handled what it was given and drawn it."""
    page.evaluate(REST_JS)


def until(what: str, look: Callable[[], Found | None]) -> Found:
    """Look again and again until there is something."""
    end = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.1)
    return found
