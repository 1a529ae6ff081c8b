"""One tiny detector and one tiny tracker for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny_detectors import save_grounding_dino, save_sam2


@pytest.fixture(scope="session")
def detector_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_grounding_dino(tmp_path_factory.mktemp("detector"))


@pytest.fixture(scope="session")
def tracker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sam2(tmp_path_factory.mktemp("tracker"))
