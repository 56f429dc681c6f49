"""NumPy's and MATLAB's files: objects that are code, shapes that can't be, and matrices that are bombs."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
from tests.ingest.hostile_files.bombs import zlib_bomb
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile
from tests.ingest.hostile_files.nifti import written

_VALUES = np.array([[0.0, 1.5, 2.0], [1.5, 0.0, 3.5], [2.0, 3.5, 0.0]])
_HOLDS = {"weights": {str(place): column for place, column in enumerate(_VALUES.T)}}
_HOLDS_MAT = {"weights weights": _HOLDS["weights"]}
_FLAGS = ("--table-kind", "connectivity")
_TOUCH = "/tmp/pulvinar-hostile-code-ran"


class _Curse:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(_TOUCH),)  # type: ignore[return-value]


def _npy(values: np.ndarray = _VALUES) -> bytes:
    made = io.BytesIO()
    np.save(made, values, allow_pickle=values.dtype == object)
    return made.getvalue()


def header(text: str) -> bytes:
    """The beginning of a `.npy` with any words where its shape should be."""
    words = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words


def npz(folder: Path, content: bytes, name: str = "weights.npy") -> Path:
    """An archive of one array."""
    with zipfile.ZipFile(folder / "weights.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return folder / "weights.npz"


def _element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def _mat(shape: tuple[int, int] = (3, 3), values: bytes = _VALUES.T.tobytes()) -> bytes:
    """A MAT-file of version 5 with one packed matrix of doubles, whose parts need not fit."""
    array = _element(6, struct.pack("<II", 6, 0)) + _element(5, struct.pack("<ii", *shape))
    array += _element(1, b"weights") + _element(9, values)
    return _mat_of(zlib.compress(_element(14, array), 9))


def _mat_of(packed: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed


def mat73(folder: Path) -> Path:
    """A MAT-file of version 7.3: HDF5 behind a block of 512 bytes."""
    path = folder / "weights.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("weights", data=_VALUES.T).attrs["MATLAB_class"] = np.bytes_("double")
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    path.write_bytes(content)
    return path


NPY = Good("npy", lambda folder: written(folder, _npy(), "weights.npy"), _HOLDS, _FLAGS)
NPZ = Good("npz", lambda folder: npz(folder, _npy()), _HOLDS, _FLAGS)
MAT = Good("mat", lambda folder: written(folder, _mat(), "weights.mat"), _HOLDS_MAT, _FLAGS)
MAT73 = Good("mat 7.3", mat73, _HOLDS_MAT, _FLAGS)


def _lying(name: str, because: str, content: bytes) -> None:
    hostile(f"npy: {name}", Refused(because), NPY)(lambda folder: written(folder, content, "weights.npy"))


def _lying_npz(name: str, because: str, content: bytes) -> None:
    # an archive is unpacked before it is read
    hostile(f"npz: {name}", Refused(because, names="weights.np"), NPZ)(lambda folder: npz(folder, content))


def _lying_mat(name: str, because: str, content: bytes) -> None:
    hostile(f"mat: {name}", Refused(because), MAT)(lambda folder: written(folder, content, "weights.mat"))


_CODE = np.array([[_Curse(), 1], [2, 3]], dtype=object)
_HUGE = header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000, 2)}")
_lying("objects that are code", "Python's objects, which are never unpacked", _npy(_CODE))
_lying("a header that is code", "is damaged", header(f"__import__('pathlib').Path('{_TOUCH}').touch()"))
_lying("a shape of 1e15", "declares the shape", _HUGE + bytes(64))
_lying("a negative shape", "declares the shape", header("{'descr': '<f8', 'fortran_order': False, 'shape': (-4, -2)}"))
_lying("truncated", "declares the shape", _npy()[:-9])
_lying_npz("objects that are code", "Python's objects, which are never unpacked", _npy(_CODE))
_lying_npz("a pickle in the place of an array", "of a format that Pulvinar reads", pickle.dumps(_Curse()))
_lying_npz("a shape of 1e15", "declares the shape", _HUGE + bytes(64))
_lying_npz("truncated", "declares the shape", _npy()[:-9])
_lying_mat("900 million million values", "bytes of values", _mat((30_000_000, 30_000_000)))
_lying_mat("a negative shape", "weights.mat", _mat((-3, -3)))
_lying_mat("a bomb in a small matrix", "314572800 bytes of values", _mat(values=bytes(300 << 20)))
_lying_mat("a bomb without an end", "weights.mat", _mat_of(zlib_bomb(4 << 30)))
_lying_mat("truncated", "weights.mat", _mat()[:-20])


@hostile("npz: bomb", Refused("weights.npz"), NPZ)
def bomb_npz(folder: Path) -> Path:
    """Two gigabytes of zeros in two megabytes."""
    shape = header("{'descr': '<f8', 'fortran_order': False, 'shape': (16384, 16384)}")
    path = folder / "weights.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("weights.npy", "w", force_zip64=True) as member,
    ):
        member.write(shape)
        for _ in range(128):
            member.write(bytes(16 << 20))
    return path


@hostile("npz: truncated archive", Refused("weights.npz"), NPZ)
def cut_npz(folder: Path) -> Path:
    """Its list of members is at its end, which is not there."""
    path = npz(folder, _npy())
    path.write_bytes(path.read_bytes()[:-30])
    return path


def _half_written(folder: Path) -> Path:
    """Of the matrix's three columns, in a chunk each, the last is not written."""
    path = mat73(folder)
    with h5py.File(path, "r+") as file:
        kept = dict(file["weights"].attrs)
        del file["weights"]
        made = file.create_dataset("weights", shape=(3, 3), dtype="f8", chunks=(1, 3))
        made[:2] = _VALUES.T[:2]
        made.attrs.update(kept)
    return path


_HALF = {"weights weights": {**_HOLDS["weights"], "2": [0.0, 0.0, 0.0]}}
hostile("mat: a matrix that is not all written", Refused("are empty and not lost", names="--sparse"), MAT73)(
    _half_written
)
hostile(
    "mat: a matrix that is not all written, and a person says that it is empty",
    Ingested(_HALF),
    MAT73,
    (*_FLAGS, "--sparse"),
)(_half_written)


@hostile("mat: a variable that is a link to a file of the system", Refused("is a link to elsewhere"), MAT73)
def linked(folder: Path) -> Path:
    """HDF5 would open it."""
    path = mat73(folder)
    with h5py.File(path, "a") as file:
        file["secret"] = h5py.ExternalLink("/etc/passwd", "/x")
    return path
