"""What is random in the tests, and how it is held still.

`make test` draws the same examples every time: a test fails because of the code, never because of the draw or the
machine's speed. `make fuzz` draws others on purpose, from a seed that it prints.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

FUZZ_ENV = "STVG_FUZZ"  # set by tests.fuzz
FUZZ_EXAMPLES = 500  # of a test that names no number of its own

# How long an example takes says more about the machine than about the code.
TIMED = [HealthCheck.too_slow]

settings.register_profile(
    "ci", derandomize=True, database=None, deadline=None, print_blob=True, suppress_health_check=TIMED
)
settings.register_profile(
    "fuzz",
    derandomize=False,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=TIMED,
    max_examples=FUZZ_EXAMPLES,
)


def fuzzing() -> bool:
    return bool(os.environ.get(FUZZ_ENV))


def hold_still() -> None:
    """Load the profile. To be called before any test module is imported: a test's own settings build upon it.

    With "ci", the examples of a test depend on nothing but the test. Hypothesis also tries numbers and words that it
    finds in the modules imported so far: other ones when a single test runs, or when "test" is in the folder's path.
    """
    settings.load_profile("fuzz" if fuzzing() else "ci")
    if not fuzzing():
        providers.is_local_module_file = lambda path: False
