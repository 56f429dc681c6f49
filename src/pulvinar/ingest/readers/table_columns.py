"""Columns of tables: what kind of values they hold, and which of them are places."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import TableColumn
from pulvinar.ingest.readers.frames import micrometres
from pulvinar.ingest.readers.text import string_array

Column = npt.NDArray[Any]
_MISSING = ("", "na", "n/a", "nan", "null", "none")
MISSING_WORDS = sorted(
    {"".join(letters) for word in _MISSING for letters in product(*zip(word, word.upper(), strict=True))}
)
"""What stands for no value, in every mix of small and large letters."""
_MOST_DIGITS = 18
_WHOLE = rf"^-?(0|[1-9][0-9]{{0,{_MOST_DIGITS - 1}}})$"
_POWERS = 10 ** np.arange(1, _MOST_DIGITS + 1, dtype=np.int64)
_LEADING_ZERO = r"^-?0[0-9]"
_NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$|^-?inf(inity)?$"
_FIRST = 100
_BLOCK_BYTES = 1 << 20
_MOST_BLANKS = 64
_MOST_THREADS = 4
_EXACT_DIGITS = 15
"""A whole number of so many digits is the same as a float64."""
_EXACT = 2**53 - 1
_TOO_LONG = rf"^[-+]?[0-9]{{{_EXACT_DIGITS + 1},}}$"
_PLACE_WORDS = (
    "pos|position|coord|coordinate|coordinates|centroid|center|centre|com|loc|location|soma|cell|global|spatial|point"
)
_UNITS = "um|µm|μm|mm|nm|cm|microns?|micrometers?|micrometres?|px|pix|pixels?|vox|voxels?"
_AXIS = re.compile(
    rf"(?:(?:{_PLACE_WORDS})[ _.-]*)?(?P<axis>x|y|z|ml|ap|dv)(?:[ _.-]*(?:{_PLACE_WORDS}))?"
    rf"(?:[ _.-]+(?P<unit>{_UNITS})|[ _.-]*[\[(](?P<bracketed>{_UNITS})[\])])?"
)
_SPOT = re.compile(r"pxl_(?P<axis>col|row)_in_fullres")
"""Where the spots of 10x Visium lie in their image, in its pixels."""
_BOX = re.compile(r"(?P<axis>[xyz])[ _.-]?(?P<end>min|max)|(?P<end2>min|max)[ _.-]?(?P<axis2>[xyz])")
_IMAGES = re.compile(r"(?:section[ _.-]?)?(?:image|tile|picture)(?:[ _.-]?(?:file|name|id|path))?|file[ _.-]?name")
_ANATOMICAL = {"ml": "x", "ap": "y", "dv": "z"}


@dataclass(frozen=True)
class PlaceColumns:
    """The columns that hold x, y and z (one, or a lowest and a highest each), and the unit that their names state.

    `z` is empty where the table has none. `unit` is "" where no name states one; `anatomical` says that the columns
    are called ML, AP and DV.
    """

    x: tuple[str, ...]
    y: tuple[str, ...]
    z: tuple[str, ...]
    unit: str = ""
    anatomical: bool = False

    @property
    def unit_um(self) -> float | None:
        """How long one unit is; None for pixels, voxels and no unit."""
        return micrometres(self.unit) if self.unit else None


def place_columns(names: Sequence[str], numeric: Sequence[str]) -> PlaceColumns | None:
    """Which of the columns `names` are places, of those that are `numeric`; None when they aren't."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    boxes: dict[str, dict[str, str]] = {}
    for name in names:
        if name not in numeric:
            continue
        plain = name.strip().lower()
        if match := _AXIS.fullmatch(plain):
            family = "anatomical" if match["axis"] in _ANATOMICAL else "plain"
            unit = match["unit"] or match["bracketed"] or ""
            found.setdefault((family, unit), {}).setdefault(_ANATOMICAL.get(match["axis"], match["axis"]), name)
        elif match := _SPOT.fullmatch(plain):
            found.setdefault(("plain", "pixels"), {})[{"col": "x", "row": "y"}[match["axis"]]] = name
        elif match := _BOX.fullmatch(plain):
            boxes.setdefault(match["axis"] or match["axis2"], {})[match["end"] or match["end2"]] = name
    whole = {key: axes for key, axes in found.items() if {"x", "y"} <= set(axes)}
    if whole:
        # a stated length says more than none, and none more than pixels
        family, unit = min(whole, key=lambda key: (micrometres(key[1]) is None if key[1] else 0.5, len(key[1])))
        axes = whole[family, unit]
        z = (axes["z"],) if "z" in axes else ()
        return PlaceColumns((axes["x"],), (axes["y"],), z, unit, family == "anatomical")
    ends = {axis: (box["min"], box["max"]) for axis, box in boxes.items() if {"min", "max"} <= set(box)}
    if {"x", "y"} <= set(ends):
        return PlaceColumns(ends["x"], ends["y"], ends.get("z", ()))
    return None


