"""``stvg ground`` with a checkpoint folder as published, but for its weights: a clip and a sentence give a tube."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli import ground
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.notice import DEMO_NOTICE

SCENE = split_scene("test", 3, difficulty="easy", max_seconds=6.0)
QUERY = 'the red square that moves left past the "<video>."'


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", SCENE)


def test_a_published_folder_grounds_a_sentence(family: str, checkpoint: Path, clip: Path) -> None:
    """All of it: its template, its words, 20 slots in its own shape, the sentence split by itself, both directions."""
    options = ["--query", QUERY, "--model", str(checkpoint), "--device", "cpu"]
    result = CliRunner().invoke(ground.command, [str(clip), *options])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    first, last = found["start_frame"], found["end_frame"]
    assert 0 <= first <= last < SCENE.n_frames
    assert [int(frame) for frame in found["boxes"]] == list(range(first, last + 1))
    for left, top, right, bottom in found["boxes"].values():
        assert 0 <= left < right <= SCENE.width and 0 <= top < bottom <= SCENE.height
    assert found["query"] == QUERY and 0 < found["score"] <= 1
    assert found["model_version"].startswith(family.replace("_", "-")) and DEMO_NOTICE not in found["warnings"]
