"""Text from people and files, made comparable in one place.

The same word can be written with different code points: an accent as one or as two, a byte-order mark in front, an
invisible character inside. ``clean`` is what is kept and shown, ``key`` is what is compared, ``printable`` is how
a file's name is written out, ``read_text`` is how a text file of somebody else's is read.
"""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from stvg_core.errors import StvgError

_JOINERS = "\u200c\u200d"  # emoji and several scripts need them inside words
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
_SAMPLE = 1 << 16
"""Bytes that are looked at to tell UTF-16."""


class TextError(StvgError):
    """A text file is in an encoding that cannot be told."""


def clean(text: str) -> str:
    """One line, single spaces, NFC, no control or invisible formatting characters; may be empty."""
    if text.isascii() and text.isprintable():  # most texts by far, and then only spaces can be too many
        return " ".join(text.split())
    spaced = "".join(" " if ch.isspace() else ch for ch in unicodedata.normalize("NFC", text))
    # Cc/Cf/Cs/Co/Cn: control, formatting (bidirectional overrides among them), surrogates, private, unassigned.
    kept = "".join(ch for ch in spaced if ch in _JOINERS or not unicodedata.category(ch).startswith("C"))
    # What was removed may have stood between a letter and its accent.
    return unicodedata.normalize("NFC", " ".join(kept.split()).strip(_JOINERS + " "))


def key(text: str) -> str:
    """What two texts that a person reads as the same have in common: cleaned, without joiners, case folded."""
    folded = "".join(ch for ch in clean(text) if ch not in _JOINERS).casefold()
    return unicodedata.normalize("NFC", folded)


def goes_on(row: Sequence[str], sentence: int) -> bool:
    """Does the sentence of a table's row seem to go on in the next cell, behind a comma without quotes around it?

    Behind a comma in a sentence is a space. A row that leaves out its last cell has as many as the header all the same.

    Args:
        sentence: the place of its cell.
    """
    if sentence + 1 >= len(row):
        return False
    here, following = row[sentence], row[sentence + 1]
    return following[:1].isspace() and bool(following.strip()) and not here[:1].isspace()


def shown(text: str) -> str:
    """The text on one line for a terminal or a log: what cannot be printed there is written as an escape."""
    return "".join(ch if ch.isprintable() else _escaped(ch) for ch in text)


def printable(text: str) -> str:
    """Text that every UTF-8 output can hold: a byte of a file name that is not UTF-8 becomes ``\\xe9``.

    Python keeps such bytes as lone surrogates, which neither JSON in UTF-8 nor a database can store.
    """
    return "".join(_escaped(ch) if "\ud800" <= ch <= "\udfff" else ch for ch in text)


def quoted(text: str) -> str:
    """As a JSON string in which no special token of a chat template ("<|im_end|>", "[INST]") can be spelled."""
    found = json.dumps(text, ensure_ascii=False)
    return found.replace("<", "\\u003c").replace(">", "\\u003e").replace("[", "\\u005b").replace("]", "\\u005d")


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else character.encode("unicode_escape").decode()


def read_text(path: Path, *, encoding: str | None = None, keep_line_ends: bool = False) -> str:
    """The text of a file: UTF-8 with or without a byte-order mark, UTF-16 and UTF-32 with one.

    Line ends become ``\\n``.

    Args:
        keep_line_ends: leave line ends as they are, for formats in which one may be part of a value.
        encoding: what a person says that it is; nothing is guessed, because a wrong guess changes names in silence.

    Raises:
        TextError: the bytes are not in that encoding (the line at fault is named), or they are plainly in another one.
        OSError: the file cannot be read.
    """
    text = decode(path.read_bytes(), str(path), encoding=encoding)
    return text if keep_line_ends else text.replace("\r\n", "\n").replace("\r", "\n")


def decode(data: bytes, where: str, *, encoding: str | None = None) -> str:
    """The text of these bytes, line ends as they are; see :func:`read_text`. ``where`` is for messages."""
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), None)
    named = encoding or marked or "utf-8"
    family = _family(named)
    if marked is not None and _family(marked) != family:
        known = _family(marked).upper()
        raise TextError(f"{where} begins with the mark of {known}: it is not {named}. Leave --encoding out for it.")
    if marked is None and family not in ("utf-16", "utf-32") and (wide := _wide(data)) is not None:
        raise TextError(
            f"{where} is UTF-16 without the mark at its beginning that would say so. Save it as UTF-8, or say what it "
            f"is: --encoding {wide}."
        )
    try:
        text = data.decode(named)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        at = f"line {line} is not {named.upper()} (byte 0x{data[error.start]:02X})"
        hint = "" if encoding else " Save it as UTF-8, or say what it is with --encoding (latin-1, cp1252, ...)."
        raise TextError(f"{where}: {at}.{hint}") from error
    if encoding and family != "utf-8" and _one_byte_each(named) and _is_utf8(data):
        raise TextError(f"{where} is UTF-8 and would be read wrongly as {encoding}. Leave --encoding out for it.")
    return text.removeprefix("\ufeff")


def _family(name: str) -> str:
    """``utf-16`` of ``UTF_16LE``: how the encoding is called, without its byte order and mark. Raises TextError."""
    try:
        "".encode(name).decode(name)
        found = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise TextError(f"There is no encoding {name!r}. Common ones are utf-8, latin-1 and cp1252.") from error
    return re.sub(r"(-le|-be|-sig)$", "", found.replace("_", "-"))


def _wide(data: bytes) -> str | None:
    """Which UTF-16 is it? Of the two bytes of each plain letter one is 0, always the same."""
    sample = data[:_SAMPLE]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if even + odd == 0 or even + odd < len(sample) / 10 or min(even, odd) > max(even, odd) / 10:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _one_byte_each(encoding: str) -> bool:
    """Is every byte a letter of its own, as in Latin-1, so that nothing is ever found wrong?"""
    return len(bytes(range(256)).decode(encoding, "replace")) == 256


def _is_utf8(data: bytes) -> bool:
    try:
        return not data.decode().isascii()
    except UnicodeDecodeError:
        return False
