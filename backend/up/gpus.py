"""Which GPU does each worker of this machine get? Asked without torch, which would take memory on the first one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

VISIBLE = "CUDA_VISIBLE_DEVICES"
_PATIENCE_S = 60.0


def names(environment: Mapping[str, str]) -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them; none where none can be seen."""
    chosen = environment.get(VISIBLE)
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if program is None:
        return []
    command = [program, "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, env=dict(environment))
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in asked.stdout.splitlines() if line.startswith("GPU-")]


def shared_out(found: Sequence[str], workers: int, device: str | None) -> list[dict[str, str]]:
    """What each worker's environment gets, so that they lie on different GPUs as far as there are some.

    Args:
        found: as of :func:`names`.
        device: of the settings; where a device is chosen, it is everybody's, and nothing is shared out.
    """
    if device is not None or workers < 2 or len(found) < 2:
        return [{} for _ in range(workers)]
    return [{VISIBLE: found[at % len(found)]} for at in range(workers)]
