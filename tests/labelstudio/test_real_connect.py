"""``stvg connect`` with a table of tasks against a real Label Studio and a running service."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from backend.demo.stack import Stack
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import read_config
from backend.labelstudio.task_checks import further_keys
from backend.labelstudio.transport import LabelStudioError
from backend.processes import ProcessError
from labeling_config import video_tube
from tests.e2e.painted_clip import paint_clip

pytestmark = pytest.mark.label_studio


@pytest.fixture(scope="module")
def folder(document_root: Path) -> Path:
    folder = document_root / "tables"
    folder.mkdir(exist_ok=True)
    for name, fps in (("a.mp4", Fraction(10)), ("b, c.mp4", Fraction(30000, 1001))):
        paint_clip(folder / name, fps)
    (folder / "notes.mp4").write_text("buy milk")
    return folder


def test_a_table_becomes_tasks_once_and_a_bad_one_leaves_no_project(
    client: LabelStudioClient, stack: Stack, folder: Path, tmp_path: Path
) -> None:
    table = tmp_path / "tasks.csv"
    words = ["--project", "from a table", "--videos", str(folder), "--document-root", str(folder.parent)]
    words += ["--backend-url", stack.url, "--tasks", str(table)]
    table.write_text('video,query\n"b, c.mp4","the circle, which grows"\nnotes.mp4,x\n')
    with pytest.raises(ProcessError, match=r"line 3 \(record 2\)"):
        stack.run("connect", *words)
    assert client.projects("from a table") == []

    table.write_text('video;query\nb, c.mp4;the circle, which grows\na.mp4;the "red" square\na.mp4;a\n')
    assert "imported 3 tasks" in stack.run("connect", *words)
    assert "imported 0 tasks, skipped 3" in stack.run("connect", *words)
    [project] = client.projects("from a table")
    try:
        data = [client.task(int(task["id"]))["data"] for task in client.tasks(int(project["id"]))]
        assert [(row["video"], row["query"]) for row in data] == [
            ("/data/local-files/?d=tables/b%2C%20c.mp4", "the circle, which grows"),
            ("/data/local-files/?d=tables/a.mp4", 'the "red" square'),
            ("/data/local-files/?d=tables/a.mp4", "a"),
        ]
        assert [row["fps"] for row in data] == [pytest.approx(30000 / 1001, abs=1e-6), 10, 10]
    finally:
        client.delete_project(int(project["id"]))


def test_the_keys_that_label_studio_asks_for(client: LabelStudioClient) -> None:
    """What is said to be missing before the import is what Label Studio would refuse."""
    own = '<View><Text name="t" value="$title"/><Header value="$unnamed"/><Image name="i" value="$meta.picture"/>'
    xml = video_tube().replace("<View>", own, 1)
    config = read_config(xml)
    wanted = further_keys(xml, config)
    assert wanted == ["title", "meta.picture"]
    whole = {"video": "/data/local-files/?d=tables/a.mp4", "query": "x", "title": "t", "meta": {"picture": "/data/p"}}
    number = int(client.create_project("keys", xml)["id"])
    try:
        for key in ("title", "meta"):
            with pytest.raises(LabelStudioError, match=key):
                client.import_tasks(number, [{"data": {name: value for name, value in whole.items() if name != key}}])
        assert client.import_tasks(number, [{"data": whole}])["task_count"] == 1
    finally:
        client.delete_project(number)
