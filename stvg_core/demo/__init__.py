"""The embedded model and its synthetic world: everything runs and is measured without any download."""

from pathlib import Path

MODEL_DIR = Path(__file__).parent / "model"
