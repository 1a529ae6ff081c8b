"""Files and storages that only a local project's tasks may name."""

from __future__ import annotations

from pathlib import Path

import fsspec
import httpx
import pytest

from backend.media import MediaError, MediaLibrary
from backend.media.cache import MediaCache
from backend.media.cloud import CloudFiles
from backend.media.cloud_services import Service
from backend.media.download import Downloader


@pytest.fixture
def library(tmp_path: Path) -> MediaLibrary:
    downloader = Downloader(transport=httpx.MockTransport(lambda request: httpx.Response(503)))
    cloud = CloudFiles(services={"s3": Service("memory", "fsspec")})
    return MediaLibrary(MediaCache(tmp_path / "cache", 1 << 20), downloader, cloud=cloud, tries=1, pause_s=0)


def test_a_file_of_this_machine(library: MediaLibrary, tmp_path: Path) -> None:
    path = tmp_path / "a b.mp4"
    path.write_bytes(b"video")
    found = library.fetch(path.as_uri(), task=1, project=-1)
    assert found.path == path and library.here(path.as_uri(), project=-1) == found
    for project in (None, 0, 1):
        with pytest.raises(MediaError, match="must be an http"):
            library.fetch(path.as_uri(), task=1, project=project)
        with pytest.raises(MediaError, match="must be an http"):
            library.here(path.as_uri(), project=project)
    path.unlink()
    with pytest.raises(MediaError, match="no video"):
        library.fetch(path.as_uri(), task=1, project=-1)


def test_an_object_of_a_storage_without_label_studio(library: MediaLibrary) -> None:
    with fsspec.filesystem("memory").open("/box/a.mp4", "wb") as file:
        file.write(b"bytes")
    assert library.here("s3://box/a.mp4", project=-1) is None
    found = library.fetch("s3://box/a.mp4", task=1, project=-1)
    assert found.path.read_bytes() == b"bytes" and library.here("s3://box/a.mp4", project=-1) == found
    with pytest.raises(MediaError, match="STVG_LABEL_STUDIO_URL"):
        library.fetch("s3://box/a.mp4", task=1, project=1)
    with pytest.raises(MediaError, match="is not there"):
        library.fetch("s3://box/gone.mp4", task=1, project=-1)
