"""JSON written piece by piece, so that a dataset never has to fit into memory."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

AddText = Callable[[str], None]


def dumps(value: Any) -> str:
    """Compact JSON; a NaN is an error, because no reader takes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@contextmanager
def elements(file: TextIO, brackets: str) -> Iterator[AddText]:
    """Write ``[a, b]`` or ``{"k": a, "l": b}``: the function takes one element's JSON at a time.

    The closing bracket is written only where no error came in between.
    """
    first = True

    def add(text: str) -> None:
        nonlocal first
        file.write("" if first else ",\n")
        file.write(text)
        first = False

    file.write(brackets[0])
    yield add
    file.write(brackets[1])


@contextmanager
def sections(path: Path, names: Sequence[str], head: Mapping[str, Any]) -> Iterator[dict[str, AddText]]:
    """Write one object with several lists that grow at the same time: ``{head..., name: [...], name: [...]}``.

    Each list is gathered in a nameless file beside ``path``; at the end they are put together.
    """
    with ExitStack() as stack:
        spools = {
            name: stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent)) for name in names
        }
        with ExitStack() as lists:
            yield {name: lists.enter_context(elements(spool, "[]")) for name, spool in spools.items()}
        with path.open("x", encoding="utf-8") as file, elements(file, "{}") as add:
            for key, value in head.items():
                add(f"{dumps(key)}:{dumps(value)}")
            for name, spool in spools.items():
                spool.seek(0)
                add(f"{dumps(name)}:")
                shutil.copyfileobj(spool, file)
