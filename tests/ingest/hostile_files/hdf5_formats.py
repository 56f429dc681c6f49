"""NWB, AnnData, Imaris and BigDataViewer: formats on HDF5, with links, bombs, sizes and gaps of their own."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pynwb import TimeSeries
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile
from tests.ingest.readers import nwb_files
from tests.ingest.readers.hdf5_writers import IMARIS, SETUPS, write_bigdataviewer, write_imaris

Spoil = Callable[[Any, Path], Any]


def _edited(path: Path, spoil: Spoil, folder: Path) -> Path:
    with h5py.File(path, "r+") as file:
        spoil(file, folder)
    return path


def _replaced(file: Any, path: str, **how: Any) -> Any:
    """A dataset in the place of another, with its attributes."""
    kept = dict(file[path].attrs)
    del file[path]
    made = file.create_dataset(path, **how)
    made.attrs.update(kept)
    return made


def _secret(folder: Path, size_bytes: int) -> str:
    """A file beside what is handed in, whose bytes nobody may see."""
    (folder / "secret.raw").write_bytes(b"\x2a" * size_bytes)
    return str(folder / "secret.raw")


def _link(path: str) -> Spoil:
    def spoil(file: Any, folder: Path) -> None:
        if path in file:
            del file[path]
        file[path] = h5py.ExternalLink("/etc/passwd", "/secret")

    return spoil


# --- NWB ---

_SERIES = np.arange(6.0)
_DATA = "acquisition/one/data"


def nwb(folder: Path) -> Path:
    """A file of one series of six values."""
    file = nwb_files.new_file()
    file.add_acquisition(TimeSeries(name="one", data=_SERIES, unit="V", rate=10.0))
    return nwb_files.write(file, folder / "one.nwb")


NWB = Good("nwb", nwb, {"one one": {"0": _SERIES}})


def _nwb(name: str, because: str, spoil: Spoil) -> None:
    hostile(f"nwb: {name}", Refused(because), NWB)(lambda folder: _edited(nwb(folder), spoil, folder))


def _nwb_outside(file: Any, folder: Path) -> None:
    _replaced(file, _DATA, shape=(6,), dtype="f8", external=[(_secret(folder, 48), 0, 48)])


def _nwb_virtual(file: Any, folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as secret:
        secret["data"] = np.full(6, 42.0)
    kept = dict(file[_DATA].attrs)
    del file[_DATA]
    layout = h5py.VirtualLayout((6,), "f8")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "data", (6,))
    file.create_virtual_dataset(_DATA, layout).attrs.update(kept)


def _nwb_bomb(file: Any, folder: Path) -> None:
    data = _replaced(file, _DATA, shape=(6,), dtype="f8", chunks=(6,), compression="gzip")
    data.id.write_direct_chunk((0,), zlib.compress(bytes(400 << 20), 9))


def _nwb_ring(file: Any, folder: Path) -> None:
    del file[_DATA]
    file[_DATA] = h5py.SoftLink(f"/{_DATA}")


def _nwb_times(file: Any, folder: Path) -> None:
    del file["acquisition/one/starting_time"]
    file["acquisition/one/timestamps"] = np.arange(5.0)


_nwb("a series in another file", "is a link to elsewhere", _link("acquisition/two"))
_nwb("values in another file", "lies in other files", _nwb_outside)
_nwb("values that are a view of another file", "lies in other files", _nwb_virtual)
_nwb("a chunk that is a bomb", "is damaged", _nwb_bomb)
_nwb("values that are themselves", "a link that leads to no end", _nwb_ring)
_nwb("fewer times than values", "has 6 points and times of shape", _nwb_times)
_nwb("1e15 values", "the file can't hold more",
     lambda file, _: _replaced(file, _DATA, shape=(10**15,), dtype="f8", chunks=(1000,)))  # fmt: skip
_nwb("values that were never written", "none of it is stored",
     lambda file, _: _replaced(file, _DATA, shape=(6,), dtype="f8", chunks=(2,)))  # fmt: skip


@hostile("nwb: truncated", Refused("one.nwb"), NWB)
def cut_nwb(folder: Path) -> Path:
    """The second half is not there."""
    path = nwb(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


# --- AnnData, as its description has it ---

_GENES = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
_PLACES = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]])
_UM = ("--unit", "um")


def h5ad(folder: Path) -> Path:
    """Three cells with places, and two genes in a matrix of rows."""
    path = folder / "cells.h5ad"
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        _frame(file, "obs", ["c1", "c2", "c3"], count=np.array([7, 8, 9]))
        _frame(file, "var", ["g1", "g2"])
        _array(file, "obsm/spatial", _PLACES)
        _array(file, "layers/dense", _GENES)
    return path


def _frame(file: Any, path: str, names: list[str], **columns: np.ndarray) -> None:
    frame = file.create_group(path)
    about = {"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"}
    frame.attrs.update(about)
    frame.attrs["column-order"] = np.array(list(columns), dtype=h5py.string_dtype())
    _array(frame, "_index", np.array(names, dtype=h5py.string_dtype()), "string-array")
    for name, values in columns.items():
        _array(frame, name, values)


def _array(holder: Any, path: str, values: np.ndarray, kind: str = "array") -> None:
    holder.create_dataset(path, data=values).attrs.update({"encoding-type": kind, "encoding-version": "0.2.0"})


_CELLS = {"count": [7, 8, 9], "x_um": _PLACES[:, 0], "y_um": _PLACES[:, 1]}
_HOLDS = {"cells cells": _CELLS, "cells genes": {}, "cells layer dense": {"value": [1.0, 2.0, 3.0]}}
H5AD = Good("h5ad", h5ad, _HOLDS, _UM)


def _h5ad(name: str, because: str, spoil: Spoil) -> None:
    hostile(f"h5ad: {name}", Refused(because), H5AD)(lambda folder: _edited(h5ad(folder), spoil, folder))


def _great(file: Any, folder: Path) -> None:
    _replaced(file, "layers/dense", shape=(10**9, 10**6), dtype="f8", chunks=(1000, 1000))


def _lost(file: Any, folder: Path) -> None:
    del file["obs/count"]


_h5ad("a matrix in another file", "is a link to elsewhere", _link("layers/dense"))
_h5ad("a matrix of 1e15 values", "the file can't hold more", _great)
_h5ad("a matrix of more cells than there are", "for 3 cells and 2 genes",
      lambda file, _: _replaced(file, "layers/dense", data=np.ones((9, 2))))  # fmt: skip


def _half_written(path: str) -> Spoil:
    """Of the dataset's three rows, in a chunk each, the last is not written."""

    def spoil(file: Any, folder: Path) -> None:
        values = file[path][()]
        made = _replaced(file, path, shape=values.shape, dtype=values.dtype, chunks=(1, *values.shape[1:]))
        made[:2] = values[:2]

    return spoil


