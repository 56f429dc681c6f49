"""TRK and TCK: streamlines whose headers and records lie, or whose points lie in another file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.streamlines import Field, Tractogram
from tests.ingest.hostile_files.bombs import gzip_bomb
from tests.ingest.hostile_files.case import Good, Refused, hostile
from tests.ingest.hostile_files.nifti import NAN, written

_LINES = [np.array([[1, 2, 3], [4, 5, 6]], "f4"), np.array([[0, 0, 0], [7, 8, 9], [7, 8, 10]], "f4")]
_POINTS = np.concatenate(_LINES) * 1000.0
_HOLDS = {"tracts": {f"{axis}_um": _POINTS[:, place] for place, axis in enumerate("xyz")}}
_NOTHING, _END = np.full(3, np.nan, "<f4").tobytes(), np.full(3, np.inf, "<f4").tobytes()
Change = Callable[[bytes], bytes]


def trk(folder: Path, change: Change = bytes) -> Path:
    """Two streamlines in voxels of 1 mm, by nibabel."""
    about = {
        Field.VOXEL_TO_RASMM: np.eye(4, dtype="f4"),
        Field.VOXEL_SIZES: np.ones(3, "f4"),
        Field.DIMENSIONS: np.array((20, 20, 20), "i2"),
        Field.VOXEL_ORDER: "RAS",
    }
    made = Tractogram(_LINES, affine_to_rasmm=np.eye(4))
    nib.streamlines.save(made, folder / "tracts.trk", header=about)
    return written(folder, change((folder / "tracts.trk").read_bytes()), "tracts.trk")


def tck(folder: Path, change: Change = bytes) -> Path:
    """Two streamlines as MRtrix writes them."""
    head = b"mrtrix tracks\ndatatype: Float32LE\ncount: 2\nfile: . 80\nEND\n".ljust(80)
    body = b"".join(line.astype("<f4").tobytes() + _NOTHING for line in _LINES) + _END
    return written(folder, change(head + body), "tracts.tck")


TRK = Good("trk", trk, _HOLDS)
TCK = Good("tck", tck, _HOLDS)


def _field(name: str, value: object) -> Change:
    def change(content: bytes) -> bytes:
        header = np.frombuffer(content[:1000], nib.streamlines.trk.header_2_dtype).copy()
        header[name] = value
        return bytes(header.tobytes() + content[1000:])

    return change


def _put(at: int, new: bytes) -> Change:
    return lambda content: content[:at] + new + content[at + len(new) :]


def _replaced(old: bytes, new: bytes) -> Change:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return change


def _trk(name: str, because: str, change: Change) -> None:
    hostile(f"trk: {name}", Refused(because), TRK)(lambda folder: trk(folder, change))


def _tck(name: str, because: str, change: Change) -> None:
    hostile(f"tck: {name}", Refused(because), TCK)(lambda folder: tck(folder, change))


_trk("a voxel of no length", "its voxel size", _field("voxel_sizes", 0))
_trk("NaN in its map", "not finite", _field("voxel_to_rasmm", NAN))
_trk("singular map", "is singular", _field("voxel_to_rasmm", 1))
_trk("more streamlines than it holds", "declares 9 streamlines and holds 2", _field("nb_streamlines", 9))
_trk("a negative number of streamlines", "-1 lines", _field("nb_streamlines", -1))
_trk("30,000 values a point", "declares 30000 values a point", _field("nb_scalars_per_point", 30_000))
_trk("a streamline of two thousand million points", "more than the file has", _put(1000, b"\xff\xff\xff\x7f"))
_trk("a streamline of less than no point", "more than the file has", _put(1000, b"\xfb\xff\xff\xff"))
_trk("NaN as a coordinate", "a coordinate that is not finite", _put(1004, b"\0\0\xc0\x7f"))
_trk("truncated", "tracts.trk", lambda content: content[:-5])
_trk("wrong checksum of a gz", "stream is damaged", lambda content: _flipped(gzip.compress(content)))
_trk("gz bomb", "tracts.trk", lambda content: gzip_bomb(content, 4 << 30))
_tck("points in a neighbour's file", "another file is not opened", _replaced(b"file: . 80", b"file: ../a 0"))
_tck("points in a file of the system", "another file is not opened", _replaced(b"file: . 80", b"file: /etc/passwd 0"))
_tck("points behind its end", "puts the points at byte 99999999", _replaced(b"file: . 80", b"file: . 99999999"))
_tck("no end", "it has no end", _replaced(_END, b""))
_tck("truncated", "tracts.tck", lambda content: content[:-30])
_tck("NaN as a coordinate", "a coordinate that is not finite", _put(84, b"\0\0\xc0\x7f"))
_tck("a type that isn't one", "data type 'Complex64'", _replaced(b"Float32LE", b"Complex64"))
_tck("gz bomb", "tracts.tck", lambda content: gzip_bomb(content[:-12], 4 << 30, bytes(12)))


def _flipped(content: bytes) -> bytes:
    return content[:-6] + bytes([content[-6] ^ 1]) + content[-5:]
