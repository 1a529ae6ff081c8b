"""Does a dataset hold suggestions that no person has looked at? Exports mark them, and they are no truth.

The mark is the value of ``origin``: in each record of the JSON formats, in MOT's ``seqinfo.ini``, in a column of the
tables. CVAT has a field of its own for it: ``source="auto"`` of a track.
"""

from __future__ import annotations

import re
from pathlib import Path

from stvg_core.text import TextError, read_text

MARK = "suggested, not reviewed"

_MARKED = re.compile(
    rf'"?origin"?\s*[:=]\s*"?{MARK}|[,;\t]"{MARK}"[,;\t]|[;\t]{MARK}[;\t]|<track\b[^<>]*\ssource=["\']auto["\']'
)
"""A table that a spreadsheet wrote has other separators, and then no quotes."""


def count_unreviewed(path: Path, *, encoding: str | None = None) -> int:
    """How many labels of an annotation file are marked as suggestions; 0 where it cannot be read as text.

    Of MOT the sequence as a whole is marked, so the answer is 0 or 1 for its ``gt.txt`` (or folder).
    """
    home = path if path.is_dir() else path.parent
    facts = next((place for place in (home / "seqinfo.ini", home.parent / "seqinfo.ini") if place.is_file()), None)
    if facts is not None and (path.is_dir() or path.name == "gt.txt"):
        path = facts
    if path.is_dir():
        return 0
    try:
        with path.open("rb") as file:
            if file.read(4) == b"PAR1":
                return _marked_rows(path)
        return sum(1 for _ in _MARKED.finditer(read_text(path, encoding=encoding)))
    except (OSError, TextError):
        return 0  # whoever reads the labels says why


def _marked_rows(path: Path) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return 0  # whoever reads the labels says what is missing
    try:
        with parquet.ParquetFile(path) as file:
            origins = (batch.column(0).to_pylist() for batch in file.iter_batches(columns=["origin"]))
            return sum(origin == MARK for some in origins for origin in some)
    except (OSError, IndexError, pyarrow.ArrowException):
        return 0  # whoever reads the labels says why