def image_column(names: Sequence[str]) -> str | None:
    """The column that says in which of many images a row's place lies; None when there is none."""
    return next((name for name in names if _IMAGES.fullmatch(name.strip().lower())), None)


def unique_names(names: Sequence[str]) -> list[str]:
    """`names` with none empty and none twice: "column 3" for an empty one, "name (2)" for a second."""
    taken: set[str] = set()
    result = []
    for index, name in enumerate(names):
        base = name.strip() or f"column {index + 1}"
        unique, count = base, 1
        while unique in taken:
            count += 1
            unique = f"{base} ({count})"
        taken.add(unique)
        result.append(unique)
    return result


def is_number(word: str) -> bool:
    """Whether `word` is a number, or says that there is none."""
    return word.strip().lower() in _MISSING or re.match(_NUMBER, word.strip().lower()) is not None


def is_whole(word: str) -> bool:
    """Whether `word` is a whole number as one writes it, or says that there is none."""
    return word.strip().lower() in _MISSING or re.match(_WHOLE, word.strip()) is not None


def plain_numbers(values: Column, what: str) -> Column:
    """Numbers as a column has them: int64, float64 or truth values, in one piece.

    Raises `UnreadableFile` for a number that neither holds.
    """
    if values.dtype.kind == "u" and values.size and int(values.max()) >= 2**63:
        raise UnreadableFile(f"{what} has numbers beyond 2^63", hint="save it as int64 or float64")
    kind = {"b": np.bool_, "i": np.int64, "u": np.int64}.get(values.dtype.kind, np.float64)
    return np.ascontiguousarray(values, kind)


def is_numeric(column: TableColumn) -> TypeGuard[Column]:
    """Whether a column of a table is one of numbers."""
    return isinstance(column, np.ndarray) and column.dtype.kind in "if"


def sure_numbers(column: Any) -> tuple[Column | None, bool]:
    """A column that Arrow has read as int64 or float64 (missing values null), as `from_text` would make it of its text.

    None where only the text can tell. The truth value says that it was told for what has no leading zeros alone.
    """
    import pyarrow as pa

    if pa.types.is_integer(column.type):
        low, high = _compute().min_max(column).as_py().values()
        # with missing ones it is text that has too many digits, or a sign and as many
        most = 10 ** (_EXACT_DIGITS - 1) if column.null_count else 10**_MOST_DIGITS
        if low is None or low <= -most or high >= most:
            return None, False
        return (_with_nan(column) if column.null_count else np.asarray(column.to_numpy(), np.int64)), True
    values = _with_nan(column)
    finite = np.isfinite(values)
    whole = values[finite & (values == np.floor(values))]
    if not finite.any() or len(values) - np.count_nonzero(finite) != column.null_count:
        return None, False
    return (values if not len(whole) or np.abs(whole).max() < 10**_EXACT_DIGITS else None), len(whole) > 0


