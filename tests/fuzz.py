"""Random videos, requests and examples: `python -m tests.fuzz --seconds 900 --files 1000 --requests 10000`.

First all the videos, then all the requests to every route, then rounds of all other property tests until the time is
over, at least one. Each part's seed is printed.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.chance import FUZZ_ENV

ROOT = Path(__file__).parent.parent
VIDEOS = "tests/video/test_generated.py"
ROUTES = "tests/http/test_every_route.py"


def pytest(seed: int, *arguments: str, **env: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = os.environ | {FUZZ_ENV: "1", "STVG_FUZZ_SEED": str(seed)} | env
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=1800, help="no further round of property tests after that")
    parser.add_argument("--files", type=int, default=1000, help="random video files; 0: none")
    parser.add_argument("--requests", type=int, default=10_000, help="random requests to the routes; 0: none")
    parser.add_argument("--seed", type=int, help="of the first part; the others count on from it")
    args, rest = parser.parse_known_args()
    seed = random.SystemRandom().randrange(10**9) if args.seed is None else args.seed
    until = time.monotonic() + args.seconds
    if args.files:
        print(f"random videos: {args.files} files, SEED={seed}", flush=True)
        if pytest(seed, VIDEOS, "--timeout=0", *rest, STVG_FUZZ_FILES=str(args.files)):
            print(f"FAILED. The same again: make fuzz SEED={seed} FILES={args.files} REQUESTS=0 SECONDS=0")
            return 1
    if args.requests:
        print(f"{args.requests} requests to every route, SEED={seed}", flush=True)
        shown = ("-s", "--timeout=0", f"--hypothesis-seed={seed}")  # with the number of answers by status
        if pytest(seed, ROUTES, *shown, *rest, STVG_FUZZ_REQUESTS=str(args.requests)):
            print(f"FAILED. The same again: make fuzz SEED={seed} FILES=0 REQUESTS={args.requests} SECONDS=0")
            return 1
    rounds = 0
    while rounds == 0 or time.monotonic() < until:
        print(f"property tests, round {rounds + 1}, SEED={seed + rounds}", flush=True)
        chosen = ("-m", "hypothesis", f"--ignore={ROUTES}", "--timeout=0", f"--hypothesis-seed={seed + rounds}")
        if pytest(seed + rounds, *chosen, *rest):
            print(f"FAILED. The same again: make fuzz SEED={seed + rounds} FILES=0 REQUESTS=0 SECONDS=0")
            return 1
        rounds += 1
    print(f"{rounds} rounds of property tests without a failure")
    return 0


if __name__ == "__main__":
    sys.exit(main())
