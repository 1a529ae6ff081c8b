"""The faults that the service survives, by number; ``docs/faults.md`` is their table.

Every test here runs twice: with the guard that it is about, and without it. The second run passes only if the same
body fails. See :func:`tests.faults.fault.fault`.
"""