def _with_nan(column: Any) -> Column:
    import pyarrow as pa

    numbers = column.cast(pa.float64())
    filled = _compute().fill_null(numbers, float("nan")) if numbers.null_count else numbers
    return np.asarray(filled.to_numpy(), np.float64)


def has_leading_zeros(rows: memoryview, delimiter: str) -> bool:
    """Whether a cell may begin with a zero and another digit, as a name does and no number (007, -01), or with 0x."""
    text = np.frombuffer(rows, np.uint8)
    return any(_zero_and_digit(text, first, delimiter) for first in range(0, len(text), _BLOCK_BYTES))


def _zero_and_digit(text: Column, first: int, delimiter: str) -> bool:
    """Whether a cell begins so of whose zeros one lies in the block from `first` on."""
    block = text[first : first + _BLOCK_BYTES + 1]
    behind = block[1:]
    # digits are less than ten from the zero, and nothing else is
    odd = (behind - ord("0") < 10) | (behind == ord("x")) | (behind == ord("X"))
    odd &= block[:-1] == ord("0")
    # before a cell is what comes before a point, or the delimiter
    odd[1:] &= (block[:-2] < ord(".")) | (block[:-2] == ord(delimiter))
    before = first + np.flatnonzero(odd) - 1
    for _ in range(_MOST_BLANKS):
        outside = before < 0
        found = text[np.where(outside, 0, before)]
        if (outside | np.isin(found, [ord(delimiter), *b'\n\r"'])).any():
            return True
        blank = np.isin(found, list(b" \t+-"))
        before = before[blank] - 1
        if not len(before):
            return False
    return True


def from_text(column: Any) -> TableColumn:
    """A column of text (pyarrow) as whole numbers, numbers, truth values or text, whichever holds all of it exactly.

    Missing values make numbers float64 with NaN. Numbers with leading zeros are names, and stay text.
    """
    if _begins_with_words(column):
        return _texts(column)
    numbers = _plain_numbers(column)
    return _looked_through(column) if numbers is None else numbers


def _begins_with_words(column: Any) -> bool:
    """Whether one of the first values is a word, which settles what the column is."""
    words = [str(word).strip().lower() for word in column.slice(0, _FIRST).to_pylist()]
    return any(word not in ("true", "false") and not is_number(word) for word in words)


def _plain_numbers(column: Any) -> Column | None:
    """A column whose every value Arrow reads as a number, and that a look at the doubtful ones shows to be one; None of
    any other, which may still be numbers."""
    import pyarrow as pa

    try:
        values = np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
    except pa.ArrowInvalid:
        return None
    with np.errstate(invalid="ignore"):
        whole = values == np.floor(values)
    if len(whole) and whole.all():
        return _plain_whole_numbers(column)
    # of a number with a fraction nothing can be lost; of others the text must say whether it is a number or a name
    rows = np.flatnonzero(whole | ~np.isfinite(values))
    doubtful = column.take(pa.Int64Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows.tobytes())]))
    pc = _compute()
    kept = pc.utf8_lower(doubtful)
    kept = kept.filter(pc.invert(_is_missing(kept)))
    exact = _all_match(kept, _NUMBER) and not _any(pc.match_substring_regex(kept, f"{_LEADING_ZERO}+$|{_TOO_LONG}"))
    return values if exact and len(kept) + len(values) - len(doubtful) else None


def _plain_whole_numbers(column: Any) -> Column | None:
    """Whole numbers that are written as one writes them, without a zero or a sign too many; None of any others."""
    import pyarrow as pa

    try:
        values = np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)
    except pa.ArrowInvalid:
        return None
    size = np.abs(values)
    digits = np.searchsorted(_POWERS, size, side="right") + 1 + (values < 0)
    written = np.asarray(_compute().binary_length(column).to_numpy())
    return values if (size < 10**_MOST_DIGITS).all() and (size >= 0).all() and (digits == written).all() else None


def _is_missing(lowered: Any) -> Any:
    return _compute().is_in(lowered, value_set=string_array(_MISSING).cast(lowered.type))


