"""A box drawn on the page: which one was meant, one job for it, and an answer that takes its place."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from backend.annotations.target import RULE
from backend.db.tables import Job, Prediction
from backend.jobs.identity import job_identity, prediction_identity
from backend.labelstudio.asking import MARK, DrawnRegion, drawn_regions, note
from backend.labelstudio.config import read_config
from stvg_core.errors import QueryError
from tests.db.helpers import CONFIG
from tests.jobs.conftest import Loop

CONFIG_READ = read_config(CONFIG)
BOX = [0.2, 0.3, 0.4, 0.7]


def drawn(region: str = "J84v", frame: int = 12, box: list[float] = BOX, **changes: Any) -> DrawnRegion:
    values: dict[str, Any] = {
        "region_id": region, "suggested_as": region, "label": "Other", "sentence": None,
        "frames": np.array([frame]), "boxes": np.array([box]), **changes,
    }  # fmt: skip
    return DrawnRegion(**values)


def ask(loop: Loop, *regions: DrawnRegion, sentence: str | None = None, number: int = 1) -> dict[str, Any]:
    """Ask with a worker that works meanwhile, until there is an answer."""
    answered = Event()

    def work() -> None:
        while not answered.wait(0.05):
            loop.worker.drain()

    working = Thread(target=work)
    working.start()
    try:
        return loop.answers.for_question(1, CONFIG_READ, loop.task(number), sentence, regions)
    finally:
        answered.set()
        working.join()


def stored(loop: Loop, table: type[Any]) -> list[Any]:
    with loop.database.read() as session:
        return session.query(table).order_by(table.id).all()


def test_without_a_prompt_the_identities_are_what_they_were() -> None:
    assert prediction_identity("a" * 64, "q", "m").startswith("9b167ae059f23ceb")
    assert job_identity(1, 2, "v", "q", "m").startswith("b50227186355e31d")
    prompt = {"frame": 3, "box": BOX, "label": "Other"}
    assert len({prediction_identity("a", "q", "m", p) for p in (None, prompt, prompt | {"frame": 4})}) == 3
    assert job_identity(1, 2, "v", "q", "m", prompt) != job_identity(1, 2, "v", "q", "m")
    renamed = prompt | {"label": "Target", "box": [0.2 + 1e-9, *BOX[1:]]}
    assert prediction_identity("a", "q", "m", renamed) == prediction_identity("a", "q", "m", prompt)


def test_a_drawn_box_is_followed_and_its_answer_takes_its_place(each_loop: Loop) -> None:
    body = ask(each_loop, drawn())
    region, line = body["result"]
    assert (line["id"], line["type"]) == ("J84v", "textarea")
    assert line["value"]["text"] == ["Counts only where the proposal's box is gone and this is the longest Target."]
    assert (region["id"], region["value"]["labels"], region["type"]) == ("J84v", ["Other"], "videorectangle")
    (job,), (prediction,) = stored(each_loop, Job), stored(each_loop, Prediction)
    assert job.prompt == prediction.prompt == {"frame": 12, "box": BOX, "label": "Other"}
    assert (job.query, job.priority, job.deliver) == ("the red box", 100, False)
    assert region["meta"] == {"text": ["the red box", f"\n{RULE}"], MARK: prediction.region_id}
    assert each_loop.engine.prompts == [(12, tuple(BOX))]
    assert (prediction.start_frame, prediction.end_frame) == (7, 17)
    again = each_loop.answers.for_question(1, CONFIG_READ, each_loop.task(1), None, [drawn("another", label="Target")])
    assert again["result"][0]["id"] == "another" and again["result"][0]["value"]["labels"] == ["Target"]
    assert len(each_loop.engine.calls) == 1, "the same box is not followed twice"


def test_the_tasks_own_suggestion_is_another_prediction(loop: Loop) -> None:
    loop.ask(loop.task(1))
    loop.worker.drain()
    ask(loop, drawn())
    assert [row.prompt is None for row in stored(loop, Prediction)] == [True, False]
    assert len({row.region_id for row in stored(loop, Prediction)}) == 2


@pytest.mark.parametrize(
    ("typed", "noted", "asked"),
    [("the star", "the ring", "the star"), (None, "the ring", "the ring"), (None, None, "the red box")],
)
def test_whose_sentence_it_is(loop: Loop, typed: str | None, noted: str | None, asked: str) -> None:
    body = ask(loop, drawn(sentence=noted), sentence=typed)
    sentence, line = body["result"][0]["meta"]["text"]
    counts = line.removeprefix("\n")
    assert line != counts, "the page shows both texts with nothing in between"
    assert sentence == asked and loop.job().query == asked
    assert (counts == RULE) == (asked == "the red box"), "the note says whether the box can count as the task's"
    assert note(body["result"][0]) == asked
    assert (body["result"][1]["value"]["text"] == [f"Answers: {asked}"]) == (asked != "the red box")
    joined = {"meta": {"text": [f"{asked}\n{counts}"]}}
    assert note(joined) == asked, "as the page saves a note that somebody edited"


def test_of_several_boxes_the_last_one_drawn_counts(loop: Loop) -> None:
    ask(loop, drawn("first", 3), drawn("tube", frames=np.array([1, 9]), boxes=np.array([BOX, BOX])), drawn("last", 20))
    assert loop.engine.prompts == [(20, tuple(BOX))]


def shown(loop: Loop, *, dragged: int | None = None, region: str = "J84v") -> DrawnRegion:
    """The suggestion as the page holds it after it took the drawn box's place, one keyframe dragged."""
    sequence = ask(loop, drawn(region))["result"][0]
    if dragged is not None:
        sequence["value"]["sequence"].insert(
            1, {**sequence["value"]["sequence"][0], "frame": dragged, "x": 60.0, "time": dragged / 25}
        )
    return drawn_regions({"result": [sequence]}, CONFIG_READ)[0]


