"""Text tables: how they are written, found by content, and reading them by it."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import SourceFile, TableColumn
from pulvinar.ingest.readers.parquet import MOST_COLUMNS
from pulvinar.ingest.readers.streams import content_of, plain_name, start_of, unpacked
from pulvinar.ingest.readers.table_columns import (
    MISSING_WORDS,
    from_text,
    has_leading_zeros,
    is_number,
    is_whole,
    sure_numbers,
    unique_names,
    use_cores,
)
from pulvinar.ingest.readers.text import LARGEST_TEXT, encoding_of, is_text

_NAMED = (".csv", ".tsv", ".tab", ".apo")
_NOT_TABLES = (".json", ".xml", ".md", ".html", ".htm", ".svg", ".py", ".yml", ".yaml", ".toml", ".ini", ".log")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_ANYTHING = re.compile(rb"\S")
_LINE_END = re.compile(rb"\n")
_QUOTE = re.compile(b'"')
_COMMA = re.compile(r"-?\d+,\d+([eE][-+]?\d+)?")
_POINT = re.compile(r"-?\d*\.\d+([eE][-+]?\d+)?")
_SAMPLE = 1 << 20
_SAMPLE_ROWS = 100
_TYPE_WORDS = frozenset(("numeric", "group", "string", "float", "int"))
_LARGEST = min(LARGEST_TEXT, 2 << 30)


@dataclass(frozen=True)
class Dialect:
    """How a text table is written. `names` are unique; `numeric` those whose sampled cells are numbers.

    `whole`: those of them that have no fraction. `skip_lines` come before the first row of data; `has_types` says that
    one of them names the columns' types; `has_commas`, that numbers have a comma where others have a point.
    """

    delimiter: str
    names: tuple[str, ...]
    numeric: tuple[str, ...]
    whole: tuple[str, ...]
    skip_lines: int
    has_header: bool
    has_types: bool
    encoding: str
    has_commas: bool = False


def find_dialect(file: SourceFile) -> Dialect | None:
    """How `file` is written as a table; None when it is none.

    A file that is called a table and is none raises `UnreadableFile`: rows that differ in length. Any other needs
    several rows alike, with a column of numbers.
    """
    plain = plain_name(file.name)
    named = plain.endswith(_NAMED)
    head = start_of(file.head)
    if not is_text(head) or (not named and (plain.endswith(_NOT_TABLES) or head.lstrip()[:1] in (b"{", b"[", b"<"))):
        return None
    with unpacked(file.path, file.name) as stream:
        sample = stream.read(_SAMPLE)
        complete = len(sample) < _SAMPLE
    encoding = encoding_of(sample, complete=complete)
    lines = _NEWLINE.split(sample.decode(encoding, "replace").removeprefix("\ufeff"))
    # behind the last end of a line is nothing, or a line that may go on
    if not complete or not lines[-1]:
        lines = lines[:-1]
    if not lines:
        if named:
            raise UnreadableFile(f"{file.name}: its first line is longer than {_SAMPLE} bytes")
        return None
    comments = _comment_lines(lines)
    rows_text = lines[comments:]
    delimiter = _delimiter(rows_text, named=named)
    if delimiter is None:
        return None
    rows = _rows(rows_text, delimiter)
    has_commas = delimiter == ";" and _has_commas(rows)
    if has_commas:
        rows = [[_with_point(cell) for cell in row] for row in rows]
    if not rows or (not named and not _is_table(rows)):
        return None
    if plain.endswith(".apo"):
        rows = _with_apo_header(rows)
    _check_rows(rows, comments, file.name)
    found = _dialect(rows, lines[:comments], delimiter, encoding, _lines_of_first(rows_text, delimiter))
    return replace(found, has_commas=has_commas)


def read_delimited(path: Path, name: str, dialect: Dialect) -> dict[str, TableColumn]:
    """Every column of the table at `path`; raises `UnreadableFile`, naming the row, when rows differ in length."""
    import pyarrow as pa

    content = _content(path, name)
    begin = 0
    for _ in range(dialect.skip_lines):
        end = _LINE_END.search(content, begin)
        begin = end.end() if end else len(content)
    if _ANYTHING.search(content, begin) is None:
        return {key: np.empty(0, object) for key in dialect.names}
    rows = content[begin:]
    columns = _sure_columns(rows, dialect)
    left = [key for key in dialect.names if key not in columns]
    if left:
        try:
            # by one thread, which knows the number of a row that is wrong
            table = _table(rows, dialect, dict.fromkeys(left, "large_string"), threads=False)
        except MemoryError:
            # Arrow's own is an ArrowException too
            raise
        except (pa.ArrowException, UnicodeError) as error:
            raise UnreadableFile(f"{name}{_said(str(error), dialect.skip_lines)}", hint="repair the row") from error
        columns |= {key: _column(table.column(key), dialect) for key in left}
    return {key: columns[key] for key in dialect.names}


def _sure_columns(rows: memoryview, dialect: Dialect) -> dict[str, TableColumn]:
    """The columns of text, and those that are read as numbers at once and are sure to be what their text says.

    The others may be numbers all the same. Of a table that is not as its first rows are, there is none.
    """
    import pyarrow as pa

    if dialect.has_commas or not dialect.numeric:
        return {}
    whole = dict.fromkeys(dialect.whole, "int64")
    kinds = dict.fromkeys(dialect.names, "large_string") | dict.fromkeys(dialect.numeric, "float64") | whole
    try:
        table = _table(rows, dialect, kinds, threads=True)
    except (pa.ArrowException, UnicodeError):
        return {}
    found = {key: sure_numbers(table.column(key)) for key in dialect.numeric}
    numbers = {key: column for key, (column, _) in found.items() if column is not None}
    if any(may_be_name for _, may_be_name in found.values()) and has_leading_zeros(rows, dialect.delimiter):
        numbers = {key: column for key, column in numbers.items() if not found[key][1]}
    return {key: _column(table.column(key), dialect) for key in dialect.names if key not in found} | numbers


def _table(rows: memoryview, dialect: Dialect, kinds: Mapping[str, str], *, threads: bool) -> Any:
    """The columns that `kinds` gives Arrow's types of."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    use_cores()
    return arrow_csv.read_csv(
        cast(Any, pa.BufferReader(pa.py_buffer(rows))),
        arrow_csv.ReadOptions(use_threads=threads, column_names=list(dialect.names), encoding=dialect.encoding),
        # what may lie within quotes is looked for in one go, what can't by many threads
        arrow_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=_QUOTE.search(rows) is not None),
        arrow_csv.ConvertOptions(
            column_types=dict(kinds), include_columns=list(kinds), null_values=MISSING_WORDS, strings_can_be_null=False
        ),
    )


