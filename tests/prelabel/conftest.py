"""``stvg prelabel`` with a fake engine in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend.bootstrap import open_media, open_versions
from backend.cli import prelabel as module
from backend.cli.prelabel_engines import Engine
from backend.db.engine import Database
from backend.jobs.worker import Worker
from backend.settings import Settings, load_settings
from backend.testing import FakeEngine
from tests.prelabel.given import clips, written

TABLE = "video,query,split\na.mp4,the man,train\na.mp4,the dog,train\nb.mp4,the man,test\n"


@dataclass
class Here:
    """Workers that do everything when they are asked for, in this process."""

    settings: Settings
    engine: FakeEngine
    project_id: int
    said: tuple[str, ...] = ()
    stopped: int = 0
    restarts: int = 0

    def ensure(self, *, progressed: bool) -> list[str]:
        database = Database(self.settings.database_url)
        media = open_media(self.settings, None, database)
        worker = Worker(
            database, media, self.engine, name="w", max_attempts=1, project_id=self.project_id,
            versions=lambda session: [self.engine.model_version],
        )  # fmt: skip
        worker.drain()
        database.close()
        return list(self.said)

    def stop(self) -> None:
        self.stopped += 1


@dataclass
class Command:
    """The command on a folder of its own."""

    folder: Path
    settings: Settings
    engine: FakeEngine

    def __call__(self, *arguments: object, status: int | None = 0) -> list[dict[str, Any]]:
        """Its JSON lines."""
        result = self.result(*arguments)
        if status is not None:
            assert result.exit_code == status, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    def result(self, *arguments: object) -> Result:
        return CliRunner().invoke(module.command, [str(one) for one in arguments])

    def summary(self, *arguments: object, status: int = 0) -> dict[str, Any]:
        last = self(*arguments, status=status)[-1]
        assert last["event"] == "summary"
        assert json.loads(Path(last["file"]).read_text()).items() <= last.items()
        return last

    def database(self) -> Database:
        return Database(self.settings.database_url)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Clips a and b, a bad one and a table; no database yet, no Label Studio."""
    for name in ("STVG_LABEL_STUDIO_URL", "STVG_LABEL_STUDIO_TOKEN", "STVG_DOCUMENT_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STVG_DATABASE_URL", f"sqlite:///{tmp_path}/new/stvg.sqlite3")
    monkeypatch.setenv("STVG_DATA_DIR", str(tmp_path / "data"))
    folder = clips(tmp_path / "clips", "a.mp4", "b.mp4")
    (folder / "bad.mp4").write_bytes(b"not a video")
    written(folder / "videos.csv", TABLE)
    settings = load_settings()
    engine = FakeEngine(open_versions(settings).base)
    monkeypatch.setattr(Engine, "workers", lambda self, database, number, *more: Here(settings, engine, number))
    return Command(folder, settings, engine)
