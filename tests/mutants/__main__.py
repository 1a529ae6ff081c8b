"""Make mutants, run the tests on them, say which survive: `python -m tests.mutants --seconds 600`.

What was found stays in ``.mutants``: the next run goes on where the last one ended, and does anew the functions that
were changed since. Runs in an environment of its own, which `make mutants` makes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.chosen import MODULES
from tests.mutants.report import Mutant, change_of, read, reasons, table
from tests.mutants.workshop import WORK, forget, prepare

RUN = ("from mutmut.__main__ import cli; cli()", "run", "--max-children", "1")
MAKE = (
    "from mutmut import __main__ as m; m.set_mutant_under_test('mutant_generation');"
    "m.makedirs('mutants', exist_ok=True); m.copy_src_dir(); m.copy_also_copy_files();"
    "m.setup_source_paths(); m.create_mutants(1)",
)
"""What `mutmut run` begins with: the mutants are there, and have names, before one of them is run."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600, help="how long it may take (default: %(default)s)")
    parser.add_argument(
        "--modules", nargs="*", default=list(MODULES), choices=MODULES, metavar="FILE", help="these alone"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth alone, a sample")
    parser.add_argument("--again", action="store_true", help="run once more what survived, with the tests as they are")
    parser.add_argument("--anew", action="store_true", help="forget what was found before")
    parser.add_argument("--report", action="store_true", help="run nothing, say what was found")
    parser.add_argument("--nice", type=int, default=19, help="0 to 19: how far it gives way (default: %(default)s)")
    args = parser.parse_args()
    if args.anew:
        forget()
    began, ended = time.monotonic(), True
    if not args.report:
        prepare()
        _mutmut(MAKE, None, args.nice)
        wanted = ("survived",) if args.again else ("not run", "unsure")
        names = [mutant.name for mutant in read(args.modules)[:: args.every] if mutant.verdict in wanted]
        if names:
            ended = _mutmut([*RUN, *names], args.seconds - (time.monotonic() - began), args.nice)
    return _report(read(args.modules), ended)


def _mutmut(command: Sequence[str], seconds: float | None, nice: int) -> bool:
    """One mutant at a time, for at most so long; whether it came to its end."""
    surroundings = os.environ | {"OMP_NUM_THREADS": "1"}
    surroundings.pop("PYTHONPATH", None)  # the copy is what is tested
    log = WORK / "mutmut.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", *command], cwd=WORK, env=surroundings, stdout=out, stderr=out, start_new_session=True
        )
        _give_way(process.pid, nice)
        try:
            code = process.wait(None if seconds is None else max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # each result is on disk as soon as it is there
            process.wait()
    if code:
        sys.exit(f"mutmut ended with {code}; its output is in {log}")
    return True


def _give_way(pid: int, nice: int) -> None:
    """To other sessions too: Linux shares the cores between sessions first, and only then between their processes."""
    os.setpriority(os.PRIO_PROCESS, pid, nice)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _report(mutants: Sequence[Mutant], ended: bool) -> int:
    """Printed: the table, and the survivors that have no reason. 1 where there are some."""
    os.chdir(WORK)  # where mutmut looks for what it made
    changes = {mutant: change_of(mutant) for mutant in mutants if mutant.verdict == "survived"}
    known = reasons()
    explained = [one for one, change in changes.items() if any(reason.covers(one, change) for reason in known)]
    left = [one for one in changes if one not in explained]
    for mutant in left:
        print(f"{mutant.name} {'(no test reaches it)' if mutant.code == 33 else 'survived'}\n{changes[mutant]}\n")
    print(table(mutants, explained))
    if not ended:
        print("\nThe time is over: the same command goes on where this one ended.")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
