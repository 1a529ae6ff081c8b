"""Kill the service again and again, and count what is left (``make chaos``).

    .venv/bin/python -m tests.chaos --jobs 400 --kills 200 --seed 1 --database sqlite,postgresql

PostgreSQL answers at STVG_TEST_POSTGRES_URL. ``--label-studio real`` takes the one of ``.venv-ls`` (``make setup-all``)
in the place of the fake. The exit status is 1 where anything is lost, doubled or failed.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from backend.db import schema
from backend.db.engine import Database
from tests.chaos.fake import Fake
from tests.chaos.real import PROGRAM, Real
from tests.chaos.run import Outcome, Run
from tests.chaos.seam import Opening
from tests.databases import SERVER


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[str]:
    """The address of a migrated, empty database of its own."""
    url = f"sqlite:///{folder / 'stvg.sqlite3'}"
    server, name = create_engine(SERVER, isolation_level="AUTOCOMMIT"), f"stvg_chaos_{folder.name.rpartition('-')[2]}"
    if kind == "postgresql":
        with server.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        url = make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    try:
        database = Database(url)
        schema.upgrade(database.engine)
        database.close()
        yield url
    finally:
        if kind == "postgresql":
            with server.connect() as connection:
                connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        server.dispose()


LABEL_STUDIOS: dict[str, Opening] = {"fake": Fake, "real": Real}


def once(kind: str, args: argparse.Namespace) -> Outcome:
    opening = LABEL_STUDIOS[args.label_studio]
    with tempfile.TemporaryDirectory(prefix="stvg-chaos-") as name, database_of(kind, Path(name)) as url:
        run = Run(
            Path(name), url, jobs=args.jobs, kills=args.kills, seed=args.seed, opening=opening, seconds=args.seconds
        )
        try:
            return run.run()
        finally:
            run.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=math.inf, help="no kills after so many, for each database")
    parser.add_argument("--database", default="sqlite,postgresql")
    parser.add_argument("--label-studio", choices=sorted(LABEL_STUDIOS), default="fake")
    args = parser.parse_args()
    if args.label_studio == "real" and not PROGRAM.exists():
        parser.error(f"There is no Label Studio at {PROGRAM}. `make setup-all` installs it.")
    failed = False
    for kind in args.database.split(","):
        outcome = once(kind, args)
        print(f"seed {args.seed}, {args.label_studio} Label Studio, {outcome.summary()}", flush=True)
        failed |= bool(outcome.wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
