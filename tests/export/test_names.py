"""File names are harmless, and one never means two videos."""

from __future__ import annotations

import pytest

from backend.export.names import VideoNames


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("/data/local-files/?d=clips/a%20b.mp4", "a_b.mp4"),
        ("/data/upload/3/02f06db4-v25.mp4", "02f06db4-v25.mp4"),
        ("https://host/folder/film.mp4?token=secret", "film.mp4"),
        ("/data/local-files/?d=../../etc/passwd", "passwd"),
        ("/data/local-files/?d=x/..", "video"),
        ("/data/local-files/?d==cmd()|x.mp4", "cmd_x.mp4"),
        ("/data/local-files/?d=x/-1+2.mp4", "1_2.mp4"),
        ("/data/local-files/?d=x/.hidden.mp4", "hidden.mp4"),
        ("/data/local-files/?d=x/-.hidden.mp4", "hidden.mp4"),
        ("/data/local-files/?d=x/-", "video"),
        ("", "video"),
    ],
)
def test_names_are_safe(ref: str, name: str) -> None:
    assert VideoNames().name(ref, "c" * 64) == name


def test_a_name_like_one_that_was_made_unique_is_made_unique_too() -> None:
    names = VideoNames()
    given = [
        names.name(ref, content * 64) for ref, content in (("a.mp4", "a"), ("a.mp4", "b"), ("a-bbbbbbbb.mp4", "c"))
    ]
    assert given == ["a.mp4", "a-bbbbbbbb.mp4", "a-bbbbbbbb-cccccccc.mp4"]
    assert names.renamed == given[1:]
    assert names.name("x/a.mp4", "b" * 64) == "a-bbbbbbbb.mp4"


def test_two_names_never_differ_by_their_case_alone() -> None:
    names = VideoNames()
    assert [names.name(ref, ref[0] * 64) for ref in ("clip.mp4", "Clip.mp4")] == ["clip.mp4", "Clip-CCCCCCCC.mp4"]


def test_contents_whose_hashes_begin_alike_get_different_names() -> None:
    names = VideoNames()
    contents = ["0" * 64, "b" * 8 + "1" * 56, "b" * 8 + "2" * 56]
    assert len({names.name("a.mp4", content) for content in contents}) == 3
