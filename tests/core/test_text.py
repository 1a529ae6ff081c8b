from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.text import TextError, clean, key, read_text, shown


@given(st.text(max_size=100))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert key(key(text)) == key(text) == key(clean(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("\ufeffthe man", "the man"),
        ("the\u00a0man", "the man"),
        ("the \u200bman\u2060", "the man"),
        ("cafe\u200b\u0301", "caf\u00e9"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u062e\u0648\u0627\u0647\u0645"),
        ("The Man\r\n", "the man"),
        ("STRASSE", "stra\u00dfe"),
    ],
)
def test_texts_that_read_the_same_have_one_key(one: str, other: str) -> None:
    assert key(one) == key(other)


def test_joiners_that_scripts_need_are_kept_in_what_is_shown() -> None:
    word = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert clean(word) == word
    assert key("resume") != key("r\u00e9sum\u00e9")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_file_is_read_with_or_without_its_mark(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("caf\u00e9\r\nzwei\rdrei\n".encode(encoding))
    assert read_text(file) == "caf\u00e9\nzwei\ndrei\n"


def test_another_encoding_is_refused_with_the_line_and_read_when_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes("one\ncaf\u00e9\n".encode("latin-1"))
    with pytest.raises(TextError, match=r"line 2 is not UTF-8 \(byte 0xE9\).*--encoding"):
        read_text(file)
    assert read_text(file, encoding="latin-1") == "one\ncaf\u00e9\n"
    with pytest.raises(TextError, match="no encoding"):
        read_text(file, encoding="latin1000")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_called_by_its_name(tmp_path: Path, encoding: str) -> None:
    """Plain letters with a NUL between them would pass for UTF-8."""
    file = tmp_path / "a.csv"
    for text in ("video,sentence\na.mp4,the man\n", "video,sentence\n视频一.mp4,红衣男子坐下\n"):
        file.write_bytes(text.encode(encoding))
        for named in (None, "latin-1", "utf-8"):
            with pytest.raises(TextError, match=rf"is UTF-16 without the mark.*--encoding {encoding}\."):
                read_text(file, encoding=named)
        assert read_text(file, encoding=encoding) == text


def test_a_wrong_name_for_an_encoding_is_refused_where_the_bytes_say_so(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("caf\u00e9".encode())
    for named in ("latin-1", "cp1252"):  # "cafÃ©": every byte is a letter there
        with pytest.raises(TextError, match="is UTF-8 and would be read wrongly"):
            read_text(file, encoding=named)
    assert read_text(file, encoding="utf8") == "caf\u00e9"
    file.write_bytes(b"\xef\xbb\xbfcafe")
    with pytest.raises(TextError, match="begins with the mark of UTF-8: it is not latin-1"):
        read_text(file, encoding="latin-1")
    file.write_bytes("\u8054\u901a".encode("gbk"))  # these bytes are UTF-8 by chance
    assert read_text(file, encoding="gbk") == "\u8054\u901a"
    with pytest.raises(TextError, match="no encoding"):
        read_text(file, encoding="rot13")


def test_what_cannot_be_printed_is_shown_as_an_escape() -> None:
    assert shown("a\nb\x1b[31m\udce9 视 é") == "a\\nb\\x1b[31m\\xe9 视 é"


def test_line_ends_inside_values_can_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"a\rb\r\nc")
    assert read_text(path) == "a\nb\nc"
    assert read_text(path, keep_line_ends=True) == "a\rb\r\nc"


@given(st.text(st.characters(max_codepoint=126), max_size=30))
def test_the_short_way_for_plain_texts_says_the_same_as_the_long_one(plain: str) -> None:
    assert clean(plain) == clean(f"{plain} é").removesuffix("é").rstrip(" ")
