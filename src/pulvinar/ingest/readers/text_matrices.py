"""Matrices of numbers in text without a header, or with names where a person says that they are signals or where rows
and columns have the same; and rows of whole numbers that differ in length: lists.

A text is a matrix when it is square, or its name or a person says what it holds, or its numbers are parted by spaces;
any other text of columns is left to the reader of tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import (
    ConnectivityData,
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    TableColumn,
    TableData,
    TableKind,
    TimeSeriesData,
)
from pulvinar.ingest.readers.delimited import Dialect, find_dialect, read_delimited
from pulvinar.ingest.readers.matrices import found_matrix, names_of
from pulvinar.ingest.readers.matrix_kinds import ASK, FEWEST_REGIONS, Shape, Values, data_of, kind_of, measure_of
from pulvinar.ingest.readers.streams import plain_name, start_of, stem_of, unpacked
from pulvinar.ingest.readers.table_columns import is_number, is_numeric
from pulvinar.ingest.readers.text import blocks, check_lines, is_text, lines_of, numbers_by_line, without_comments
from pulvinar.model.dataset import AssetKind

_SAMPLE = 1 << 20
_SAMPLE_LINES = 200
_FEWEST_ROWS = 3
_MOST_LIST_BYTES = 64 << 20
_LIST = re.compile(rb"[ \t]*\d{1,15}([ \t]*[,;\t ][ \t]*\d{1,15})*[ \t,;]*")
_LISTED = (".csv", ".tsv", ".txt", ".dat")
_LISTS = "#lists"
_NAMED = "#named"
_SIGNALS = "#signals"
_TIMES = re.compile(r"(frame_?)?(times?|t|时间)([ _]?[(\[]?(s|sec|seconds|秒)[)\]]?)?", re.IGNORECASE)
_LARGEST_NAMED = 256 << 20
_NOT_MATRICES = (".swc", ".obj", ".off", ".ply", ".json", ".xml", ".xfm", ".bval", ".bvec")


class TextMatrixReader:
    """Reads text that is numbers alone; asked shortly before the reader of tables."""

    name: ClassVar[str] = "text_matrices"
    priority: ClassVar[int] = 850

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; what may as well be a table with a header is passed over."""
        for file in files:
            if not _begins_with_a_number(file):
                if options.table_kind in (None, TableKind.CONNECTIVITY) and (regions := _regions(file)):
                    yield self._named(file, regions)
                elif options.table_kind is TableKind.TIME_SERIES and (columns := _signals(file)):
                    yield self._signals(file, columns, options)
                continue
            if _is_lists(file):
                yield self._lists(file)
                continue
            shape, spaced = _measured(file)
            if shape is None:
                continue
            decided = kind_of(shape, options, ask=False)
            # with a delimiter, a table and places are the reader of tables' own
            if spaced or decided[0] in (AssetKind.TIME_SERIES, AssetKind.CONNECTIVITY):
                shape.check()
                yield found_matrix(self.name, file.name, shape, decided, file, files)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Never: no asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a matrix, not a volume")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """The matrix as what it is taken for, or a row for each number of lists."""
        name = asset.files[0]
        if asset.key.endswith(_LISTS):
            return _read_lists(root / name, name)
        with (root / name).open("rb") as opened:
            file = SourceFile(root / name, name, (root / name).stat().st_size, opened.read(4096))
        if asset.key.endswith(_NAMED):
            return _read_named(file)
        if asset.key.endswith(_SIGNALS):
            return _read_signals(file, options)
        values = _read(file)
        shape = Shape(values.shape[0], values.shape[1], stem_of(name))
        return data_of(values, asset.kind, shape, names_of(root, asset.files[1:]), options)

    def _named(self, file: SourceFile, regions: list[str]) -> FoundAsset:
        text = f"its {len(regions)} rows and columns have the same names: taken as connectivity"
        return FoundAsset(
            self.name,
            key=f"{file.name}{_NAMED}",
            name=stem_of(file.name),
            kind=AssetKind.CONNECTIVITY,
            files=(file.name,),
            findings=(Finding(Severity.NOTE, text, ASK),),
            metadata={"header": {"rows": len(regions), "columns": len(regions)}},
        )

    def _signals(self, file: SourceFile, columns: list[str], options: Options) -> FoundAsset:
        timed = _TIMES.fullmatch(columns[0]) or options.time_step_s is not None
        unknown = Finding(Severity.DOUBT, "its time points have no step that is known", "--time-step")
        return FoundAsset(
            self.name,
            key=f"{file.name}{_SIGNALS}",
            name=stem_of(file.name),
            kind=AssetKind.TIME_SERIES,
            files=(file.name,),
            findings=() if timed else (unknown,),
            metadata={"header": {"columns": columns}},
        )

    def _lists(self, file: SourceFile) -> FoundAsset:
        text = "its rows are lists of whole numbers: they become a table of each number and the list that it is in"
        return FoundAsset(
            self.name,
            key=f"{file.name}{_LISTS}",
            name=stem_of(file.name),
            kind=AssetKind.TABLE,
            files=(file.name,),
            findings=(Finding(Severity.NOTE, text),),
            metadata={"header": {"columns": ["list", "item"]}},
        )


def _begins_with_a_number(file: SourceFile) -> bool:
    """Whether the first line that is no comment begins with a number: a quick look, for most text doesn't."""
    head = start_of(file.head)
    if not is_text(head) or plain_name(file.name).endswith(_NOT_MATRICES):
        return False
    lines = (line.strip() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines())
    first = next((line for line in lines if line and not line.startswith(b"#")), b"")
    words = [word for word in re.split(rb"[\s,;]+", first) if word]
    return bool(words) and is_number(words[0].decode("latin-1"))