_UNWRITTEN = _half_written("layers/dense")
hostile("h5ad: a matrix that is not all written", Refused("are empty and not lost", names="cells layer dense"), H5AD)(
    lambda folder: _edited(h5ad(folder), _UNWRITTEN, folder)
)
hostile(
    "h5ad: a matrix that is not all written, and a person says that it is empty",
    Ingested({**_HOLDS, "cells layer dense": {"value": [1.0, 2.0]}}),
    H5AD,
    (*_UM, "--sparse"),
)(lambda folder: _edited(h5ad(folder), _UNWRITTEN, folder))
_h5ad("a column that is not all written", "1 of the 3 parts of its obs/count are not stored",
      _half_written("obs/count"))  # fmt: skip
_h5ad("places that are not all written", "1 of the 3 parts of its obsm/spatial are not stored",
      _half_written("obsm/spatial"))  # fmt: skip
_h5ad("a column that is lost", "has no column 'count'", _lost)
_h5ad("a column that is too short", "has 2 rows, the table has 3",
      lambda file, _: _replaced(file, "obs/count", data=np.arange(2)))  # fmt: skip
_h5ad("places in another file", "lies in other files",
      lambda file, folder: _replaced(file, "obsm/spatial", shape=(3, 2), dtype="f8",
                                     external=[(_secret(folder, 48), 0, 48)]))  # fmt: skip


