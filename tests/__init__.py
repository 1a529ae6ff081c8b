"""Tests mirror the source, folder by folder."""

import os

from hypothesis import settings

# Set before torch is imported: on a busy machine with few cores, threads that wait for each other in spin loops make a
# second of work take a minute. Child processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long one example takes says more about the machine than about the code.
settings.register_profile("stvg", deadline=None)
settings.load_profile("stvg")
