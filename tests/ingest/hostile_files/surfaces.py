"""GIFTI, CIFTI, PLY and STL: surfaces and what lies on them, with files that they name, bombs and faces of nothing."""

from __future__ import annotations

import base64
import gzip
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis
from nibabel.gifti import GiftiCoordSystem, GiftiDataArray, GiftiImage, GiftiMetaData
from tests.ingest.hostile_files.bombs import gzip_bomb
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile
from tests.ingest.hostile_files.nifti import written

_CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], "f4")
_FACES = np.array([[0, 1, 2], [0, 2, 3]], "i4")
Change = Callable[[bytes], bytes]


def _replaced(old: bytes, new: bytes) -> Change:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return change


# --- GIFTI ---

_GII, _SURFACE = "shape.gii", "mid.surf.gii"
_SHAPE = np.array([0, 1, 2, 3], "f4")


def _shape() -> bytes:
    named = GiftiMetaData({"Name": "thickness"})
    content: bytes = GiftiImage(darrays=[GiftiDataArray(_SHAPE, "NIFTI_INTENT_SHAPE", meta=named)]).to_bytes()
    return content


def surface(corners: np.ndarray = _CORNERS, faces: np.ndarray = _FACES) -> bytes:
    """A surface in scanner space, by nibabel."""
    space = GiftiCoordSystem("NIFTI_XFORM_SCANNER_ANAT", "NIFTI_XFORM_SCANNER_ANAT")
    points = GiftiDataArray(corners, "NIFTI_INTENT_POINTSET", coordsys=space)
    content: bytes = GiftiImage(darrays=[points, GiftiDataArray(faces, "NIFTI_INTENT_TRIANGLE")]).to_bytes()
    return content


GIFTI = Good("gifti", lambda folder: written(folder, _shape(), _GII), {"shape": {"thickness": _SHAPE}})
SURFACE = Good(
    "gifti, a surface",
    lambda folder: written(folder, surface(), _SURFACE),
    {"mid": {f"{axis}_um": _CORNERS[:, place] * 1000.0 for place, axis in enumerate("xyz")}},
)


def _gifti(name: str, because: str, change: Change) -> None:
    hostile(f"gifti: {name}", Refused(because), GIFTI)(lambda folder: written(folder, change(_shape()), _GII))


def _surface(name: str, because: str, corners: np.ndarray = _CORNERS, faces: np.ndarray = _FACES) -> None:
    make = lambda folder: written(folder, surface(corners, faces), _SURFACE)  # noqa: E731
    hostile(f"gifti: {name}", Refused(because), SURFACE)(make)


def _outside(name: bytes) -> Change:
    return _replaced(b'ExternalFileName=""', b'ExternalFileName="' + name + b'"')


def _bomb(content: bytes) -> bytes:
    packed = base64.b64encode(zlib.compress(bytes(256 << 20), 1))
    return re.sub(rb"<Data>.*</Data>", b"<Data>" + packed + b"</Data>", content)


def _entities(declared: bytes) -> Change:
    def change(content: bytes) -> bytes:
        body = content[content.index(b"<GIFTI") :]
        return b'<?xml version="1.0"?><!DOCTYPE GIFTI [' + declared + b"]>" + body

    return change


_LAUGHS = b'<!ENTITY l0 "ha">' + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
_gifti("values in a file of the system", "which is not opened", _outside(b"/etc/passwd"))
_gifti("values in a neighbour's file", "which is not opened", _outside(b"../secret.bin"))
_gifti("a bomb", "declares 16 bytes and holds more", _bomb)
_gifti("a hundred thousand million values", "are read", _replaced(b'Dim0="4"', b'Dim0="99999999999"'))
_gifti("negative dimensions", "its dimensions can't be", _replaced(b'Dim0="4"', b'Dim0="-4"'))
_gifti("fewer values than declared", "declares 20 bytes and holds 16", _replaced(b'Dim0="4"', b'Dim0="5"'))
_gifti("damaged values", "packed values are damaged", _replaced(b"<Data>eJ", b"<Data>fJ"))
_gifti("cut off", "it is no XML", lambda content: content[:-60])
_gifti("entities of entities", "declares the entity", _entities(_LAUGHS))
_gifti("entity of a system's file", "declares the entity", _entities(b'<!ENTITY x SYSTEM "file:///etc/passwd">'))
_surface("a vertex that is not there", "names a vertex that is not one of the 4", faces=_FACES + 1)
_surface("NaN as a coordinate", "vertex 2 has a coordinate", _CORNERS + np.array([[0], [np.nan], [0], [0]], "f4"))

# --- CIFTI ---

_CII = "brain.dscalar.nii"
_CORTEX = BrainModelAxis.from_surface(np.array([0, 2, 5]), 9, "CortexLeft")
_VALUES = np.array([[0.5, 1.5, 2.5]], "f4")


def _cifti(folder: Path, change: Change = bytes) -> Path:
    Cifti2Image(_VALUES, (ScalarAxis(["thickness"]), _CORTEX)).to_filename(folder / _CII)
    return written(folder, change((folder / _CII).read_bytes()), _CII)


CIFTI = Good("cifti", _cifti, {"brain.dscalar": {"thickness": _VALUES[0], "vertex": [0, 2, 5]}})


