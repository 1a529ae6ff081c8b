"""Shared by the end-to-end and the browser tests: one real Label Studio and one backend for the whole session."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.demo.label_studio import LabelStudioServer
from backend.demo.stack import Stack
from backend.labelstudio.client import LabelStudioClient
from tests import pauses
from tests.databases import database, database_url, postgres_url, sqlite_database, sqlite_template, sqlite_url  # noqa: F401
from tests.e2e.loop import Loop, start_loop

ROOT = Path(__file__).parent.parent
LABEL_STUDIO = ROOT / ".venv-ls" / "bin" / "label-studio"


@pytest.fixture(scope="session")
def document_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that Label Studio serves local files from; clips belong into subfolders of it."""
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory, document_root: Path) -> Iterator[LabelStudioServer]:
    if not LABEL_STUDIO.exists():
        pytest.skip("NO LABEL STUDIO in .venv-ls: nothing of the loop was tested. `make setup-all` installs it.")
    with LabelStudioServer(
        LABEL_STUDIO, tmp_path_factory.mktemp("label-studio"), document_root=document_root
    ) as server:
        yield server


@pytest.fixture(scope="session")
def client(label_studio: LabelStudioServer) -> Iterator[LabelStudioClient]:
    """Label Studio's API with the annotator's token."""
    with LabelStudioClient(label_studio.url, label_studio.token) as client:
        yield client


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, label_studio: LabelStudioServer, document_root: Path
) -> Iterator[Stack]:
    """``stvg serve`` and ``stvg worker`` with the embedded model; leases are short: a killed worker is soon missed."""
    data_dir = tmp_path_factory.mktemp("stvg")
    env = {"STVG_LEASE_SECONDS": "6"}
    with Stack(data_dir, label_studio, document_root=document_root, env=env) as stack:
        yield stack


@pytest.fixture(scope="session")
def loop(client: LabelStudioClient, stack: Stack, document_root: Path) -> Loop:
    """A project with three clips, each with its proposal."""
    return start_loop(client, stack, document_root)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """What a test draws without a seed of its own is the same in every run, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--times", type=int, default=1, help="run every test so many times (see tests/flaky.py)")
    parser.addoption("--pauses", type=int, metavar="SEED", help="threads and processes stand still (tests/pauses.py)")


def pytest_configure(config: pytest.Config) -> None:
    if (seed := config.getoption("pauses")) is not None:
        pauses.begin(seed)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times: int = metafunc.config.getoption("times")
    if times > 1:
        metafunc.fixturenames.append("run_number")
        metafunc.parametrize("run_number", range(times), ids=[f"run{number}" for number in range(times)])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Whatever could not be tested for lack of a program is said once more at the very end, in colour."""
    reasons = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []) if report.longrepr}
    for reason in sorted(reason for reason in reasons if "NO " in reason):
        terminalreporter.write_line(reason.removeprefix("Skipped: "), red=True, bold=True)
