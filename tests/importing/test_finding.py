"""A name finds its own video or none: by address, by name, by content, and never by a guess."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from backend.importing.finding import VideoFolder, Wanted
from stvg_core.datasets.base import DatasetError, VideoPlace


def folder(root: Path, *names: str) -> VideoFolder:
    """Videos whose content is their name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return VideoFolder(root, root)


def place(path: str, content: str | None = None) -> VideoPlace:
    return VideoPlace(f"/data/local-files/?d={path}", content and hashlib.sha256(content.encode()).hexdigest())


@pytest.mark.parametrize(
    ("files", "name", "found"),
    [
        (["a/clip.mp4"], "clip.mp4", "a/clip.mp4"),
        (["a/clip.mkv"], "0001/clip.mp4", "a/clip.mkv"),
        (["clip.mp4"], "clip", "clip.mp4"),
        (["Clip.mp4", "clip.mp4"], "clip.mp4", "clip.mp4"),
        (["Clip.mp4", "clip.mp4"], "Clip.mp4", "Clip.mp4"),
        (["caf\u00e9.mp4", "cafe\u0301.mp4"], "cafe\u0301.mp4", "cafe\u0301.mp4"),
        (["caf\u00e9.mp4"], "cafe\u0301.mp4", "caf\u00e9.mp4"),
        (["clip.mp4", "clip.mkv"], "clip.mkv", "clip.mkv"),
        (["a/clip.mp4", "b/clip.mp4"], "b/clip.mp4", "b/clip.mp4"),
        (["a/clip.mp4", "b/clip.mp4"], "b\\clip.mp4", "b/clip.mp4"),
        (["clip.vob"], "clip.vob", "clip.vob"),
        (["clip"], "clip", "clip"),
        (["Clip.mp4", "CLIP.mp4"], "clip.mp4", None),
        (["a/clip.mp4", "b/clip.mp4"], "clip.mp4", None),
        (["clip.mp4", "clip.mkv"], "clip", None),
        (["notes.txt"], "notes", None),
    ],
)
def test_by_name(tmp_path: Path, files: list[str], name: str, found: str | None) -> None:
    videos = folder(tmp_path, *files)
    if found is not None:
        assert videos.find(name).relative_to(tmp_path).as_posix() == found
        return
    with pytest.raises(DatasetError, match=r"Several videos could be|There is no video"):
        videos.find(name)


def test_the_address_counts_before_the_name(tmp_path: Path) -> None:
    videos = folder(tmp_path, "x.mp4", "a/x.mp4", "b/a/x.mp4")
    assert videos.find("x.mp4", place("a/x.mp4")) == tmp_path / "a" / "x.mp4"
    assert videos.find("x.mp4", place("x.mp4")) == tmp_path / "x.mp4"
    assert videos.find("x.mp4", VideoPlace("https://host/b/a/x.mp4?token=1")) == tmp_path / "b/a/x.mp4"
    with pytest.raises(DatasetError, match="Several"):
        videos.find("x.mp4", place("c/x.mp4"))
    assert videos.find("x.mp4", place("c/x.mp4", "b/a/x.mp4")) == tmp_path / "b/a/x.mp4"


def test_an_uploaded_video_is_found_under_its_own_name_by_its_content(tmp_path: Path) -> None:
    videos = folder(tmp_path, "x.mp4")
    address = "/data/upload/4/0123abcd-x.mp4"
    hashed = VideoPlace(address, hashlib.sha256(b"x.mp4").hexdigest())
    assert videos.find("0123abcd-x.mp4", hashed) == tmp_path / "x.mp4"
    with pytest.raises(DatasetError, match="no video"):
        videos.find("0123abcd-x.mp4", VideoPlace(address, "0" * 64))


def found(videos: VideoFolder, *wanted: Wanted) -> list[str]:
    """The file's name, or what is said."""
    result = videos.find_all(set(wanted))
    return [str(one) if isinstance(one, DatasetError) else one.name for one in (result[each] for each in wanted)]


def test_one_file_does_not_answer_to_names_that_contradict_each_other(tmp_path: Path) -> None:
    videos = folder(tmp_path, "clip.mp4", "77.mp4")
    for names in (("a/clip.mp4", "b/clip.mp4"), ("Clip.mp4", "CLIP.mp4"), ("clip.mkv", "clip.avi")):
        assert all("cannot be one video" in said for said in found(videos, *map(Wanted, names)))
    exact, other = found(videos, Wanted("clip.mp4"), Wanted("Clip.mp4"))
    assert exact == "clip.mp4" and "cannot be one video" in other
    assert found(videos, Wanted("77"), Wanted("77.mp4"), Wanted("x/77.mp4")) == ["77.mp4"] * 3


def test_the_hash_decides_who_is_meant(tmp_path: Path) -> None:
    videos = folder(tmp_path, "b/clip.mp4")
    right, wrong = Wanted("b", place("b/clip.mp4", "b/clip.mp4")), Wanted("a", place("a/clip.mp4", "a/clip.mp4"))
    [good, bad] = found(videos, right, wrong)
    assert good == "clip.mp4" and "could be a/clip.mp4" in bad
    old = Wanted("old", place("b/clip.mp4", "what lay there before"))
    assert "its content is another" in found(videos, right, old)[1]
    copy = Wanted("copy", place("a/clip.mp4", "b/clip.mp4"))
    assert found(videos, right, copy) == ["clip.mp4", "clip.mp4"]


def test_another_content_under_a_name_alone_is_doubted(tmp_path: Path) -> None:
    videos = folder(tmp_path, "b/clip.mp4")
    assert found(videos, Wanted("clip", place("a/clip.mp4", "a/clip.mp4"))) == ["clip.mp4"]
    assert len(videos.doubts) == 1 and "is it the same video?" in videos.doubts[0]


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"x")
    videos = VideoFolder(tmp_path, tmp_path)
    assert os.fsencode(videos.find("caf%E9.mp4", place("caf%E9.mp4")).name) == b"caf\xe9.mp4"
