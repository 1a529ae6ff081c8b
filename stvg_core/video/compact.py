"""Whole numbers, one per packet or frame of a video that may last a day, in as few bytes as they need.

Times rise evenly, sizes are small, most flags are the same for long stretches. So rows are kept block by block: what a
straight line through a block does not say, in the smallest type that holds it; nothing where the line says it all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, overload

import numpy as np

from stvg_core.tube import Array

BLOCK = 4096
"""Rows that are packed together."""
_LINEAR = 1 << 48  # larger numbers (among them the one for "no time") could leave 64 bits on the way


@dataclass(frozen=True, slots=True)
class _Block:
    """Row i is ``start + unit * (rest[i] + i * span // (count - 1))``; ``bits``: eight rows of ``rest`` in a byte."""

    count: int
    start: int
    unit: int = 1
    span: int = 0
    rest: Array | None = None
    bits: bool = False

    def at(self, row: int) -> int:
        value = 0
        if self.rest is not None:
            value = int(self.rest[row >> 3]) >> (7 - (row & 7)) & 1 if self.bits else int(self.rest[row])
        if self.span:
            value += row * self.span // (self.count - 1)
        return self.start + self.unit * value

    def all(self) -> Array:
        """``(count,)`` int64."""
        if self.rest is None:
            found = np.zeros(self.count, np.int64)
        elif self.bits:
            found = np.unpackbits(self.rest, count=self.count).astype(np.int64)
        else:
            found = self.rest.astype(np.int64)
        if self.span:
            found += np.arange(self.count) * self.span // (self.count - 1)
        return self.start + self.unit * found


def row_type(count: int) -> type[np.integer[Any]]:
    """What holds the numbers of so many rows, and -1."""
    return np.int32 if count < 1 << 31 else np.int64


class Compact:
    """``(n,)`` int64 that can be read but not written; numpy takes it for the array that it stands for.

    What goes over all rows should do so by :meth:`blocks`: the whole array takes eight bytes per row.
    """

    def __init__(self, blocks: list[_Block]) -> None:
        self._blocks = blocks
        self._len = sum(block.count for block in blocks)

    @classmethod
    def of(cls, rows: Array) -> Compact:
        """A copy of ``(n,)`` integers."""
        return cls.joined(rows[at : at + BLOCK] for at in range(0, len(rows), BLOCK))

    @classmethod
    def joined(cls, parts: Iterable[Array]) -> Compact:
        """A copy of all parts, each ``(any,)`` integers, one after the other."""
        growing = Growing()
        for part in parts:
            growing.extend(part)
        return growing.done()

    @classmethod
    def one_by_one(cls, rows: Iterable[int]) -> Compact:
        """All that an iterator gives."""
        left = iter(rows)
        return cls.joined(np.array(some, np.int64) for some in iter(lambda: list(islice(left, BLOCK)), []))

    @classmethod
    def counting(cls, count: int) -> Compact:
        """0, 1, ... ``count - 1``."""
        return cls.joined(np.arange(at, min(at + BLOCK, count)) for at in range(0, count, BLOCK))

    def __len__(self) -> int:
        return self._len

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = np.empty(self._len, np.int64)
        for start, rows in self.blocks():
            found[start : start + len(rows)] = rows
        return found if dtype is None else found.astype(dtype)

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """``(first row, (at most BLOCK,) int64)`` until all rows were there."""
        for number, block in enumerate(self._blocks):
            yield number * BLOCK, block.all()

    @property
    def last(self) -> int:
        """The last row."""
        return self[self._len - 1]

    @overload
    def __getitem__(self, rows: int) -> int: ...
    @overload
    def __getitem__(self, rows: slice | Array) -> Array: ...
    def __getitem__(self, rows: int | slice | Array) -> int | Array:
        """One row, or an array of several; IndexError for rows below zero or behind the end."""
        if isinstance(rows, slice):
            return self[np.arange(*rows.indices(self._len))]
        if not isinstance(rows, np.ndarray):
            if not 0 <= rows < self._len:
                raise IndexError(f"row {rows} of {self._len}")
            return self._blocks[rows // BLOCK].at(int(rows) % BLOCK)
        if len(rows) and not (rows.min() >= 0 and rows.max() < self._len):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {self._len}")
        found, numbers = np.empty(len(rows), np.int64), rows // BLOCK
        for number in np.unique(numbers).tolist():
            here = numbers == number
            found[here] = self._blocks[number].all()[rows[here] - number * BLOCK]
        return found

    def part(self, first: int, end: int) -> Compact:
        """Rows ``first`` to ``end - 1``."""
        if first == 0 and end == self._len:
            return self
        return Compact.joined(self[at : min(at + BLOCK, end)] for at in range(first, end, BLOCK))

    def count(self, value: int) -> int:
        """How many rows have this value?"""
        return sum(int(np.count_nonzero(rows == value)) for _, rows in self.blocks())

    def where(self, value: int) -> Compact:
        """The numbers of the rows that have this value."""
        return Compact.joined(start + np.flatnonzero(rows == value) for start, rows in self.blocks())

    def rises(self) -> bool:
        """Is each row larger than the one before?"""
        before: int | None = None
        for _, rows in self.blocks():
            if (before is not None and rows[0] <= before) or not (np.diff(rows) > 0).all():
                return False
            before = int(rows[-1])
        return True

    def find(self, value: int) -> int:
        """The first row that is not below ``value``, for rising rows."""
        firsts = np.array([block.at(0) for block in self._blocks], np.int64)
        number = max(int(np.searchsorted(firsts, value)) - 1, 0)
        return 0 if self._len == 0 else number * BLOCK + int(np.searchsorted(self._blocks[number].all(), value))


class Growing:
    """Rows that are still being added."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._open = array("q")
        self.append = self._open.append
        """Adds one row. :meth:`pack` must be called from time to time: until then a row takes eight bytes."""

    def extend(self, rows: Array) -> None:
        """Add ``(any,)`` integers."""
        self._open.frombytes(np.ascontiguousarray(rows, np.int64).tobytes())
        self.pack()

    def pack(self) -> None:
        """Pack all blocks that are full."""
        full = len(self._open) // BLOCK * BLOCK
        if full:
            rows = np.array(self._open[:full], np.int64)
            self._blocks += [_packed(rows[at : at + BLOCK]) for at in range(0, full, BLOCK)]
            del self._open[:full]

    def done(self) -> Compact:
        """All rows; none can be added afterwards."""
        self.pack()
        if self._open:
            self._blocks.append(_packed(np.array(self._open, np.int64)))
        return Compact(self._blocks)


def _packed(rows: Array) -> _Block:
    count, low, high = len(rows), int(rows.min()), int(rows.max())
    if low == high:
        return _Block(count, low)
    if low <= -_LINEAR or high >= _LINEAR:
        return _Block(count, 0, rest=rows.copy())
    first = int(rows[0])
    unit, span = _unit(rows), 0
    rest = (rows - first) // unit
    if high - low > unit:
        span = int(rest[-1])
        straight = rest - np.arange(count) * span // (count - 1)
        if np.ptp(straight) < np.ptp(rest):
            rest = straight
        else:
            span = 0
    lowest = int(rest.min())
    rest -= lowest
    largest = int(rest.max())
    start = first + unit * lowest
    if largest == 0:
        return _Block(count, start, unit, span)
    if largest == 1:
        return _Block(count, start, unit, span, np.packbits(rest.astype(np.bool_)), bits=True)
    return _Block(count, start, unit, span, rest.astype(np.min_scalar_type(largest)))


def _unit(rows: Array) -> int:
    """A number that divides all steps."""
    steps = np.diff(rows)
    unit = int(np.gcd.reduce(steps[:16]))
    return unit if unit == 1 else int(np.gcd.reduce(steps))