def _regions(file: SourceFile) -> list[str]:
    """The names of rows and columns of a square whose rows begin with the names that its header has; none of any other
    text."""
    if not is_text(start_of(file.head)) or not plain_name(file.name).endswith(_LISTED):
        return []
    dialect = None
    with suppress(UnreadableFile, TooLarge):
        dialect = find_dialect(file)
    if dialect is None or not dialect.has_header or file.size_bytes > _LARGEST_NAMED:
        return []
    names = list(dialect.names[1:])
    if len(names) < FEWEST_REGIONS or dialect.numeric != tuple(names) or _count_rows(file) != len(names) + 1:
        return []
    first = next(iter(read_delimited(file.path, file.name, dialect).values()))
    return names if [str(one).strip() for one in first.tolist()] == names else []


def _signals(file: SourceFile) -> list[str]:
    """The names of the columns of a text in which all are of numbers; none of any other text."""
    if not is_text(start_of(file.head)) or not plain_name(file.name).endswith(_LISTED):
        return []
    with suppress(UnreadableFile, TooLarge):
        dialect = find_dialect(file)
        if dialect is not None and dialect.has_header and dialect.numeric == dialect.names:
            return list(dialect.names)
    return []


def _read_signals(file: SourceFile, options: Options) -> TimeSeriesData:
    """A series a column, under its name; a first column of times, in seconds, is theirs where nobody says a step."""
    dialect = find_dialect(file)
    if dialect is None or not _signals(file):
        raise UnreadableFile(f"{file.name} has changed since it was found: not all of its columns are numbers")
    columns = dict(read_delimited(file.path, file.name, dialect))
    first = next(iter(columns))
    times = columns.pop(first) if _TIMES.fullmatch(first) and len(columns) > 1 else None
    values = _stacked(columns, file.name)
    known = np.empty(0) if times is None else np.asarray(times, np.float64)
    if options.time_step_s is not None:
        known = np.arange(len(values), dtype=np.float64) * options.time_step_s
    return TimeSeriesData(values, known, np.empty((0, 3)), {"name": np.array(list(columns), dtype=object)})


def _read_named(file: SourceFile) -> ConnectivityData:
    regions = _regions(file)
    dialect = find_dialect(file)
    if not regions or dialect is None:
        raise UnreadableFile(f"{file.name} has changed since it was found: its rows and columns have other names")
    values = _stacked(dict([*read_delimited(file.path, file.name, dialect).items()][1:]), file.name)
    names = np.array(regions, dtype=object)
    return ConnectivityData(values, names, names, measure_of(Shape(len(names), len(names), stem_of(file.name))))


def _measured(file: SourceFile) -> tuple[Shape | None, bool]:
    """The shape of a text that is a matrix, None of any other; and whether its numbers are parted by spaces."""
    dialect = _dialect(file)
    if dialect is not None:
        return Shape(_count_rows(file), len(dialect.names), stem_of(file.name)), False
    width = _spaced_width(file)
    rows = _count_rows(file) if width > 1 else 0
    return (Shape(rows, width, stem_of(file.name)) if rows >= _FEWEST_ROWS else None), True


