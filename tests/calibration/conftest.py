from __future__ import annotations

import pytest
import torch

from tests.calibration.grounded import Session, ground_all


@pytest.fixture(scope="session")
def grounded(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The one expensive part: 30 clips through the embedded model."""
    torch.set_num_threads(1)
    return ground_all(tmp_path_factory.mktemp("grounded"))
