"""Which checks are there, in which order, and what becomes of one that cannot be made?"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from backend.doctor import (
    checkpoints,
    connection,
    credentials,
    databases,
    folders,
    gpu,
    labelstudio,
    language,
    names,
    rates,
)
from backend.doctor.finding import Check, Finding, fail
from backend.doctor.installation import Installation
from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)

CHECKS: Sequence[tuple[str, Check]] = (
    (credentials.ABOUT, credentials.check),
    (databases.ABOUT, databases.check),
    (databases.CLOCK, databases.check_clock),
    (folders.DATA, folders.check_data),
    (folders.MEDIA, folders.check_media),
    (checkpoints.MODEL, checkpoints.check_model),
    (checkpoints.DETECTOR, checkpoints.check_proposer),
    (gpu.ABOUT, gpu.check),
    (language.ABOUT, language.check),
    (language.LOCATOR, language.check_chat),
    (labelstudio.ABOUT, labelstudio.check),
    (connection.ABOUT, connection.check),
    (names.ABOUT, names.check),
    (rates.ABOUT, rates.check),
)
"""From the inside to the outside: what is wrong in an early one is often the reason of a later one."""


def examine(installation: Installation, checks: Sequence[tuple[str, Check]] = CHECKS) -> Iterator[Finding]:
    """Make every check; one that cannot be made is a failure and stops no other."""
    for about, check in checks:
        try:
            yield from check(installation)
        except StvgError as error:
            yield fail(about, str(error), "Mend that, then run stvg doctor again.")
        except Exception as error:
            logger.exception("%s: the check failed", about)
            yield fail(about, f"This could not be checked ({type(error).__name__}).", "The log above has the details.")
