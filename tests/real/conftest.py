"""Tests against real files that are not part of this project. They are there only where a variable names the files.

STVG_SAMPLES: a folder with samples of HC-STVG, VidSTG, VidOR and of Label Studio's requests.
STVG_TUD_CAMPUS: a folder with TUD-Campus.mp4 and its gt.txt (the licence is non-commercial).

What they hold to is tested in every run with files of our own, in the folder of what it tests.
"""

from __future__ import annotations

import os

collect_ignore = [
    file
    for file, variable in {"test_samples.py": "STVG_SAMPLES", "test_street.py": "STVG_TUD_CAMPUS"}.items()
    if not os.environ.get(variable)
]
