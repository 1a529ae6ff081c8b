"""Runs every test of a fault with its guard, and again without it, where it has to fail."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.fault import Fault

if TYPE_CHECKING:
    from backend.db.engine import Database
    from stvg_core.demo.scenes import Scene
    from tests.faults.service import Service
    from tests.faults.tiny import MakeGrounder
    from tests.jobs.conftest import Loop

_RUN = "fault_run"
_GUARDED = "guarded"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    faults: list[Fault] = getattr(metafunc.function, "faults", [])
    if not faults:
        return
    runs = [pytest.param(None, id=_GUARDED)]
    for fault in reversed(faults):  # in the order in which they are written
        marks = [pytest.mark.timeout(fault.hangs_s, method="signal")] if fault.hangs_s is not None else []
        runs.append(pytest.param(fault, id=fault.label, marks=marks))
    metafunc.fixturenames.append(_RUN)
    metafunc.parametrize(_RUN, runs)


def _taken_out(item: pytest.Item) -> Fault | None:
    """The fault whose guards this run does without; None for a run with them."""
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get(_RUN)


@pytest.fixture
def guarded(request: pytest.FixtureRequest) -> bool:
    """Does this run have its guard? For the few bodies that must prepare something else where it is missing."""
    return _taken_out(request.node) is None


@pytest.fixture(autouse=True)
def _without_guard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the test's own fixtures: what they build does without the guard as well."""
    fault = _taken_out(request.node)
    if fault is not None:
        fault.take_out(monkeypatch)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    fault = _taken_out(pyfuncitem)
    if fault is None:
        return (yield)
    try:
        yield
    except BaseException as error:
        if not fault.failed(error):
            raise
        pyfuncitem.add_report_section("call", fault.label, f"it fails, as it should: {type(error).__name__}: {error}")
        return True
    pytest.fail(f"The test holds {fault.label} ({', '.join(fault.guards)}): it does not show that the guard is needed.")


@pytest.fixture
def service(sqlite_database: Database, tmp_path: Path) -> Service:
    """A worker over an empty database, whose jobs end as they would with the real engine."""
    from tests.faults.service import Service
    from tests.jobs.conftest import make_loop

    return Service(make_loop(sqlite_database, tmp_path), tmp_path / "fetched")


@pytest.fixture(scope="module")
def scene() -> Scene:
    from stvg_core.demo.clips import split_scene

    return split_scene("validation", 7, difficulty="easy")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, scene: Scene) -> Path:
    from stvg_core.demo.clips import write_clip

    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", scene)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> MakeGrounder:
    from stvg_core.pipeline import Grounder
    from tests.faults.tiny import SETTINGS
    from tests.tiny_models import save_llava_onevision

    folder = save_llava_onevision(tmp_path_factory.mktemp("model") / "tiny")
    return lambda **given: Grounder.from_pretrained(folder, **{"settings": SETTINGS, "device": "cpu", **given})


@pytest.fixture
def loop(sqlite_database: Database, tmp_path: Path) -> Loop:
    from tests.jobs.conftest import make_loop

    return make_loop(sqlite_database, tmp_path)
