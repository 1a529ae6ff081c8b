from __future__ import annotations

from pathlib import Path

import pytest

from stvg_core.mllm.loading import LoadedModel, load
from tests.mllm.conftest import noise  # noqa: F401
from tests.mllm.reference import Reference
from tests.words.checkpoints import FAMILIES, save


@pytest.fixture(scope="session", params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    """Each family of the table in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def checkpoint(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with real words and tiny random weights."""
    return save(tmp_path_factory.mktemp("words") / family, family)


@pytest.fixture(scope="session")
def loaded(checkpoint: Path) -> LoadedModel:
    return load(checkpoint, device="cpu")


@pytest.fixture(scope="session")
def reference(checkpoint: Path, loaded: LoadedModel) -> Reference:
    return Reference(checkpoint, loaded.prompts.tokenizer)
