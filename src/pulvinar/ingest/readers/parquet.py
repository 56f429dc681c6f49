"""Parquet files, with a look at what they declare before it is believed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import TableColumn
from pulvinar.ingest.readers.streams import check_growth
from pulvinar.ingest.readers.table_columns import from_arrow, unique_names, use_cores

MOST_COLUMNS = 10_000
MOST_CELLS = 2_000_000_000
_FOOTER_LIMIT = 64 << 20
_ROWS_AT_ONCE = 65_536


def open_parquet(path: Path, name: str) -> Any:
    """The file's footer; raises `UnreadableFile` when it is damaged, `TooLarge` past the limits."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(path, thrift_string_size_limit=_FOOTER_LIMIT, thrift_container_size_limit=10_000_000)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableFile(f"{name} is damaged: {_short(error)}", hint="copy the file again") from error
    footer = opened.metadata
    if footer.num_columns > MOST_COLUMNS or footer.num_rows * max(footer.num_columns, 1) > MOST_CELLS:
        raise TooLarge(f"{name} declares {footer.num_rows} rows of {footer.num_columns} columns")
    return opened


def column_names(opened: Any) -> list[str]:
    """The columns' names, none empty and none twice."""
    return unique_names(opened.schema_arrow.names)


def numeric_columns(opened: Any) -> list[str]:
    """The names of the columns of numbers."""
    import pyarrow as pa

    numbers = (pa.types.is_integer, pa.types.is_floating)
    fields = zip(column_names(opened), opened.schema_arrow, strict=True)
    return [name for name, field in fields if any(is_kind(field.type) for is_kind in numbers)]


def read_parquet(path: Path, name: str) -> tuple[dict[str, TableColumn], list[str]]:
    """Every column, and the columns' names."""
    import pyarrow as pa

    opened = open_parquet(path, name)
    names = column_names(opened)
    try:
        columns = _columns(opened, path.stat().st_size, name)
    except MemoryError:
        # Arrow's own is an ArrowException too
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableFile(f"{name} is damaged: {_short(error)}", hint="copy the file again") from error
    read = {
        key: column if isinstance(column, np.ndarray) else from_arrow(column, f"{name}: the column {key!r}")
        for key, column in zip(names, columns, strict=True)
    }
    return read, names


def _columns(opened: Any, packed_bytes: int, name: str) -> list[Any]:
    """Columns of floats as float64, NaN where there is none, any others as Arrow has them."""
    import pyarrow as pa

    schema, rows = opened.schema_arrow, opened.metadata.num_rows
    # they go to their place as they come: one that is put together at the end is there twice
    floats = {i: np.empty(rows) for i, kind in enumerate(schema.types) if pa.types.is_floating(kind)}
    others: dict[int, list[Any]] = {i: [] for i in range(len(schema)) if i not in floats}
    first = 0
    for batch in _batches(opened, packed_bytes, name):
        last = first + len(batch)
        for i, column in floats.items():
            column[first:last] = batch.column(i).to_numpy(zero_copy_only=False)
        for i, parts in others.items():
            parts.append(batch.column(i))
        first = last
    if first != rows:
        raise ValueError(f"its footer declares {rows} rows, it holds {first}")
    return [floats[i] if i in floats else pa.chunked_array(others[i], schema.types[i]) for i in range(len(schema))]


def _batches(opened: Any, packed_bytes: int, name: str) -> Iterator[Any]:
    """The rows, some at a time: a dictionary makes gigabytes of a few kilobytes. Raises `TooLarge` where it does."""
    use_cores()
    total = 0
    for batch in opened.iter_batches(_ROWS_AT_ONCE):
        total += batch.nbytes
        check_growth(total, packed_bytes, name)
        yield batch


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
