"""Numbers in text files, parsed a block at a time and always with the number of the line that is wrong."""

from __future__ import annotations

import codecs
import re
import warnings
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Finding, Severity, SourceFile
from pulvinar.ingest.readers.streams import start_of, unpacked

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_BLOCK = 8 << 20
_LONGEST_LINE = 1 << 20
_MOSTLY = 0.8
_MANY, _LARGE = 100_000, 1_000_000
LARGEST_TEXT = 4 << 30
"""Bytes of unpacked text that are read; more belongs into a binary format."""
_SPACE = np.zeros(256, bool)
_SPACE[list(b" \t\r\n\v\f")] = True
_NEWLINE = ord("\n")


def is_text(head: bytes) -> bool:
    """Whether `head` may be the beginning of a text: no zero byte and hardly any control characters."""
    if not head or b"\0" in head:
        return False
    strange = sum(byte < 32 and byte not in b"\t\n\r\f\v" for byte in head)
    return strange * 100 <= len(head)


def encoding_of(data: bytes, *, complete: bool = True) -> str:
    """How a text is written: "utf-8", "gb18030" where that makes Chinese of it, else "latin-1", which fits all."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        # a letter that is cut off by the end of a sample is none that is wrong
        if complete or error.reason != "unexpected end of data":
            return "gb18030" if _is_chinese(data, complete=complete) else "latin-1"
    return "utf-8"


def _is_chinese(data: bytes, *, complete: bool) -> bool:
    """Whether `data` is GB18030 and its letters beyond ASCII are those of daily use.

    The 6,763 characters of GB 2312 have two bytes above 160 each; an accented letter of a European text would pair with
    the plain letter behind it, which makes a rare one.
    """
    decoder = codecs.getincrementaldecoder("gb18030")()
    try:
        letters = [letter for letter in decoder.decode(data, complete) if letter > "\x7f"]
    except UnicodeDecodeError:
        return False
    usual = sum(len(letter.encode("gb2312", "ignore")) == 2 for letter in letters)
    return any("\u4e00" <= letter <= "\u9fff" for letter in letters) and usual >= _MOSTLY * len(letters)


def decoded(data: bytes) -> str:
    """`data` as text, in the encoding that it seems to have; a byte order mark is left out."""
    return data.decode(encoding_of(data), "replace").removeprefix("\ufeff")


def encoding_findings(encoding: str, what: str = "its text", flag: str = "") -> list[Finding]:
    """A doubt that says which encoding was assumed, where it isn't UTF-8."""
    if encoding == "utf-8":
        return []
    name = {"gb18030": "GB18030 (Chinese)", "latin-1": "Latin-1"}[encoding]
    return [Finding(Severity.DOUBT, f"{what} is not UTF-8: {name} is assumed", flag)]


def whole_lines(file: SourceFile) -> list[bytes]:
    """The lines of the file's (unpacked) head, without the last one where the head's end may have cut it off."""
    head = start_of(file.head)
    whole = head == file.head and file.size_bytes <= len(head)
    lines = head.removeprefix(BOM_UTF8).splitlines()
    return lines if whole or head.endswith((b"\n", b"\r")) else lines[:-1]


