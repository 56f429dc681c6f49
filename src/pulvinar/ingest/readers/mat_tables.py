"""What small values in MATLAB's structs and cell arrays make together: tables, and words about the file.

Vectors of one length in a struct are columns of a table; an array of structs has a row for each, with the fields that
are one number or one text; a cell array of vectors has a row for each number, of texts one for each of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.readers.mat_files import MatVariable, read_mats
from pulvinar.ingest.readers.table_columns import Column, plain_numbers, unique_names

_MOST_SAID = 200
Numbers = npt.NDArray[Any]
Read = Callable[[Sequence[MatVariable]], list[Numbers]]


@dataclass(frozen=True)
class MatTable:
    """A table of values that lie beside each other: what it is called, of which values, and how they become one."""

    part: str
    values: tuple[MatVariable, ...]
    make: Callable[[Sequence[MatVariable], Read], dict[str, Column]]

    def read(self, path: Path, name: str) -> dict[str, Column]:
        """The columns, by name."""
        return self.make(self.values, partial(read_mats, path, name))


def mat_tables(variables: Sequence[MatVariable]) -> list[MatTable]:
    """The tables that nested values make, in the order of their first values; each value is in one at most."""
    holders: dict[tuple[str, str], list[MatVariable]] = defaultdict(list)
    for one in variables:
        if one.inside is not None:
            holders[one.inside.path, one.inside.type].append(one)
    makers = {"struct": _of_struct, "structs": _of_structs, "cell": _of_cells}
    return [table for (path, kind), values in holders.items() for table in makers[kind](path, values)]


def vector_tables(variables: Sequence[MatVariable]) -> list[MatTable]:
    """The tables that lists of numbers make which lie in nothing: those of one length are one table's columns."""
    return _of_struct("values", [one for one in variables if one.inside is None])


def said_of(variables: Sequence[MatVariable], path: Path, name: str) -> tuple[dict[str, Any], list[MatVariable]]:
    """Single numbers and texts by their path, as JSON values; and those variables."""
    told = [one for one in variables if one.text is not None or (_is_single(one) and one.is_numeric)]
    told = told[:_MOST_SAID]
    numbers = [one for one in told if one.text is None]
    values = dict(zip([one.name for one in numbers], read_mats(path, name, numbers), strict=True))
    said = {one.name: one.text if one.text is not None else _plain(values[one.name]) for one in told}
    return said, told


def _plain(value: Numbers) -> Any:
    number = value.ravel()[0].item()
    return number if np.isfinite(number) else str(number)


def _is_single(one: MatVariable) -> bool:
    return set(one.shape) == {1}


def _is_vector(one: MatVariable) -> bool:
    return one.is_numeric and len(one.shape) == 2 and min(one.shape) == 1 and max(one.shape) > 1


def _of_struct(path: str, values: Sequence[MatVariable]) -> list[MatTable]:
    lengths: dict[int, list[MatVariable]] = defaultdict(list)
    for one in values:
        if _is_vector(one):
            lengths[max(one.shape)].append(one)
    many = len(lengths) > 1
    return [MatTable(f"{path} of {n}" if many else path, tuple(ones), _columns) for n, ones in lengths.items()]


def _columns(values: Sequence[MatVariable], read: Read) -> dict[str, Column]:
    titles = unique_names([one.inside.field if one.inside else one.name for one in values])
    columns = [plain_numbers(value.ravel(), one.name) for one, value in zip(values, read(values), strict=True)]
    return dict(zip(titles, columns, strict=True))


def _of_structs(path: str, values: Sequence[MatVariable]) -> list[MatTable]:
    fields: dict[str, list[MatVariable]] = defaultdict(list)
    for one in values:
        fields[one.inside.field if one.inside else ""].append(one)
    rows = max(one.inside.index for one in values if one.inside)
    whole = [ones for ones in fields.values() if len(ones) == rows and (_all_single(ones) or _all_text(ones))]
    return [MatTable(path, tuple(one for ones in whole for one in ones), _rows)] if whole else []


def _all_single(values: Sequence[MatVariable]) -> bool:
    return all(one.is_numeric and _is_single(one) for one in values)


def _all_text(values: Sequence[MatVariable]) -> bool:
    return all(one.text is not None for one in values)


def _rows(values: Sequence[MatVariable], read: Read) -> dict[str, Column]:
    fields: dict[str, list[MatVariable]] = defaultdict(list)
    for one in sorted(values, key=lambda one: one.inside.index if one.inside else 0):
        fields[one.inside.field if one.inside else ""].append(one)
    found: list[Column] = []
    for ones in fields.values():
        if _all_text(ones):
            found.append(np.array([one.text for one in ones], dtype=object))
        else:
            found.append(plain_numbers(np.concatenate([value.ravel() for value in read(ones)]), ones[0].name))
    return dict(zip(unique_names([*fields]), found, strict=True))


def _of_cells(path: str, values: Sequence[MatVariable]) -> list[MatTable]:
    if len(values) > 1 and _all_text(values):
        return [MatTable(path, tuple(values), _texts)]
    if len(values) > 1 and all(one.is_numeric and len(one.shape) == 2 and min(one.shape) <= 1 for one in values):
        return [MatTable(path, tuple(values), _lists)]
    return []


def _texts(values: Sequence[MatVariable], read: Read) -> dict[str, Column]:
    return {"cell": _numbers(values), "text": np.array([one.text for one in values], dtype=object)}


def _lists(values: Sequence[MatVariable], read: Read) -> dict[str, Column]:
    found = [value.ravel() for value in read(values)]
    cells = np.repeat(_numbers(values), [len(value) for value in found])
    return {"cell": cells, "value": plain_numbers(np.concatenate(found), values[0].name)}


def _numbers(values: Sequence[MatVariable]) -> npt.NDArray[np.int64]:
    return np.array([one.inside.index if one.inside else 0 for one in values], np.int64)