def _column(text: Any, dialect: Dialect) -> TableColumn:
    import pyarrow.compute as pc

    if dialect.has_commas:
        numbers = from_text(pc.replace_substring(text, ",", "."))
        if isinstance(numbers, np.ndarray) and numbers.dtype.kind == "f":
            return numbers
    return from_text(text)


def _said(error: str, skipped: int) -> str:
    """What pyarrow says is wrong, with the row counted from the file's beginning."""
    text = error.splitlines()[0][:300]
    if row := re.match(r"CSV parse error: Row #(\d+): (.*)", text):
        return f", row {int(row[1]) + skipped}: {row[2]}"
    return f": {text}"


def _content(path: Path, name: str) -> memoryview:
    """The whole text, with the ends of lines that Arrow knows."""
    content = content_of(path, name, _LARGEST)
    return content if _LINE_END.search(content) else memoryview(bytes(content).replace(b"\r", b"\n"))


def _comment_lines(lines: list[str]) -> int:
    """How many lines at the beginning are comments or empty."""
    return next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))


def _delimiter(lines: list[str], *, named: bool) -> str | None:
    """The character that cuts the first rows into the most equal columns."""
    sample = [line for line in lines[:_SAMPLE_ROWS] if line.strip()]
    best: tuple[float, str] | None = None
    # of "1,5;2,5", which either cuts alike, the semicolon is the delimiter
    for delimiter in ("\t", ";", ","):
        widths = [len(row) for row in _rows(sample, delimiter)]
        if not widths or widths[0] < 2:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        if best is None or alike > best[0]:
            best = (alike, delimiter)
    if best is not None and (named or best[0] == 1.0):
        return best[1]
    return "," if named else None


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    """The cells of the first rows that end within the sample."""
    sample = [line for line in lines[: _SAMPLE_ROWS * 2] if line.strip()]
    try:
        return list(csv.reader(sample, delimiter=delimiter))[:_SAMPLE_ROWS]
    except csv.Error:
        return []