def _dialect(file: SourceFile) -> Dialect | None:
    """How the columns of numbers are parted by a character; None where they aren't, or the first row is of names."""
    with suppress(UnreadableFile, TooLarge):
        dialect = find_dialect(file)
        if dialect is not None and not dialect.has_header and 1 < len(dialect.names) == len(dialect.numeric):
            return dialect
    return None


def _spaced_width(file: SourceFile) -> int:
    """How many numbers each of the first lines has; 0 where they differ, or hold something else."""
    with unpacked(file.path, file.name) as stream:
        sample = stream.read(_SAMPLE)
    lines = sample.split(b"\n")
    whole = lines if len(sample) < _SAMPLE else lines[:-1]
    rows = [words for line in whole[:_SAMPLE_LINES] if (words := line.partition(b"#")[0].split())]
    widths = {len(words) for words in rows}
    return widths.pop() if len(widths) == 1 and all(_is_plain(word) for words in rows for word in words) else 0


def _is_plain(word: bytes) -> bool:
    try:
        # Python's own numbers may have an underscore
        float(word.replace(b"_", b"?"))
    except ValueError:
        return False
    return True


def _count_rows(file: SourceFile) -> int:
    """The lines that are neither empty nor a comment."""
    return sum(
        bool(line.strip()) and not line.lstrip().startswith(b"#")
        for _, block in blocks(file.path, file.name)
        for line in block.splitlines()
    )


def _read(file: SourceFile) -> Values:
    """The numbers (rows, columns), float64; raises `UnreadableFile`, naming the line, where one is wrong."""
    dialect = _dialect(file)
    if dialect is None:
        return _read_spaced(file)
    return _stacked(read_delimited(file.path, file.name, dialect), file.name)


def _stacked(columns: Mapping[str, TableColumn], name: str) -> Values:
    """Columns of numbers side by side; raises `UnreadableFile`, naming the first that isn't one."""
    numbers = {key: column for key, column in columns.items() if is_numeric(column)}
    if words := next((key for key in columns if key not in numbers), None):
        raise UnreadableFile(f"{name}: its {words} holds something that is not a number", hint="repair the file")
    return np.stack([column.astype(np.float64) for column in numbers.values()], axis=1)


def _read_spaced(file: SourceFile) -> Values:
    parts, width = [], 0
    for first, block in blocks(file.path, file.name):
        text, starts, _ = lines_of(without_comments(block)[0])
        numbers = np.arange(first, first + len(starts))
        values, counts = numbers_by_line(text, numbers, file.name)
        used = counts > 0
        width = width or int(counts[used][0]) if used.any() else width
        check_lines(counts[used] == width, numbers[used], file.name, f"it has not {width} numbers, as the first has")
        parts.append(values.reshape(-1, width) if width else np.empty((0, 0)))
    if not width:
        raise UnreadableFile(f"{file.name} holds no numbers any more: it has changed since it was found")
    return np.concatenate([part for part in parts if part.size])


def _is_lists(file: SourceFile) -> bool:
    """Whether each line is a list of whole numbers that rise, and the lists differ in length."""
    named = plain_name(file.name).endswith(_LISTED)
    if not named or file.size_bytes > _MOST_LIST_BYTES or not _LIST.fullmatch(_first_line(file.head)):
        return False
    lists = []
    for _, block in blocks(file.path, file.name):
        for line in block.splitlines():
            if line.strip() and not _LIST.fullmatch(line):
                return False
            if line.strip():
                lists.append(_items(line))
    rising = all(a < b for items in lists for a, b in pairwise(items))
    return rising and len(lists) > 1 and len({len(items) for items in lists}) > 1


def _first_line(head: bytes) -> bytes:
    line = head.splitlines()[0] if head else b""
    # a line that the head cuts off may end within a number, or behind a comma
    return line if len(line) < len(head) else line.rstrip(b"0123456789").rstrip(b",; \t")


def _items(line: bytes) -> list[int]:
    return [int(word) for word in re.split(rb"[,;\s]+", line.strip(b",; \t\r")) if word]


def _read_lists(path: Path, name: str) -> TableData:
    """A row for each number: the list that it is in, counted from 1, and itself."""
    lists = [_items(line) for _, block in blocks(path, name) for line in block.splitlines() if line.strip()]
    numbers = np.repeat(np.arange(1, len(lists) + 1), [len(items) for items in lists])
    return TableData(
        {"list": numbers.astype(np.int64), "item": np.array([item for items in lists for item in items], np.int64)}
    )
