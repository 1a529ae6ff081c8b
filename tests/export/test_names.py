"""Names stay as they are, are harmless, and one never means two videos."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.export import names as export_names
from backend.export.names import VideoNames
from backend.media.location import location


def local(path: str) -> str:
    return f"/data/local-files/?d={path}"


@pytest.mark.parametrize(
    ("ref", "name", "stem"),
    [
        (local("clips/a%20b.mp4"), "a b.mp4", "a b"),
        (local("%E8%A7%86%E9%A2%91.mp4"), "\u89c6\u9891.mp4", "\u89c6\u9891"),
        ("/data/upload/3/02f06db4-v25.mp4", "02f06db4-v25.mp4", "02f06db4-v25"),
        ("https://host/folder/film.mp4?token=secret", "film.mp4", "film"),
        ("s3://bucket/a/100%25 #1?.mp4", "100%25 #1?.mp4", "100%25 #1_"),
        (local("../../etc/passwd"), "passwd", "passwd"),
        (local("x/.."), "video", "video"),
        (local("=cmd()|x.mp4"), "=cmd()|x.mp4", "_=cmd()_x"),
        (local("x/.hidden.mp4"), ".hidden.mp4", "_.hidden"),
        (local("x/-rf.mp4"), "-rf.mp4", "_-rf"),
        (local("x/con.mp4"), "con.mp4", "_con"),
        (local("x/a. .mp4"), "a. .mp4", "a"),
        (local("x/caf%E9.mp4"), "caf%E9.mp4", "caf%E9"),
        (local("x/C%3A..%5C..%5Ca.mp4"), "C_.._.._a.mp4", "C_.._.._a"),
        (local("x/a%0Ab%22%2C.mp4"), 'a\nb",.mp4', "a_b_,"),
        ("clip#1.mp4", "clip#1.mp4", "clip#1"),
        ("", "video", "video"),
    ],
)
def test_names_stay_and_are_harmless(ref: str, name: str, stem: str) -> None:
    names = VideoNames()
    assert names.name(ref, "c" * 64) == name
    assert names.stem(ref, "c" * 64) == stem


def test_one_name_in_several_folders_keeps_what_tells_them_apart() -> None:
    refs = [local(path) for path in ("x/a/clip.mp4", "y/a/clip.mp4", "y/b/clip.mp4", "clip.mp4", "y/b/other.mp4")]
    names = VideoNames(refs)
    given = [names.name(ref, "c" * 64) for ref in refs]
    assert given == ["x/a/clip.mp4", "y/a/clip.mp4", "b/clip.mp4", "clip.mp4", "other.mp4"]
    assert [names.stem(ref, "c" * 64) for ref in refs] == ["x_a_clip", "y_a_clip", "b_clip", "clip", "other"]
    assert names.renamed == given[:3]


def test_another_content_at_the_same_address_gets_its_hash() -> None:
    names = VideoNames()
    given = [
        names.name(ref, content * 64) for ref, content in (("a.mp4", "a"), ("a.mp4", "b"), ("a-bbbbbbbb.mp4", "c"))
    ]
    assert given == ["a.mp4", "a-bbbbbbbb.mp4", "a-bbbbbbbb-cccccccc.mp4"]
    assert names.renamed == given[1:]
    assert names.name("a.mp4", "b" * 64) == "a-bbbbbbbb.mp4"


def test_stems_never_differ_by_case_accents_or_ending_alone() -> None:
    names = VideoNames()
    refs = ["clip.mp4", "Clip.mp4", "clip.mkv", "caf\u00e9.mp4", "cafe\u0301.mp4"]
    assert [names.name(ref, str(n) * 64) for n, ref in enumerate(refs)] == refs
    stems = [names.stem(ref, str(n) * 64) for n, ref in enumerate(refs)]
    assert len({unicodedata.normalize("NFC", stem).casefold() for stem in stems}) == len(refs)
    assert stems[:3] == ["clip", "Clip.mp4", "clip.mkv"]


def test_contents_whose_hashes_begin_alike_get_different_names() -> None:
    names = VideoNames()
    contents = ["0" * 64, "b" * 8 + "1" * 56, "b" * 8 + "2" * 56]
    assert len({names.name("a.mp4", content) for content in contents}) == 3


@given(st.lists(st.tuples(st.text(max_size=300), st.sampled_from("ab")), max_size=6))
def test_no_name_leads_out_of_a_folder_and_none_is_there_twice(videos: list[tuple[str, str]]) -> None:
    videos = [(ref.replace("\ud800", ""), content) for ref, content in videos]
    names = VideoNames(ref for ref, _ in videos)
    of = {(location(ref), content): (ref, content * 64) for ref, content in videos}
    given = [names.name(*video) for video in of.values()]
    stems = [names.stem(*video) for video in of.values()]
    assert len(set(given)) == len(given)
    assert len({unicodedata.normalize("NFC", stem).casefold() for stem in stems}) == len(stems)
    for name in given + stems:
        for path in (PurePosixPath(name), PureWindowsPath(name)):
            assert path.parts and ".." not in path.parts and not path.is_absolute() and not path.drive
        name.encode()
    for stem in stems:
        assert len(stem.encode()) <= 255 - len(".videos.json") and not stem.startswith((".", "-"))
        assert "/" not in stem and all(not unicodedata.category(ch).startswith("C") for ch in stem)


def test_a_name_that_thousands_of_folders_have_costs_each_of_them_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: how many places are looked at for each of them."""
    looked = Counter[str]()
    endings = export_names._endings
    monkeypatch.setattr(export_names, "_endings", lambda place: looked.update([place]) or endings(place))
    refs = [local(f"{folder}/take/clip.mp4") for folder in range(2000)]
    names = VideoNames(refs)
    given = [names.name(ref, f"{number:064x}") for number, ref in enumerate(refs)]
    assert given == [f"{folder}/take/clip.mp4" for folder in range(2000)]
    assert max(looked.values()) == 2 and len(looked) == 2000