def _lines_of_first(lines: list[str], delimiter: str) -> int:
    """How many lines the first row has: one, and those that begin inside of its quotes."""
    reader = csv.reader((f"{line}\n" for line in lines[:_SAMPLE_ROWS]), delimiter=delimiter)
    with suppress(csv.Error):
        next(reader)
    return reader.line_num


def _has_commas(rows: list[list[str]]) -> bool:
    """Whether decimal commas make numbers of every column that has one, and no number has a decimal point."""
    columns = list(zip(*rows[1:], strict=False))
    with_comma = [column for column in columns if any(_COMMA.fullmatch(cell.strip()) for cell in column)]
    fits = all(is_number(_with_point(cell)) for column in with_comma for cell in column)
    return bool(with_comma) and fits and not any(_POINT.fullmatch(cell.strip()) for row in rows for cell in row)


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _COMMA.fullmatch(cell.strip()) else cell


def _is_table(rows: list[list[str]]) -> bool:
    body = rows[1:]
    numeric = any(all(is_number(cell) for cell in column) and any(column) for column in zip(*body, strict=False))
    return len(rows) >= 3 and numeric


def _with_apo_header(rows: list[list[str]]) -> list[list[str]]:
    """Vaa3D writes one value a row more than its header names: an unnamed one, before the header's own unnamed."""
    header = rows[0]
    if "" in header and len(rows) > 1 and all(len(row) == len(header) + 1 for row in rows[1:]):
        first = header.index("")
        return [[*header[:first], "", *header[first:]], *rows[1:]]
    return rows


def _check_rows(rows: list[list[str]], comments: int, name: str) -> None:
    width = len(rows[0])
    if width > MOST_COLUMNS:
        raise TooLarge(f"{name} has {width} columns, {MOST_COLUMNS} are read", hint="hand it in as an array")
    for index, row in enumerate(rows):
        if len(row) != width:
            raise UnreadableFile(
                f"{name}, row {comments + index + 1}: it has {len(row)} cells, the first row has {width}",
                hint="a table has as many cells in each row",
            )


def _dialect(rows: list[list[str]], comments: list[str], delimiter: str, encoding: str, lines_of_first: int) -> Dialect:
    width = len(rows[0])
    header = _header(rows, comments, delimiter)
    skip = len(comments) + (lines_of_first if header is rows[0] else 0)
    body = rows[1:] if header is rows[0] else rows
    has_types = bool(body) and body[0][0].strip() == "TYPE" and {cell.strip() for cell in body[0][1:]} <= _TYPE_WORDS
    body = body[1:] if has_types else body
    names = unique_names(header or [""] * width)
    columns = list(zip(*body, strict=True)) or [()] * width
    numeric = [name for name, cells in zip(names, columns, strict=True) if _all_numbers(cells)]
    whole = [name for name, cells in zip(names, columns, strict=True) if name in numeric and all(map(is_whole, cells))]
    has_header = header is not None
    return Dialect(
        delimiter, tuple(names), tuple(numeric), tuple(whole), skip + has_types, has_header, has_types, encoding
    )


def _header(rows: list[list[str]], comments: list[str], delimiter: str) -> list[str] | None:
    """The row of names: the last comment where it has as many cells (`##n,x,y`), else the first row unless it has a
    number."""
    last = re.sub(r"^#+\s*", "", comments[-1]) if comments else ""
    cells = next(iter(_rows([last], delimiter)), []) if last else []
    if len(cells) == len(rows[0]) and len(cells) > 1 and not any(is_number(cell) for cell in cells if cell.strip()):
        return cells
    if any(is_number(cell) for cell in rows[0] if cell.strip()):
        return None
    return rows[0]


def _all_numbers(cells: Sequence[str]) -> bool:
    return any(cell.strip() for cell in cells) and all(is_number(cell) for cell in cells)
