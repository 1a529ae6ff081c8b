"""Servers that stop in the middle, wrong tokens, missing videos: nothing is lost, nothing is doubled, all is said."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import httpx
import pytest

from backend.db.tables import Delivery, Job
from backend.demo.label_studio import LabelStudioServer
from backend.demo.loop import DemoProject, job_states
from backend.processes import ProcessError
from tests.e2e.loop import Loop, add_task

pytestmark = pytest.mark.label_studio

PATIENCE_S = 240


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)


def state(loop: Loop, project: DemoProject) -> tuple[Job, Delivery | None]:
    (task,) = project.tasks
    return job_states(loop.database, project)[task]


def test_label_studio_is_down_while_a_tube_is_pushed(
    loop: Loop, label_studio: LabelStudioServer, document_root: Path
) -> None:
    project = add_task(loop, document_root / "painted", "pushed-late.mp4", Fraction(15))
    (task,) = project.tasks
    loop.stack.worker.stop()
    loop.client.retrieve_predictions(project.id, [task])
    assert state(loop, project)[0].state == "queued"
    label_studio.stop()
    try:
        loop.stack.worker.start()
        wait_for(
            "a push that fails", lambda: (delivery := state(loop, project)[1]) is not None and delivery.attempts > 0
        )
        wait_for("the reason why", lambda: bool((delivery := state(loop, project)[1]) and delivery.reason))
        assert state(loop, project)[0].state == "done", "the tube itself is safe"
    finally:
        label_studio.start()
    wait_for(
        "the delivery", lambda: (delivery := state(loop, project)[1]) is not None and delivery.state == "delivered"
    )
    assert len(loop.client.predictions(task)) == 1


def cut_off(loop: Loop, document_root: Path) -> DemoProject:
    """A task whose job was running when its worker was killed; another one where this process stood still meanwhile."""
    for rate in range(12, 60):
        # A rate of its own makes it a video of its own: an earlier answer would end the job at once.
        project = add_task(loop, document_root / "painted", f"killed-{rate}.mp4", Fraction(rate))
        loop.stack.worker.stop()  # else the job may be over before Label Studio has answered
        loop.client.retrieve_predictions(project.id, list(project.tasks))
        assert state(loop, project)[0].state == "queued"
        loop.stack.worker.start()
        wait_for("the job to run", lambda project=project: state(loop, project)[0].state != "queued")
        loop.stack.worker.kill()
        if state(loop, project)[0].state == "running":  # nobody has noticed yet
            return project
    raise AssertionError("no job was ever cut off")


def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(loop: Loop, document_root: Path) -> None:
    project = cut_off(loop, document_root)
    (task,) = project.tasks
    loop.stack.worker.start()
    wait_for(
        "the delivery", lambda: (delivery := state(loop, project)[1]) is not None and delivery.state == "delivered"
    )
    assert state(loop, project)[0].attempts == 1, "a killed worker is no failed try"
    assert len(loop.client.predictions(task)) == 1


def test_a_missing_video_fails_with_its_reason_and_nothing_else_stops(loop: Loop, document_root: Path) -> None:
    project = add_task(loop, document_root / "painted", "soon-gone.mp4")
    (task,) = project.tasks
    project.tasks[task].path.unlink()
    loop.client.retrieve_predictions(project.id, [task])
    wait_for("the job to fail", lambda: state(loop, project)[0].state == "failed")
    assert "There is no file soon-gone.mp4" in str(state(loop, project)[0].reason)
    assert loop.stack.worker.alive
    assert loop.client.predictions(task) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--token", "0" * 40, "--project", "end to end"), "token"),
        (("--project", "999999"), "There is no project 999999 in Label Studio"),
    ],
    ids=["wrong token", "unknown project"],
)
def test_connect_says_what_is_wrong(loop: Loop, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(ProcessError) as caught:
        loop.stack.run("connect", *arguments)
    assert said in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_the_web_process_turns_strangers_and_nonsense_away(loop: Loop) -> None:
    stack = loop.stack
    login = (stack.username, stack.password)
    replies = {
        401: httpx.post(f"{stack.url}/predict", json={"tasks": []}, auth=("label-studio", "guess")),
        400: httpx.post(f"{stack.url}/predict", content=b"{not json", auth=login),
        404: httpx.get(f"{stack.url}/no-such-page", auth=login),
    }
    for status, reply in replies.items():
        assert reply.status_code == status
        assert "Traceback" not in reply.text
        assert stack.password not in reply.text
    no_token = httpx.post(f"{stack.url}/webhook", json={"action": "ANNOTATION_CREATED"})
    assert no_token.status_code == 401


def test_no_secret_is_in_any_log(loop: Loop, label_studio: LabelStudioServer) -> None:
    secrets = (loop.stack.password, loop.stack.webhook_token, label_studio.token)
    for child in (loop.stack.web, loop.stack.worker):
        text = child.log.read_text(errors="replace")
        assert text, f"{child.name} wrote nothing at all"
        assert not [secret for secret in secrets if secret in text], f"a secret is in the log of {child.name}"