# --- Imaris ---

_FINEST = "DataSet/ResolutionLevel 0"
_FIRST = f"{_FINEST}/TimePoint 0/Channel 0"


def imaris(folder: Path) -> Path:
    """Two time points of three channels, in two resolutions."""
    write_imaris(folder / "brain.ims")
    return folder / "brain.ims"


IMS = Good("imaris", imaris, {"brain": IMARIS})


def _ims(name: str, because: str, spoil: Spoil) -> None:
    hostile(f"imaris: {name}", Refused(because), IMS)(lambda folder: _edited(imaris(folder), spoil, folder))


def _ims_bomb(file: Any, folder: Path) -> None:
    data = _replaced(file, f"{_FIRST}/Data", shape=(8, 24, 32), dtype="u2", chunks=(8, 24, 32), compression=1)
    data.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(400 << 20), 9))


def _image_lost(file: Any, folder: Path) -> None:
    del file[f"{_FINEST}/TimePoint 1/Channel 2"]


def _size(text: str) -> Spoil:
    def spoil(file: Any, folder: Path) -> None:
        file[_FIRST].attrs["ImageSizeX"] = np.frombuffer(text.encode(), "S1")

    return spoil


_ims("voxels behind a link", "'/etc/passwd'", _link(f"{_FIRST}/Data"))
_ims("voxels in another file", "secret.raw",
     lambda file, folder: _replaced(file, f"{_FIRST}/Data", shape=(8, 24, 32), dtype="u2",
                                    external=[(_secret(folder, 12_288), 0, 12_288)]))  # fmt: skip
_ims("a chunk that is a bomb", "brain.ims", _ims_bomb)
hostile("imaris: an image that is missing", Refused("are empty and not lost", names="--sparse"), IMS)(
    lambda folder: _edited(imaris(folder), _image_lost, folder)
)
_ims("no voxel along an axis", "0", _size("0"))
_ims("negative dimensions", "-4", _size("-4"))
_ims("a time point a thousand million", "numbered up to (999999999, 2)",
     lambda file, _: file.move(f"{_FINEST}/TimePoint 1", f"{_FINEST}/TimePoint 999999999"))  # fmt: skip


# --- BigDataViewer ---


def bigdataviewer(folder: Path, **about: Any) -> Path:
    """Two channels of one tile over two time points."""
    given = folder / "given"
    given.mkdir()
    write_bigdataviewer(given, SETUPS[:, :, :1], **about)
    return given


BDV = Good("bigdataviewer", bigdataviewer, {"a": SETUPS[:, :, 0]})


def _bdv(name: str, because: str, spoil: Spoil) -> None:
    def make(folder: Path) -> Path:
        given = bigdataviewer(folder)
        _edited(given / "a.h5", spoil, folder)
        return given

    hostile(f"bigdataviewer: {name}", Refused(because, names="a.h5"), BDV)(make)


_bdv("a view in another file", "'/etc/passwd'", _link("t00001/s01/0/cells"))


@hostile("bigdataviewer: an XML that names a neighbour's file", Refused("../secret.h5", names="a.xml"), BDV)
def neighbour(folder: Path) -> Path:
    """A whole recording beside what was handed in."""
    write_bigdataviewer(folder, file="secret.h5", xml=False)
    return bigdataviewer(folder, named="../secret.h5")


@hostile("bigdataviewer: entity of a system's file", Refused("defines entities", names="a.xml"), BDV)
def entity(folder: Path) -> Path:
    """Its unit would be the content of /etc/passwd."""
    given = bigdataviewer(folder)
    xml = (given / "a.xml").read_text()
    declared = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><SpimData'
    (given / "a.xml").write_text(xml.replace("<SpimData", declared, 1))
    return given
