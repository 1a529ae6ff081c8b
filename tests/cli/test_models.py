"""``stvg models``: the list as text, as JSON and as the documentation, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from backend.cli.main import COMMANDS
from backend.cli.models import command
from stvg_core.mllm.checkpoints import CHECKPOINTS, FAMILIES

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_documentation_is_this_list() -> None:
    found = CliRunner().invoke(command, ["--markdown"])
    assert found.exit_code == 0
    assert DOCS.read_text(encoding="utf-8") == found.output, "write it anew: stvg models --markdown > docs/models.md"


def test_every_checkpoint_is_listed_and_what_ran_is_said() -> None:
    assert "models" in COMMANDS
    text = CliRunner().invoke(command).output
    for checkpoint in CHECKPOINTS:
        assert f"{checkpoint.hub_id} " in text
    assert "Not run here" in text and "calculated" in text


def test_json_has_what_the_table_has() -> None:
    said = json.loads(CliRunner().invoke(command, ["--json"]).output)
    assert set(said["families"]) == set(FAMILIES)
    for row, checkpoint in zip(said["checkpoints"], CHECKPOINTS, strict=True):
        assert row["checkpoint"] == checkpoint.hub_id and row["parameters"] == checkpoint.parameters
        assert row["gpu_gb_4bit"] < row["gpu_gb_bf16"] and row["run_by_us"] is False
        assert row["gpu_gb_bf16_recomputed"] < row["gpu_gb_bf16"]


def test_no_torch_is_loaded() -> None:
    program = "import sys, backend.cli.models; sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
