"""A copy of a database that is being written to is whole, and the service works with it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, make_url, select, text

from backend.cli.db import command
from backend.db import audits, backup, schema
from backend.db.backup import back_up
from backend.db.engine import Database
from backend.db.errors import DatabaseError
from backend.db.tables import Audit
from tests.db.helpers import a_task


def say(database: Database, *actions: str) -> None:
    """Several rows in one transaction."""
    with database.write() as session:
        for action in actions:
            audits.add(session, who="w", action=action, target="t")


def count(path: Path, action: str) -> int:
    """Rows of a copy, opened as the service opens it."""
    copy = Database(f"sqlite:///{path}")
    try:
        schema.check_ready(copy.engine)
        with copy.read() as session:
            return int(session.scalar(select(func.count()).where(Audit.action == action)) or 0)
    finally:
        copy.close()


def test_what_is_committed_is_in_it_and_what_is_not_is_not(sqlite_database: Database, tmp_path: Path) -> None:
    say(sqlite_database, "before")  # it lies in the write-ahead file
    with sqlite_database.write() as session:
        audits.add(session, who="w", action="open", target="t")
        session.flush()
        assert back_up(sqlite_database.engine, tmp_path / "copy.sqlite3") > 0
    assert (count(tmp_path / "copy.sqlite3", "before"), count(tmp_path / "copy.sqlite3", "open")) == (1, 0)
    assert not list(tmp_path.glob(".copy*")) and not (tmp_path / "copy.sqlite3-wal").exists()


def test_copies_taken_while_somebody_writes_are_whole(sqlite_database: Database, tmp_path: Path) -> None:
    """Each transaction adds a pair: a copy with half of one would be of no moment that ever was."""
    begun, enough = threading.Event(), threading.Event()

    def write() -> None:
        while not enough.is_set():
            say(sqlite_database, "one", "other")
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(600)
        copies = [tmp_path / f"copy{number}.sqlite3" for number in range(5)]
        for copy in copies:
            back_up(sqlite_database.engine, copy)
    finally:
        enough.set()
        writer.join()
    found = [count(copy, "one") for copy in copies]
    assert found == [count(copy, "other") for copy in copies] and found[0] > 0 and found == sorted(found)


def test_a_copy_put_back_goes_on_from_there(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    say(sqlite_database, "kept")
    back_up(sqlite_database.engine, tmp_path / "copy.sqlite3")
    say(sqlite_database, "lost")
    sqlite_database.close()
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    shutil.copy(tmp_path / "copy.sqlite3", file)
    say(Database(sqlite_url), "new")
    assert [count(file, action) for action in ("kept", "lost", "new")] == [1, 0, 1]


def test_an_older_copy_is_brought_to_this_version(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        a_task(session)
    back_up(sqlite_database.engine, tmp_path / "copy.sqlite3")
    old = Database(f"sqlite:///{tmp_path / 'copy.sqlite3'}")
    schema.downgrade(old.engine, "0002")
    with pytest.raises(DatabaseError, match="stvg db upgrade"):
        schema.check_ready(old.engine)
    schema.upgrade(old.engine)
    schema.check_ready(old.engine)
    old.close()


def test_no_file_is_replaced(sqlite_database: Database, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(DatabaseError, match="there already"):
        back_up(sqlite_database.engine, tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_folder_that_is_not_there_is_said(sqlite_database: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="cannot be written"):
        back_up(sqlite_database.engine, tmp_path / "none" / "copy")


def test_a_copy_that_is_not_whole_is_not_kept(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(source: Path, target: Path) -> None:
        with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
            reader.backup(writer)
        content = bytearray(target.read_bytes())
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
        target.write_bytes(bytes(content))

    monkeypatch.setattr(backup, "_copy", spoil)
    with pytest.raises(DatabaseError):
        back_up(sqlite_database.engine, tmp_path / "copy")
    assert not (tmp_path / "copy").exists() and not list(tmp_path.glob(".copy*"))


def test_a_file_system_without_links(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", none)
    back_up(sqlite_database.engine, tmp_path / "copy")
    assert count(tmp_path / "copy", "x") == 0


def test_the_command(sqlite_url: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["backup", str(tmp_path / "copy")], env={"STVG_DATABASE_URL": sqlite_url})
    assert result.exit_code == 0 and "whole copy" in result.output and (tmp_path / "copy").is_file()


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="NO PG_DUMP: install PostgreSQL's client programs")
def test_postgresql_is_copied_and_put_back_as_the_document_says(postgres_url: str, tmp_path: Path) -> None:
    """Also after an upgrade, which is when it is wanted most."""
    server = make_url(postgres_url)
    name = f"{server.database}_copied"
    url = server.set(database=name).render_as_string(hide_password=False)
    where = {"HOST": server.host, "PORT": server.port, "USER": server.username, "PASSWORD": server.password}
    env = {**os.environ, **{f"PG{key}": str(value) for key, value in where.items() if value is not None}}
    document = (Path(__file__).parents[2] / "docs/deployment.md").read_text()
    made = re.findall(r"`((?:pg_dump|dropdb|createdb|pg_restore) [^`]*)`", document)
    assert [one.split()[0] for one in made] == ["pg_dump", "dropdb", "createdb", "pg_restore"]
    dump, *back = (one.replace("DATABASE", name).replace("stvg.dump", str(tmp_path / "stvg.dump")) for one in made)

    def run(words: str) -> None:
        subprocess.run(words.split(), check=True, env=env)

    run(f"dropdb --if-exists {name}")
    run(f"createdb {name}")
    database = Database(url)
    try:
        schema.upgrade(database.engine, "0003")
        with database.write() as session:
            session.execute(text("INSERT INTO project VALUES (7, '<View/>', now(), now())"))
        run(dump)
        schema.upgrade(database.engine)
        say(database, "lost")
        database.close()
        for words in back:
            run(words)
        assert schema.current_revision(database.engine) == "0003"
        schema.upgrade(database.engine)
        with database.read() as session:
            assert session.execute(text("SELECT id FROM project")).all() == [(7,)]
            assert session.scalar(select(func.count()).select_from(Audit)) == 0
    finally:
        database.close()
        run(f"dropdb --if-exists {name}")


def test_postgresql_has_its_own() -> None:
    engine = Database("postgresql+psycopg://u@127.0.0.1:1/none").engine
    with pytest.raises(DatabaseError, match="pg_dump"):
        back_up(engine, Path("never-made"))
