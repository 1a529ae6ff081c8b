"""The README's "With an API key, no GPU" is typed into a shell, with a model that looks at the address."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import scene_truth
from stvg_core.demo.scenes import Scene
from tests.looking.server import MODEL, looking

ROOT = Path(__file__).parents[2]
YOURS = "export STVG_LLM_URL=https://llm.example/v1 STVG_LLM_KEY=... STVG_LLM_MODEL=..."
KEY = "sk-a-key-of-the-tests-0123"


def block() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## With an API key, no GPU")[2]
    found = re.search(r"```\n(.+?)```", text, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def a_red_circle_moving_left() -> Scene:
    for number in range(2000):
        scene = split_scene("validation", number, difficulty="easy", action="moving left", max_seconds=6.0)
        target = scene.objects[scene.target]
        alone = sum(one.colour == "red" for one in scene.objects) == 1
        if (target.colour, target.shape) == ("red", "circle") and alone:
            return scene
    raise AssertionError("no such scene")


@pytest.mark.skipif(sys.platform == "win32", reason="the README's commands are for a POSIX shell")
def test_the_block_is_typed_as_it_stands(tmp_path: Path) -> None:
    lines = block()
    assert lines[0] == YOURS, "address, key and model are the reader's own"
    scene = a_red_circle_moving_left()
    write_clip(tmp_path / "clip.mp4", scene)
    (tmp_path / "bin").mkdir()
    stvg = tmp_path / "bin" / "stvg"
    stvg.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from backend.cli.main import main; main()" "$@"\n')
    stvg.chmod(0o755)
    with looking() as server:
        own = f"export STVG_LLM_URL={server.url} STVG_LLM_KEY={KEY} STVG_LLM_MODEL={MODEL}"
        plain = {name: value for name, value in os.environ.items() if not name.startswith("STVG_")}
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", "\n".join([own, *lines[1:]])], cwd=tmp_path, capture_output=True, text=True, check=False,
            env=plain | {"PATH": path, "PYTHONPATH": str(ROOT), "STVG_DATA_DIR": str(tmp_path / "data")},
        )  # fmt: skip
        asked = [request.headers.get("Authorization") for request in server.chat.requests]
    first, _, rest = done.stdout.partition("\n")
    found, truth = json.loads(first), scene_truth(scene)
    assert found["model_version"].startswith(f"endpoint-{MODEL}@speak-")
    assert abs(found["start_frame"] - truth.start_frame) <= 3 and abs(found["end_frame"] - truth.end_frame) <= 3
    assert found["split"]["found"] is True and found["split"]["attribute"] == "the red circle"
    assert re.search(rf"^ok +locator +{MODEL} takes a picture and answers\.", rest, re.MULTILINE), rest
    assert re.search(r"^ok +model +No model is loaded", rest, re.MULTILINE)
    assert set(asked) == {f"Bearer {KEY}"} and KEY not in done.stdout + done.stderr
