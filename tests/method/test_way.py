"""Who reads the code from ``Grounder.ground`` on finds the method in few files."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.way import OTHER_ROOMS, entered, of_the_method, one_grounding
from stvg_core.demo import MODEL_DIR
from stvg_core.settings import resolve

FILES = {"look", "lra", "maps", "tracks", "interval", "join", "evidence"}


def test_the_method_is_read_in_at_most_25_files() -> None:
    found = one_grounding(replace(resolve(MODEL_DIR, None), lra_steps=1))
    assert {file for file in found if file.startswith("method/")} == {f"method/{name}.py" for name in FILES}
    assert len(of_the_method(found)) <= 25
    assert {room for file in found for room in [file.split("/")[0]] if room in OTHER_ROOMS} == set(OTHER_ROOMS)


def test_only_what_is_called_counts() -> None:
    assert entered(lambda: None) == {}
    found = entered(lambda: replace(resolve(MODEL_DIR, None), lra_steps=1))
    assert set(found) == {"settings.py", "setting_text.py"} and "preset" in found["settings.py"]