def blocks(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """The text of `path` (unpacked) in blocks of whole lines, each with the number of its first line.

    Raises `UnreadableFile` for a line without end, `TooLarge` for more than `LARGEST_TEXT` bytes.
    """
    line, total, rest = 1, 0, b""
    with unpacked(path, name, bounded=True) as stream:
        while piece := stream.read(_BLOCK):
            piece = piece if total else piece.removeprefix(BOM_UTF8)
            total += len(piece)
            if total > LARGEST_TEXT:
                raise TooLarge(f"{name} is more than {LARGEST_TEXT} bytes of text", hint="hand it in as Parquet")
            if b"\r" in piece and b"\n" not in piece:
                piece = piece.replace(b"\r", b"\n")
            cut = piece.rfind(b"\n") + 1
            if not cut and len(rest) > _LONGEST_LINE:
                raise UnreadableFile(f"{name}, line {line}: it is longer than {_LONGEST_LINE} bytes")
            if not cut:
                rest += piece
                continue
            block, rest = rest + piece[:cut], piece[cut:]
            yield line, block
            line += line_count(block)
    if rest:
        yield line, rest + b"\n"


def line_count(block: bytes) -> int:
    """How many lines end in `block`."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == _NEWLINE))


def lines_of(block: bytes) -> tuple[npt.NDArray[np.uint8], Ints, Ints]:
    """The bytes of a block of whole lines, and where each line begins and ends (behind its newline)."""
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == _NEWLINE) + 1
    return data, np.concatenate([[0], ends[:-1]]).astype(np.int64), ends.astype(np.int64)


def without_comments(block: bytes) -> tuple[bytes, list[str]]:
    """`block` with everything behind a `#` gone (its lines stay), and those comments."""
    if b"#" not in block:
        return block, []
    comments = [text.strip() for text in decoded(b"\n".join(re.findall(rb"#([^\n]*)", block))).split("\n")]
    return re.sub(rb"#[^\n]*", b"", block), comments


def numbers_by_line(text: npt.NDArray[np.uint8], line_numbers: Ints, name: str) -> tuple[Floats, Ints]:
    """All numbers of `text`, whose lines have the `line_numbers`, and how many each line has.

    Raises `UnreadableFile`, naming the line, for a word that isn't a number.
    """
    even = _even_numbers(text, len(line_numbers)) if text.size > _LARGE else None
    if even is not None:
        return even.ravel(), np.full(len(even), even.shape[1], np.int64)
    space = _SPACE[text]
    inside = np.concatenate([[False], ~space, [False]])
    starts, ends = np.flatnonzero(inside[1:] & ~inside[:-1]), np.flatnonzero(inside[:-1] & ~inside[1:])
    before = np.searchsorted(starts, np.flatnonzero(text == _NEWLINE))
    # the last line may have no end
    before = np.append(before, [starts.size] * (len(line_numbers) - len(before)))
    counts = np.diff(before, prepend=0).astype(np.int64)
    values = many_numbers(text[~space], ends - starts) if starts.size > _MANY else None
    if values is None:
        values = _numbers(text.tobytes()) if starts.size else np.empty(0)
    if values.size != starts.size:
        _name_the_word(text.tobytes(), line_numbers, name)
    return values, counts


def _even_numbers(text: npt.NDArray[np.uint8], lines: int) -> Floats | None:
    """The numbers (lines, width) of a text that parts them by one space or tab and has as many in each line.

    Arrow reads such a text in one go. None of any other text, which may be good all the same.
    """
    import pyarrow as pa
    from pyarrow import csv

    raw = text.tobytes()
    line = raw[: raw.find(b"\n") + 1].rstrip(b"\r\n")
    delimiter = "\t" if b"\t" in line else " "
    width = line.count(delimiter.encode()) + 1
    # a lone carriage return would end a line for Arrow
    if not 1 < width == len(line.split()) or (b"\r" in raw and raw.count(b"\r") != raw.count(b"\r\n")):
        return None
    names = [str(place) for place in range(width)]
    try:
        table = csv.read_csv(
            cast(Any, pa.BufferReader(raw)),
            csv.ReadOptions(use_threads=False, column_names=names),
            csv.ParseOptions(delimiter=delimiter, quote_char=False),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()), null_values=[]),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != lines:
        return None
    numbers = np.empty((lines, width))
    for place, name in enumerate(names):
        numbers[:, place] = table.column(name).to_numpy()
    return numbers


def _numbers(raw: bytes) -> Floats:
    """The numbers between white space; fewer than there are words where one isn't a number."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(raw, np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            return np.empty(0)


def many_numbers(letters: npt.NDArray[np.uint8], lengths: Ints) -> Floats | None:
    """The numbers of words of these lengths in bytes, without space between them.

    Arrow reads numbers five times as fast as numpy. None where a word is none to it: it may still be one to numpy.
    """
    import pyarrow as pa

    words = _strings(letters.tobytes(), lengths)
    try:
        numbers: Floats = words.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return numbers


def string_array(words: Sequence[str]) -> Any:
    """`words` as Arrow's. Its own way imports pandas where that is installed, which takes half a second."""
    letters = [word.encode() for word in words]
    return _strings(b"".join(letters), np.array([*map(len, letters)], np.int64))


def _strings(letters: bytes, lengths: Ints) -> Any:
    """Arrow's array of words of these lengths in bytes."""
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets.tobytes()), pa.py_buffer(letters))


def check_lines(right: Any, line_numbers: Ints, name: str, what: str) -> None:
    """Raise `UnreadableFile` with the first line that isn't `right`: "name, line 7: what"."""
    if not right.all():
        first = int(line_numbers[int(np.argmin(right))])
        raise UnreadableFile(f"{name}, line {first}: {what}", hint="repair the line, or export the file again")


def _name_the_word(raw: bytes, line_numbers: Ints, name: str) -> None:
    for number, line in zip(line_numbers.tolist(), raw.split(b"\n"), strict=False):
        for word in line.split():
            try:
                # Python's own numbers may have an underscore
                float(word.replace(b"_", b"?"))
            except ValueError:
                shown = word[:40].decode("utf-8", "replace")
                raise UnreadableFile(f"{name}, line {number}: {shown!r} is not a number") from None
    raise UnreadableFile(f"{name}: it has numbers that can't be read")
