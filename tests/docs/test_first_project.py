"""The commands of docs/first-project.md, typed as they stand into one terminal, with a real Label Studio.

What the page marks "By hand" is done here by :data:`BY_HAND`, through the same addresses that a browser would ask. The
ports are those that the page says can be chosen; ``~`` is an empty folder.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from backend.db.annotations import current
from backend.db.engine import Database
from backend.demo import annotator
from backend.demo.reviewer import Reviewer
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import read_config
from backend.processes import free_port
from backend.review.decisions import ACCEPTED, SENT_BACK
from labeling_config import video_tube
from stvg_core.datasets.hcstvg import read
from stvg_core.demo.clips import split_scene, write_clip
from tests.docs.pages import ROOT
from tests.docs.terminal import Terminal

pytestmark = pytest.mark.label_studio

PAGE = ROOT / "docs" / "first-project.md"
PATIENCE_S = 600
VIDEOS = 10
CUT, SHIFT = 2, 1.0
_STEP = re.compile(r"^```bash\n(?P<typed>.*?)^```$|^\*\*By hand: (?P<hand>[a-z ]+)\.\*\*", re.MULTILINE | re.DOTALL)
_OWN = ("STVG_", "LABEL_STUDIO_", "PYTEST", "VIRTUAL_ENV", "MAKE", "MFLAGS")


@dataclass
class Project:
    """Where the page has come to.

    Attributes:
        terminal: the one that all is typed into.
        home: what ``~`` is.
        printed: what each block printed, by its first command.
        queries: the sentence of each video.
        did: what the annotator did, by Label Studio's task number.
    """

    terminal: Terminal
    home: Path
    printed: dict[str, str] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)
    did: dict[int, str] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return Database(self.terminal.value("STVG_DATABASE_URL"))

    def client(self) -> LabelStudioClient:
        return LabelStudioClient(
            self.terminal.value("STVG_LABEL_STUDIO_URL"), self.terminal.value("STVG_LABEL_STUDIO_TOKEN")
        )

    def video_of(self, task: dict[str, object]) -> str:
        data = task["data"]
        assert isinstance(data, dict)
        return Path(str(data["video"])).name


def steps() -> Iterator[tuple[str, str]]:
    """``("type", commands)`` and ``("hand", what)`` in the order of the page."""
    for found in _STEP.finditer(PAGE.read_text(encoding="utf-8")):
        yield ("type", found["typed"]) if found["typed"] is not None else ("hand", found["hand"])


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.5)


def put_videos(project: Project) -> None:
    folder = project.home / "tubes" / "media" / "videos"
    for number in range(VIDEOS):
        scene = split_scene("demo", number, difficulty="easy", max_seconds=3.0)
        name = f"video {number}.mp4"
        write_clip(folder / name, scene).with_suffix(".json").unlink()
        project.queries[name] = scene.query
    with (folder / "tasks.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("video", "query"), *project.queries.items()])


def wait_for_tubes(project: Project) -> None:
    with project.client() as client:
        tasks = [int(task["id"]) for task in client.tasks(1)]
        assert len(tasks) == VIDEOS
        wait_for("the tubes", lambda: all(client.predictions(task) for task in tasks))
    rows = [json.loads(line) for line in project.terminal.type("stvg jobs --json").splitlines() if line]
    assert [row["state"] for row in rows] == ["done"] * VIDEOS


def correct(project: Project) -> None:
    """The first is corrected, the second skipped, the last left alone, the others are taken as they are."""
    name, password = project.terminal.value("LABEL_STUDIO_USERNAME"), project.terminal.value("LABEL_STUDIO_PASSWORD")
    config = read_config(video_tube())
    with project.client() as client:
        log_in(client.url, name, password)
        tasks = [int(task["id"]) for task in client.tasks(1)]
        for task in tasks[:-1]:
            annotator.open_task(client, task)
            (prediction,) = client.predictions(task)
            if task == tasks[0]:
                annotator.correct(client, task, prediction, config, cut=CUT, shift=SHIFT)
            elif task == tasks[1]:
                annotator.skip(client, task)
            else:
                annotator.accept(client, task, prediction, config)
            project.did[task] = {tasks[0]: "corrected", tasks[1]: "skipped"}.get(task, "accepted")


def log_in(url: str, name: str, password: str) -> None:
    """As the browser does; the password on the page must open the page."""
    with httpx.Client(base_url=url, follow_redirects=True, timeout=60, trust_env=False) as browser:
        form = browser.get("/user/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert token is not None
        fields = {"csrfmiddlewaretoken": token[1], "email": name, "password": password}
        browser.post("/user/login/", data=fields, headers={"Referer": f"{url}/user/login/"})
        assert browser.get("/api/current-user/whoami").json()["email"] == name


def review(project: Project) -> None:
    """The corrected label is accepted, another one is sent back."""
    database = project.database
    try:

        def arrived() -> dict[int, int]:
            with database.read() as session:
                return {
                    row.task.ls_task_id: row.task.id for row in current(session) if row.task is not None
                }  # fmt: skip

        wait_for("the annotations", lambda: set(arrived()) == set(project.did))
        ours = arrived()
    finally:
        database.close()
    first = {what: task for task, what in reversed(project.did.items())}
    address = f"http://127.0.0.1:{project.terminal.value('STVG_PORT')}"
    with Reviewer(address, "rita", project.terminal.value("REVIEWER_PASSWORD")) as rita:
        assert set(ours.values()) <= rita.queued()
        rita.decide(ours[first["corrected"]], ACCEPTED)
        rita.decide(ours[first["accepted"]], SENT_BACK, reason="boxes loose", comment="")
    project.did[first["accepted"]] = "sent back"
    with Reviewer(address, "lee", project.terminal.value("LEAD_PASSWORD")) as lee:
        assert "rita" in lee.page("/review/audit")


BY_HAND = {"videos": put_videos, "wait": wait_for_tubes, "correct": correct, "review": review}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    if not (ROOT / ".venv-ls" / "bin" / "label-studio").exists():
        pytest.skip("NO LABEL STUDIO in .venv-ls: the first project was not typed. `make setup-all` installs it.")
    fresh = subprocess.run(["make", "--question", "setup-all"], cwd=ROOT, capture_output=True, check=False)
    if fresh.returncode:
        pytest.skip("NO CURRENT ENVIRONMENTS: the first project was not typed. `make setup-all` makes them.")
    home = tmp_path / "home"
    home.mkdir()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    quiet = {"OMP_NUM_THREADS": "1", "LATEST_VERSION_CHECK": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}
    ports = {"LABEL_STUDIO_PORT": str(free_port()), "STVG_PORT": str(free_port())}
    environment = plain | quiet | ports | {"HOME": str(home), "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    with Terminal(ROOT, environment) as terminal:
        yield Project(terminal, home)


def test_the_page_is_typed_as_it_stands(project: Project) -> None:
    done = []
    try:
        for kind, what in steps():
            if kind == "hand":
                BY_HAND[what](project)
            else:
                project.printed[what.split("\n")[0].split(" --")[0]] = project.terminal.type(what)
            done.append(what)
    except AssertionError as error:
        logs = [path.read_text(errors="replace")[-3000:] for path in sorted((project.home / "tubes").glob("*.log"))]
        raise AssertionError("\n\n".join([str(error), *logs])) from error
    assert [what for what in done if what in BY_HAND] == list(BY_HAND)
    check_what_was_printed(project.printed)
    check_what_was_exported(project)
    assert not [path for path in project.home.iterdir() if path.name != "tubes" and not path.name.startswith(".")]
    for address in (
        project.terminal.value("STVG_LABEL_STUDIO_URL"),
        f"http://127.0.0.1:{project.terminal.value('STVG_PORT')}",
    ):
        with pytest.raises(httpx.ConnectError):
            httpx.get(address, trust_env=False)
    assert project.terminal.type("jobs").strip() == "", "the last step ends both servers"


def check_what_was_printed(printed: dict[str, str]) -> None:
    connected = printed["stvg connect"]
    assert f"imported {VIDEOS} tasks" in connected and f"asked for tubes for {VIDEOS} tasks" in connected
    assert re.search(r"^ok +label studio", connected, re.MULTILINE), "what the doctor says comes after it"
    assert "rita can log in as reviewer." in printed["stvg users add rita"]
    assert f"{VIDEOS - 3} labels written to labels.json" in printed["stvg report effort"]


def check_what_was_exported(project: Project) -> None:
    folder = project.home / "tubes"
    with_labels = {record.video: record for record in read(folder / "labels.json")}
    names = list(project.queries)
    by_what: dict[str, list[str]] = {}
    for task, what in project.did.items():
        by_what.setdefault(what, []).append(names[task - 1])
    assert sorted(with_labels) == sorted(by_what["corrected"] + by_what["accepted"])
    assert {name: record.caption for name, record in with_labels.items()} == {
        name: project.queries[name] for name in with_labels
    }
    assert [record.video for record in read(folder / "unreviewed.json")] == [names[-1]]


def test_every_block_is_typed_or_is_a_table() -> None:
    """A command that stands in a block of another kind would be typed by nobody."""
    kinds = re.findall(r"^```(\w*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(kinds) == {"bash", "csv", ""} and kinds.count("") == kinds.count("bash") + kinds.count("csv")
    assert [what for kind, what in steps() if kind == "hand"] == list(BY_HAND)
