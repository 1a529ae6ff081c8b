"""Makes the pictures of docs/review-pages.md: rendered clips, real groundings by the embedded model, a real browser.

.venv/bin/python docs/figures/review_screenshots.py [folder]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from pydantic import SecretStr
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from backend import bootstrap
from backend.annotations.keyframe_rows import keyframes
from backend.db import accounts, annotations, jobs, predictions, projects, schema, tasks
from backend.db.engine import Database
from backend.db.tables import Prediction, Task
from backend.db.types import now
from backend.http.app import create_app
from backend.review import decisions, disagreement, recording
from backend.settings import Settings
from labeling_config import video_tube
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.keyframes import expand

CLIPS = (3, 5, 8, 9, 12, 14)
ANNOTATORS = {3: "Anna", 5: "Ben", 7: "Chen"}
PASSWORD = "only-for-the-pictures"  # noqa: S105
THUMBNAILS_JS = "count => document.querySelectorAll('.thumb img').length === count"
OUT = Path(__file__).parents[1] / "images"


@dataclass(frozen=True)
class Correction:
    """What a person made of a suggestion: ends moved by frames, boxes moved and grown by shares of the picture."""

    who: int
    start: int = 0
    end: int = 0
    right: float = 0.0
    grown: float = 0.0
    hours_ago: float = 1.0
    lead_time_s: float = 20.0


CORRECTIONS: dict[int, tuple[Correction, ...]] = {
    0: (Correction(3, end=2, hours_ago=30), Correction(3, start=6, end=-9, right=0.03, grown=0.01, hours_ago=26),
        Correction(5, start=4, end=-7, right=0.035, hours_ago=20),
        Correction(7, start=3, end=-2, right=0.02, grown=0.01, hours_ago=3)),
    1: (Correction(5, hours_ago=50, lead_time_s=4),),
    2: (Correction(3, start=-8, end=5, hours_ago=5), Correction(7, start=-2, right=0.02, hours_ago=4)),
    3: (Correction(7, right=0.02, grown=0.02, hours_ago=75, lead_time_s=44),),
}  # fmt: skip


def seed(database: Database, settings: Settings, videos: Path) -> list[int]:
    """Clips, tasks, groundings, corrections and decisions; returns the rows of the tasks."""
    numbers = []
    with database.write() as session:
        projects.register(session, 1, video_tube())
        accounts.add(session, "mara", PASSWORD, "reviewer")
        for number, name in ANNOTATORS.items():
            accounts.add(session, name, PASSWORD, "annotator", ls_user_id=number)
        for place, clip in enumerate(CLIPS):
            scene = split_scene("demo", clip, difficulty="medium", max_seconds=9.0)
            write_clip(videos / f"street-{clip:02d}.mp4", scene)
            numbers.append(add_task(session, place, f"street-{clip:02d}.mp4", scene.query, settings).id)
        add_task(session, 40, "street-77.mp4", "the white cube that stops", settings)
    worker = bootstrap.open_worker(settings)
    worker.drain()
    with database.write() as session:
        add_task(session, 41, "street-91.mp4", "the blue star turning", settings)
        for place, corrections in CORRECTIONS.items():
            for one in corrections:
                _correct(session, session.get_one(Task, numbers[place]), one)
        for place, decision, reason in ((1, "accepted", None), (3, "sent back", "boxes loose")):
            label = annotations.present(session, numbers[place])
            assert label is not None
            comment = "The box cuts off the left side while it turns." if reason else ""
            decisions.decide(
                session, numbers[place], decision, reason=reason, comment=comment, reviewer="mara", seen=label.id
            )
    disagreement.record_due(database)
    return numbers


def add_task(session: Session, place: int, name: str, query: str, settings: Settings) -> Task:
    data: dict[str, Any] = {"video": f"/data/local-files/?d=clips/{name}", "query": query}
    task = tasks.remember(
        session, project_id=1, ls_task_id=101 + place, video_ref=data["video"], query=query, data=data
    )
    jobs.enqueue(
        session, identity=f"picture-{place}", task_id=task.id, video_ref=task.video_ref, query=query,
        model_version=bootstrap.present_model_version(settings),
    )  # fmt: skip
    return task


def _correct(session: Session, task: Task, one: Correction) -> None:
    """A version as Label Studio would have sent it, with its diff."""
    suggestion = predictions.newest(session, task.id)
    assert suggestion is not None and suggestion.keyframes
    earlier = len(annotations.versions(session, 1000 * task.id + one.who))
    annotations.add_version(
        session, digest=f"{task.id}.{one.who}.{earlier}", ls_annotation_id=1000 * task.id + one.who, task_id=task.id,
        prediction_id=suggestion.id, author_id=one.who, lead_time_s=one.lead_time_s, verdict="correct",
        tubes=[_moved(suggestion, one)], ls_updated_at=now() - timedelta(hours=one.hours_ago),
    )  # fmt: skip
    row = annotations.find(session, f"{task.id}.{one.who}.{earlier}")
    assert row is not None
    recording.record(session, row)


def _moved(suggestion: Prediction, one: Correction) -> dict[str, Any]:
    tube = expand(keyframes(suggestion.keyframes or []))
    start = max(0, tube.start_frame + one.start)
    end = min(suggestion.video.n_frames - 1, tube.end_frame + one.end)
    change = np.array([one.right - one.grown, -one.grown, one.right + one.grown, one.grown])
    rows = []
    for frame in sorted({start, *range(start, end, 12), end}):
        at = min(max(frame, tube.start_frame), tube.end_frame) - tube.start_frame
        rows.append([frame, *np.clip(tube.boxes[at] + change, 0, 1).round(5).tolist()])
    return {
        "region_id": suggestion.region_id, "label": "Target", "intervals": [[start, end]], "keyframes": rows,
    }  # fmt: skip


@contextmanager
def served(settings: Settings, database: Database) -> Iterator[str]:
    """The real app on a free port."""
    server = make_server("127.0.0.1", 0, create_app(settings, database=database), threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def open_page(browser: Browser, url: str, width: int, height: int, *, dark: bool = False) -> Page:
    """A tab with the reviewer logged in."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(f"{url}/login")
    page.fill("[name=name]", "mara")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/review/**")
    return page


def shoot_item(page: Page, url: str, task: int, path: Path, *, full: bool = True) -> None:
    """The page of a task in the middle of its tube."""
    page.goto(f"{url}/review/tasks/{task}")
    page.wait_for_selector("#item[data-ready=yes]")
    drawn = page.evaluate("fetch(document.querySelector('#item').dataset.evidence).then(reply => reply.json())")
    tube = drawn["tubes"][0]
    middle = sum(tube["intervals"][0]) // 2
    page.evaluate(
        "frame => { const seek = document.querySelector('#seek'); seek.value = frame; "
        "seek.dispatchEvent(new Event('input')); }",
        middle,
    )
    page.wait_for_function("frame => document.querySelector('#overlay').dataset.frame == frame", arg=middle)
    # Pictures that are loaded late are loaded when they come into sight.
    page.evaluate("document.querySelectorAll('.map img').forEach(picture => picture.loading = 'eager')")
    page.wait_for_function("() => [...document.querySelectorAll('.map img')].every(picture => picture.complete)")
    page.screenshot(path=path, full_page=full)


def shrink(path: Path) -> None:
    """256 colours, the rare ones too (the buttons' are): a quarter of the bytes."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "videos" / "clips").mkdir(parents=True)
        settings = Settings(
            database_url=f"sqlite:///{root / 'review.sqlite3'}", data_dir=root / "data", document_root=root / "videos",
            username="label-studio", password=SecretStr(PASSWORD), label_studio_url="http://label-studio.example",
            web_threads=4, max_attempts=1,
        )  # fmt: skip
        database = Database(settings.database_url)
        schema.upgrade(database.engine)
        numbers = seed(database, settings, root / "videos" / "clips")
        with served(settings, database) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = open_page(browser, url, 1280, 860)
            page.goto(f"{url}/review/")
            page.wait_for_function(THUMBNAILS_JS, arg=len(CLIPS))
            page.screenshot(path=out / "review-queue.png", full_page=True)
            shoot_item(page, url, numbers[0], out / "review-item.png")
            dark = open_page(browser, url, 1280, 860, dark=True)
            shoot_item(dark, url, numbers[0], out / "review-item-dark.png")
            narrow = open_page(browser, url, 390, 844)
            shoot_item(narrow, url, numbers[0], out / "review-item-narrow.png", full=False)
            if out != OUT:  # more to look at
                dark.goto(f"{url}/review/")
                dark.screenshot(path=out / "queue-dark.png", full_page=True)
                narrow.goto(f"{url}/review/")
                narrow.screenshot(path=out / "queue-narrow.png", full_page=True)
                shoot_item(narrow, url, numbers[0], out / "item-narrow-full.png")
                for name, task in (("suggested", numbers[4]), ("accepted", numbers[1])):
                    shoot_item(page, url, task, out / f"item-{name}.png")
                for name, task in (("failed", len(CLIPS) + 1), ("waiting", len(CLIPS) + 2)):
                    page.goto(f"{url}/review/tasks/{task}")
                    page.screenshot(path=out / f"item-{name}.png", full_page=True)
                page.keyboard.press("?")
                page.screenshot(path=out / "keys.png")
            browser.close()
        database.close()
    for path in out.glob("review-*.png"):
        shrink(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
