"""Makes the pictures of docs/locators.md: a task page for each locator that uses words. Who answers is the stand-in of
the tests, which looks at the pixels of what it is sent; the clip, the page and the browser are real.

PYTHONPATH=. .venv/bin/python docs/figures/locator_pages.py [folder]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from pydantic import SecretStr

from backend import bootstrap
from backend.db import accounts, projects, schema
from backend.db.engine import Database
from backend.settings import Settings
from docs.figures.review_screenshots import OUT, PASSWORD, add_task, open_page, served, shrink
from labeling_config import video_tube
from stvg_core.demo.clips import write_clip
from tests.looking.measure import scenes
from tests.looking.server import MODEL, looking

LOCATORS = ("speak", "marks", "pick")


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with looking() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for locator in LOCATORS:
            with tempfile.TemporaryDirectory() as folder:
                root = Path(folder)
                (root / "videos" / "clips").mkdir(parents=True)
                settings = Settings(
                    database_url=f"sqlite:///{root / 'review.sqlite3'}", data_dir=root / "data",
                    document_root=root / "videos", username="label-studio", password=SecretStr(PASSWORD),
                    label_studio_url="http://label-studio.example", web_threads=4, max_attempts=1,
                    locator=locator, llm_url=server.url, llm_model=MODEL, decomposer="rules",
                )  # fmt: skip
                database = Database(settings.database_url)
                schema.upgrade(database.engine)
                scene = next(scenes(1))
                write_clip(root / "videos" / "clips" / "clip.mp4", scene)
                with database.write() as session:
                    projects.register(session, 1, video_tube())
                    accounts.add(session, "mara", PASSWORD, "reviewer")
                    task = add_task(session, 0, "clip.mp4", scene.query, settings).id
                bootstrap.open_worker(settings).drain()
                with served(settings, database) as url:
                    page = open_page(browser, url, 1280, 860)
                    shoot(page, f"{url}/review/tasks/{task}", out / f"locator-{locator}.png")
                database.close()
                shrink(out / f"locator-{locator}.png")
        browser.close()


def shoot(page: Page, url: str, path: Path) -> None:
    """The section that shows what the model saw, and what it said in the first round."""
    page.goto(url)
    page.wait_for_selector("#item[data-ready=yes]")
    page.evaluate("document.querySelectorAll('#said-panel img').forEach(picture => picture.loading = 'eager')")
    page.wait_for_function(
        "() => [...document.querySelectorAll('#said-panel details[open] img')].every(picture => picture.complete)"
    )
    page.locator("#said-panel").screenshot(path=path)
    page.screenshot(path=path.with_name(f"whole-{path.name}"), full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
