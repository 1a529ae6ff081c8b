"""What does the database remember?

One class per table, in four files: what is labelled, the labels, the work to be done, the people who judge. Rows about
people's work (``event``, ``annotation``, ``review``) are only added: a correction is a new version. Boxes are
normalised xyxy and frames 0-based everywhere, as inside ``stvg_core``.
"""

from backend.db.tables.base import Base, Leased, LsId
from backend.db.tables.labels import Annotation, Diff, Followed, Prediction
from backend.db.tables.people import Account, Audit, Review
from backend.db.tables.state import TaskState
from backend.db.tables.tasks import Project, Task, Video
from backend.db.tables.work import Calibration, Chore, Delivery, Event, Job

__all__ = [
    "Account", "Annotation", "Audit", "Base", "Calibration", "Chore", "Delivery", "Diff", "Event", "Followed", "Job",
    "Leased", "LsId", "Prediction", "Project", "Review", "Task", "TaskState", "Video",
]  # fmt: skip
