"""Tests mirror the source, folder by folder."""

import os

from tests.chance import hold_still

# Set before torch is imported: on a busy machine with few cores, threads that wait for each other in spin loops make a
# second of work take a minute. Child processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

hold_still()