def test_a_box_of_a_tube_that_was_dragged_is_followed(loop: Loop) -> None:
    body = ask(loop, shown(loop, dragged=11))
    assert body["result"][0]["id"] == "J84v"
    assert loop.engine.prompts[1] == (10, pytest.approx((0.6, 0.3, 0.8, 0.7)))


def test_a_label_that_was_only_changed_asks_for_nothing(loop: Loop) -> None:
    body = ask(loop, shown(loop))
    assert body["result"] == [] and len(loop.engine.prompts) == 1
    unknown = drawn("by hand", frames=np.array([1, 9]), boxes=np.array([BOX, BOX]))
    assert ask(loop, unknown)["result"] == [], "a tube that nobody suggested"


def test_without_a_worker_the_answer_is_empty(loop: Loop) -> None:
    loop.answers.wait_s = 0
    assert loop.answers.for_question(1, CONFIG_READ, loop.task(1), None, [drawn()])["result"] == []
    assert loop.job().state == "queued"


def test_a_box_for_a_task_without_a_sentence(loop: Loop) -> None:
    with pytest.raises(QueryError):
        loop.answers.for_question(1, CONFIG_READ, loop.task(1, ""), None, [drawn()])


def test_an_old_job_without_a_prompt_is_still_grounded(loop: Loop) -> None:
    loop.ask(loop.task(1))
    assert loop.job().prompt is None
    loop.worker.drain()
    assert loop.engine.prompts == [] and len(loop.engine.calls) == 1


def test_a_turned_box_is_followed_by_the_box_around_it(loop: Loop) -> None:
    """Once the video is known, by its own width and height."""
    loop.ask(loop.task(1))
    loop.worker.drain()
    keyframe = {"frame": 6, "enabled": True, "x": 50, "y": 20, "width": 15, "height": 30, "rotation": 90, "time": 0.24}
    value = {"labels": ["Target"], "sequence": [keyframe]}
    region = {"id": "hand", "from_name": "box", "to_name": "video", "type": "videorectangle", "value": value}
    ask(loop, drawn_regions({"result": [region]}, CONFIG_READ)[0])
    [(_, box)] = loop.engine.prompts
    # In a picture of 320 x 240 the box is 48 x 72; turned it lies to the left of x = 160 and below y = 48.
    assert box == pytest.approx(((160 - 72) / 320, 48 / 240, 160 / 320, (48 + 48) / 240), abs=1e-6)
