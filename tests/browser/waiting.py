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

# A promise that a page never keeps would hold a test until it is killed, and the browser with it: each has this limit.
WITHIN_JS = """
(what, promise) => Promise.race([
  promise,
  new Promise((_, refuse) => setTimeout(() => refuse(new Error('in vain: ' + what)), PATIENCE)),
])
""".replace("PATIENCE", str(PATIENCE_MS)).strip()

# Twice: what was drawn at an animation frame, and what that set going, is done, and the page has nothing else to do.
# A page that draws all the time on a loaded machine never has nothing to do: after a second its turn comes anyway.
REST_JS = """
async () => {
  const within = WITHIN;
  for (let k = 0; k < 2; k++) {
    await within('an animation frame', new Promise(done => requestAnimationFrame(done)));
    await within('an idle moment', new Promise(done => requestIdleCallback(done, { timeout: 1000 })));
  }
}
""".replace("WITHIN", WITHIN_JS)

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
