"""Pictures of an answer: the tube over the video, and the scores that led to it."""

from stvg_core.drawing.overlay import write_overlay
from stvg_core.drawing.plot import write_plot

__all__ = ["write_overlay", "write_plot"]
