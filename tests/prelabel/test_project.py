"""A Label Studio project as a source."""

from __future__ import annotations

import pytest

from backend.labelstudio.config import LabelConfigError
from backend.prelabel.errors import Reason, SourceError
from backend.prelabel.item import Item, Problem, Repeated
from backend.prelabel.recognise import Kind
from backend.prelabel.sources import open_source
from tests.labelstudio.bodies import RENAMED_CONFIG
from tests.labelstudio.fake_label_studio import FakeLabelStudio
from tests.prelabel.given import everything, only


def test_each_task_is_an_item() -> None:
    studio = FakeLabelStudio()
    project = int(studio.add("projects", title="Clips", label_config=RENAMED_CONFIG)["id"])
    for movie, sentence in [
        ("s3://bucket/a.mp4", "the  man"),
        ("/data/upload/1/b.mp4", "a dog"),
        ("", "a dog"),
        ("s3://bucket/a.mp4", ""),
        ("file:///etc/passwd", "a dog"),
        ("s3://bucket/a.mp4", "the man"),
    ]:
        studio.add("tasks", project=project, data={"movie": movie, "sentence": sentence, "more": 1})
    for text in ("project:Clips", f"project:{project}"):
        source = open_source(text, client=studio.client())
        assert source.kind is Kind.PROJECT
        found = everything(source)
        assert [(one.video_ref, one.sentence, one.name, one.task, one.project) for one in only(Item, found)] == [
            ("s3://bucket/a.mp4", "the man", "1", 1, project),
            ("/data/upload/1/b.mp4", "a dog", "2", 2, project),
        ]
        assert only(Item, found)[1].data == {"movie": "/data/upload/1/b.mp4", "sentence": "a dog", "more": 1}
        assert [(one.where, one.reason) for one in only(Problem, found)] == [
            ("task 3", Reason.RECORD),
            ("task 4", Reason.SENTENCE),
            ("task 5", Reason.ADDRESS),
        ]
        assert [(one.item.task, one.first) for one in only(Repeated, found)] == [(6, "task 1")], "the task is not lost"
    assert studio.changes == []


def test_projects_that_cannot_be_read() -> None:
    studio = FakeLabelStudio()
    studio.add("projects", title="Texts", label_config="<View><Text name='t' value='$text'/></View>")
    with pytest.raises(SourceError, match='no project "Clips"'):
        open_source("project:Clips", client=studio.client())
    with pytest.raises(LabelConfigError):
        open_source("project:Texts", client=studio.client())