def _looked_through(column: Any) -> TableColumn:
    """As `from_text`, by the text of every value."""
    import pyarrow as pa

    pc = _compute()

    trimmed = pc.utf8_trim_whitespace(column)
    lowered = pc.utf8_lower(trimmed)
    missing = _is_missing(lowered)
    kept = pc.filter(lowered, pc.invert(missing))
    holes = len(kept) < len(column)
    if len(kept) and not _any(pc.match_substring_regex(kept, _LEADING_ZERO + "+$")):
        if _all_match(kept, _WHOLE):
            if not holes:
                return np.asarray(pc.cast(lowered, pa.int64()).to_numpy(), np.int64)
            if pc.max(pc.utf8_length(kept)).as_py() <= _EXACT_DIGITS:
                return _floats(lowered, missing)
        elif _all_match(kept, _NUMBER) and not _any(pc.match_substring_regex(kept, _TOO_LONG)):
            return _floats(lowered, missing)
        elif not holes and _all(pc.is_in(kept, value_set=string_array(("true", "false")))):
            return np.asarray(pc.equal(lowered, "true").to_numpy(zero_copy_only=False), bool)
    return _texts(column)


def _texts(column: Any) -> TableColumn:
    """Text as one of Arrow's arrays."""
    import pyarrow as pa

    texts: pa.LargeStringArray = column.cast(pa.large_string()).combine_chunks()
    return texts


def from_arrow(column: Any, name: str) -> TableColumn:
    """A typed column (pyarrow) of `name` as int64, float64, bool or text; raises `UnreadableFile` for nested values.

    Whole numbers that neither int64 nor, beside missing ones, float64 holds exactly are text.
    """
    import pyarrow as pa

    pc = _compute()

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = pc.cast(column, kind.value_type), kind.value_type
    if pa.types.is_nested(kind):
        raise UnreadableFile(f"{name} holds {kind}, not one value a row", hint="leave it out")
    if pa.types.is_boolean(kind) and not column.null_count:
        return np.asarray(column.to_numpy(), bool)
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and _fits(column, _EXACT) and column.null_count):
        return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), np.float64)
    if pa.types.is_integer(kind) and _fits(column, 2**63 - 1) and not column.null_count:
        return np.asarray(pc.cast(column, pa.int64()).to_numpy(), np.int64)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(pc.fill_null(column, "") if column.null_count else column)
    return np.array(["" if value is None else str(value) for value in column.to_pylist()], dtype=object)


def _fits(column: Any, most: int) -> bool:
    """Whether every whole number of `column` is at most `most` from zero (one more below it)."""
    ends = _compute().min_max(column).as_py()
    return ends["max"] is None or (ends["max"] <= most and ends["min"] >= -most - 1)


def _floats(lowered: Any, missing: Any) -> Column:
    import pyarrow as pa

    pc = _compute()

    text = pc.if_else(missing, pa.scalar(None, pa.string()), lowered)
    return np.asarray(pc.fill_null(pc.cast(text, pa.float64()), float("nan")).to_numpy(), np.float64)


def _compute() -> Any:
    """pyarrow's functions, imported late: reading a volume doesn't need them."""
    import pyarrow.compute

    return pyarrow.compute


def use_cores() -> None:
    """Let Arrow read by several threads: it takes the one thread that is left to matrices in this process for its own.

    More than some gain little, and each takes a share of the address space that a reader may have.
    """
    import pyarrow as pa

    pa.set_cpu_count(min(len(os.sched_getaffinity(0)), _MOST_THREADS))


def _all_match(words: Any, pattern: str) -> bool:
    """Whether all words fit; the first ones tell of most columns that they don't."""
    pc = _compute()
    return all(_all(pc.match_substring_regex(some, pattern)) for some in (words.slice(0, _FIRST), words))


def _all(flags: Any) -> bool:
    return bool(_compute().all(flags, min_count=0).as_py())


def _any(flags: Any) -> bool:
    return bool(_compute().any(flags).as_py())
