"""Tables, matrices and recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import scipy.io
from pynwb import NWBHDF5IO, TimeSeries
from tests.ingest.readers.nwb_files import new_file

from benchmarks._formats.entry import Format
from pulvinar.ingest.reader import Options, PointsData, TableKind

_ROWS = 4_000_000
_FRAMES, _SERIES = 100_000, 300
_SIGNALS = Options(table_kind=TableKind.TIME_SERIES, axes="tc", time_step_s=0.1)
_ABOUT = 400_000


def _cells() -> Any:
    places = np.random.default_rng(8).normal(0, 1000, (_ROWS, 3)).round(3)
    named = {"name": pa.array([f"cell {number}" for number in range(_ROWS)])}
    return pa.table({**named, **{axis: places[:, index] for index, axis in enumerate("xyz")}})


def _csv(folder: Path) -> Path:
    pyarrow.csv.write_csv(_cells(), folder / "cells.csv")
    return folder / "cells.csv"


def _parquet(folder: Path) -> Path:
    pq.write_table(_cells(), folder / "cells.parquet")
    return folder / "cells.parquet"


def _columns(table: Any) -> dict[str, Any]:
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def _rows(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Columns of numpy, and the places (z, y, x) beside them."""

    def rows(path: Path) -> Any:
        columns = _columns(read(path))
        return columns, np.stack([columns[axis] for axis in "zyx"], axis=1)

    return rows


def _same_columns(data: Any, path: Path) -> None:
    expected = _columns(pq.read_table(path) if path.suffix == ".parquet" else pyarrow.csv.read_csv(path))
    assert list(data.columns) == list(expected)
    assert all(np.array_equal(data.columns[name], expected[name]) for name in expected)


def _signals(series: int = _SERIES) -> Any:
    return np.random.default_rng(9).normal(size=(_FRAMES, series)).round(4)


def _npy(folder: Path) -> Path:
    # read as fast as memory is copied: so long that the first block is a small part of it
    np.save(folder / "activity.npy", _signals(2 * _SERIES))
    return folder / "activity.npy"


def _npz(folder: Path) -> Path:
    # alone it would be taken for an archive, and unpacked before it is read
    (folder / "npz").mkdir()
    np.savez_compressed(folder / "npz" / "activity.npz", activity=_signals(_SERIES // 3))
    return folder / "npz"


def _mat(*, packed: bool) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        values = _signals(_SERIES // 3 if packed else _SERIES)
        scipy.io.savemat(folder / "activity.mat", {"activity": values}, do_compression=packed)
        return folder / "activity.mat"

    return make


def _text(folder: Path) -> Path:
    np.savetxt(folder / "activity.txt", _signals(_SERIES // 10), fmt="%.4f")
    return folder / "activity.txt"


def _same_signals(read: Callable[[Path], Any]) -> Callable[[Any, Path], None]:
    def same(data: Any, path: Path) -> None:
        assert np.array_equal(data.values, read(path))

    return same


def _npz_signals(path: Path) -> Any:
    with np.load(path / "activity.npz") as file:
        return file["activity"]


def _mat_signals(path: Path) -> Any:
    return scipy.io.loadmat(path)["activity"]


def _nwb(folder: Path) -> Path:
    file = new_file()
    file.add_acquisition(TimeSeries("lfp", _signals().astype("f4"), unit="V", rate=1000.0))
    with NWBHDF5IO(folder / "recording.nwb", "w") as written:
        written.write(file)
    return folder / "recording.nwb"


def _nwb_signals(path: Path) -> Any:
    with NWBHDF5IO(path, "r") as opened:
        return opened.read().acquisition["lfp"].data[:]


def _h5ad(folder: Path) -> Path:
    random = np.random.default_rng(1)
    names = pd.Index(np.array([f"cell {number}" for number in range(_ABOUT)], dtype=object))
    about = {
        "type": pd.Categorical.from_codes(random.integers(0, 30, _ABOUT), [f"type {n}" for n in range(30)]),
        **{f"marker {n}": random.random(_ABOUT) for n in range(20)},
    }
    made = anndata.AnnData(obs=pd.DataFrame(about, index=names))
    made.obsm["spatial"] = random.random((_ABOUT, 2)) * 100
    anndata.settings.allow_write_nullable_strings = True
    made.write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


def _same_cells(found: Any, path: Path) -> None:
    theirs = anndata.read_h5ad(path)
    data = next(one for one in found if isinstance(one, PointsData))
    assert np.array_equal(data.zyx_um[:, :0:-1], theirs.obsm["spatial"])
    for name, column in theirs.obs.items():
        assert data.columns[name].tolist() == column.tolist()


TABLES = [
    Format("CSV", _csv, "pyarrow, numpy", _rows(pyarrow.csv.read_csv), _same_columns, samples="tables"),
    Format("Parquet", _parquet, "pyarrow, numpy", _rows(pq.read_table), _same_columns),
    Format("npy", _npy, "numpy", np.load, _same_signals(np.load), options=_SIGNALS),
    Format("npz, deflate", _npz, "numpy", _npz_signals, _same_signals(_npz_signals), options=_SIGNALS),
    Format("MAT 5", _mat(packed=False), "scipy", _mat_signals, _same_signals(_mat_signals), "matrices", _SIGNALS),
    Format("MAT 5, deflate", _mat(packed=True), "scipy", _mat_signals, _same_signals(_mat_signals), options=_SIGNALS),
    Format("Text matrix", _text, "numpy.loadtxt", np.loadtxt, _same_signals(np.loadtxt), "text_matrices", _SIGNALS),
    Format("NWB", _nwb, "pynwb", _nwb_signals, _same_signals(_nwb_signals), samples="nwb"),
    Format("h5ad", _h5ad, "anndata", anndata.read_h5ad, _same_cells),
]
