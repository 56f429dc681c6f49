"""What the attributes and datasets of an open HDF5 file say, as numbers and text."""

from __future__ import annotations

from contextlib import closing
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.hdf5_chunks import Hdf5Numbers, texts
from pulvinar.ingest.readers.hdf5_files import check_dataset, check_stored, dataset, text

_MOST_TEXT = 4000
_MOST_TEXTS = 1000


def is_group(place: Any) -> bool:
    """Whether `place` is an HDF5 group."""
    import h5py

    return isinstance(place, h5py.Group)


def number_said(place: Any, key: str, default: float) -> float:
    """The attribute `key` as a finite number; `default` where there is none, or none that is finite."""
    try:
        value = float(np.ravel(place.attrs.get(key, default))[0])
    except (TypeError, ValueError, IndexError):
        return default
    return value if isfinite(value) else default


def text_said(place: Any, key: str) -> str:
    """The attribute `key` as text, "" where there is none."""
    return text(place.attrs.get(key, ""))[:_MOST_TEXT].strip()


def text_at(group: Any, path: str, name: str) -> str:
    """The text of the dataset at `path`, the texts of several joined by commas; "" where there is none."""
    return ", ".join(texts_at(group, path, name))


def texts_at(group: Any, path: str, name: str) -> list[str]:
    """The texts of the dataset at `path`; none where there is no such dataset, or one without text."""
    import h5py

    data = dataset(group, path, name)
    if data is None or (data.dtype.kind != "S" and h5py.check_string_dtype(data.dtype) is None):
        return []
    if data.size > _MOST_TEXTS:
        raise UnreadableFile(f"{name}: {path} has {data.size} texts, {_MOST_TEXTS} are read")
    return [said[:_MOST_TEXT].strip() for said in texts(data, name) if said.strip()]


def numbers_of(data: Any, name: str, *, sparse: bool = False) -> npt.NDArray[Any]:
    """All values of a dataset of numbers; raises `UnreadableFile` where not all are stored, and not `sparse`."""
    if not sparse:
        check_stored(data, name)
    with closing(Hdf5Numbers(data, name)) as numbers:
        return numbers.whole()


def numbers_at(group: Any, path: str, name: str) -> npt.NDArray[np.float64] | None:
    """The values of the dataset at `path` as float64, None where there is none or it holds no numbers."""
    data = dataset(group, path, name)
    if data is None or data.dtype.kind not in "iuf":
        return None
    return numbers_of(data, name).astype(np.float64)


def records_of(data: Any, name: str) -> npt.NDArray[Any] | None:
    """All values of a dataset of compound values or references; None where they are packed, for only HDF5 itself
    could unpack them, and it does so without end."""
    check_dataset(data, name)
    if data.id.get_create_plist().get_nfilters():
        return None
    return np.asarray(data[()])


def target_of(place: Any, reference: Any) -> Any:
    """The object that a reference leads to, within the file; None where it leads nowhere."""
    if not reference:
        return None
    try:
        return place.file[reference]
    except (ValueError, TypeError, KeyError):
        return None


def path_of(place: Any) -> str:
    """The path of an object, "" where it has none."""
    return "" if place is None else str(place.name or "").lstrip("/")