def _lying_cifti(name: str, because: str, change: Change) -> None:
    hostile(f"cifti: {name}", Refused(because), CIFTI)(lambda folder: _cifti(folder, change))


def _at(place: int, form: str, *numbers: int) -> Change:
    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        struct.pack_into(form, changed, place, *numbers)
        return bytes(changed)

    return change


_lying_cifti("a million million elements", "is truncated", _at(16 + 8 * 6, "<q", 1 << 40))
_lying_cifti("negative dimensions", "declares the dimensions", _at(16 + 8 * 6, "<q", -7))
_lying_cifti("its matrix behind its end", "puts the matrix at byte", _at(168, "<q", 1 << 50))
_lying_cifti("an extension of a gigabyte", "declares 1073741824 bytes", _at(544, "<i", 1 << 30))
_lying_cifti("more vertices than it lists", "declares 9 elements", _replaced(b'IndexCount="3"', b'IndexCount="9"'))
_lying_cifti("a vertex that is not there", "names one beyond them", _replaced(b"0 2 5", b"0 2 9"))
_lying_cifti("truncated", "is truncated", lambda content: content[:-4])
_lying_cifti("wrong checksum of a gz", "stream is damaged", lambda content: _flipped(gzip.compress(content)))


def _flipped(content: bytes) -> bytes:
    return content[:-6] + bytes([content[-6] ^ 1]) + content[-5:]


# --- PLY ---

_PLY = (
    "ply\nformat {} 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 2\nproperty list uchar int vertex_indices\nend_header\n"
)
_AS_TEXT = _PLY.format("ascii") + "0 0 0\n1 0 0\n0 2 0\n0 0 3\n3 0 1 2\n3 0 2 3\n"
_LITTLE = _PLY.format("binary_little_endian").encode() + _CORNERS.astype("<f4").tobytes()
_LITTLE += b"".join(struct.pack("<B3i", 3, *face) for face in _FACES.tolist())
_MESH = {f"{axis}_um": _CORNERS[:, place] for place, axis in enumerate("xyz")}
_UM = ("--unit", "um")
PLY = Good("ply", lambda folder: written(folder, _AS_TEXT.encode(), "mesh.ply"), {"mesh": _MESH}, _UM)
PLY_BINARY = Good("ply, binary", lambda folder: written(folder, _LITTLE, "mesh.ply"), {"mesh": _MESH}, _UM)


def _lying_ply(name: str, because: str, old: str, new: str, twin: Good = PLY) -> None:
    content = _AS_TEXT.encode() if twin is PLY else _LITTLE
    change = _replaced(old.encode(), new.encode())
    hostile(f"ply: {name}", Refused(because), twin)(lambda folder: written(folder, change(content), "mesh.ply"))


_lying_ply("a million million vertices", "are not all there", "vertex 4", "vertex 999999999999")
_lying_ply("a million million vertices, binary", "are not all there", "vertex 4", "vertex 999999999999", PLY_BINARY)
_lying_ply("a thousand million faces, binary", "are not all there", "face 2", "face 999999999", PLY_BINARY)
_lying_ply("a negative number of vertices", "is no line of a PLY header", "vertex 4", "vertex -4")
_lying_ply("a vertex that is not there", "names a vertex that is not one of the 4", "3 0 1 2", "3 0 1 4")
_lying_ply("NaN as a coordinate", "a coordinate that is not finite", "0 2 0", "0 nan 0")
_lying_ply("a header without end", "its header has no end", "end_header\n", "")


@hostile("ply: truncated", Refused("are not all there"), PLY_BINARY)
def cut_ply(folder: Path) -> Path:
    """The last face is not whole."""
    return written(folder, _LITTLE[:-4], "mesh.ply")


@hostile("ply: gz bomb", Refused("mesh.ply.gz"), PLY)
def bomb_ply(folder: Path) -> Path:
    """Four gigabytes of vertices."""
    head = _AS_TEXT.replace("vertex 4", "vertex 999999999").encode()
    return written(folder, gzip_bomb(head, 4 << 30, b"0 0 0\n"), "mesh.ply.gz")


@hostile("ply: a picture of another folder", Ingested(), PLY)
def texture(folder: Path) -> Path:
    """A comment names it; it is never opened."""
    return written(folder, _AS_TEXT.replace("1.0\n", "1.0\ncomment TextureFile /etc/passwd\n").encode(), "mesh.ply")


# --- STL ---

_TRIANGLES = _CORNERS[_FACES]
_STL = b"made by hand".ljust(80) + struct.pack("<I", 2)
_STL += b"".join(struct.pack("<12fH", 0, 0, 1, *corners.ravel(), 0) for corners in _TRIANGLES)
STL = Good("stl", lambda folder: written(folder, _STL, "mesh.stl"), {"mesh": _MESH}, _UM)


def _lying_stl(name: str, because: str, content: bytes) -> None:
    hostile(f"stl: {name}", Refused(because), STL)(lambda folder: written(folder, content, "mesh.stl"))


_lying_stl("four thousand million triangles", "its header declares", _STL[:80] + b"\xff" * 4 + _STL[84:])
_lying_stl("truncated", "its header declares", _STL[:-10])
_lying_stl("NaN as a coordinate", "a coordinate that is not finite", _STL[:96] + b"\0\0\xc0\x7f" + _STL[100:])
