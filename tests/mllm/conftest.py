from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.tube import Frames
from tests.tiny_models import FAMILIES, save_llava_onevision


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llava_onevision(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> LoadedModel:
    return load(tiny_folder, device="cpu")


@pytest.fixture(scope="session", params=list(FAMILIES))
def family_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param](tmp_path_factory.mktemp(request.param) / "model")


@pytest.fixture(scope="session")
def any_family(family_folder: Path) -> LoadedModel:
    """Each family of the table in turn."""
    return load(family_folder, device="cpu")


@pytest.fixture
def noise() -> Callable[..., Frames]:
    def make(count: int = 5, height: int = 40, width: int = 60) -> Frames:
        pixels = np.random.default_rng(count).integers(0, 255, (count, height, width, 3), dtype=np.uint8)
        return Frames(pixels, np.arange(count), np.arange(count) / 10.0)

    return make
