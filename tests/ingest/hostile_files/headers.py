"""MGH and NRRD: what their headers can say that can't be."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
from tests.ingest.hostile_files.bombs import gzip_bomb
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile
from tests.ingest.hostile_files.nifti import AFFINE, NAN, STORED, VOXELS, written

# --- MGH: big-endian; version, width, height, depth, frames, type, dof, has_frame, 15 floats ---


def mgh_bytes() -> bytes:
    """A sound volume, by nibabel."""
    return nib.MGHImage(VOXELS, AFFINE).to_bytes()


def _patched(at: int, new: bytes) -> bytes:
    content = bytearray(mgh_bytes())
    content[at : at + len(new)] = new
    return bytes(content)


MGH = Good("mgh", lambda folder: written(folder, mgh_bytes(), "brain.mgh"), {"brain": STORED})
MGZ = Good("mgh, packed", lambda folder: written(folder, gzip.compress(mgh_bytes()), "brain.mgz"), {"brain": STORED})


def _lying_mgh(name: str, because: str, at: int, new: bytes) -> None:
    hostile(f"mgh: {name}", Refused(because), MGH)(lambda folder: written(folder, _patched(at, new), "brain.mgh"))


_lying_mgh("negative dimensions", "declares the dimensions", 4, struct.pack(">i", -4))
_lying_mgh("dimensions whose product overflows", "can't hold them", 4, struct.pack(">4i", *[(1 << 31) - 1] * 4))
_lying_mgh("a type that isn't one", "names the data type 77", 20, struct.pack(">i", 77))
_lying_mgh("NaN in its map", "a number that is not finite", 42, struct.pack(">f", NAN))
_lying_mgh("singular map", "is singular", 42, struct.pack(">9f", *[1.0] * 9))


@hostile("mgh: truncated gz", Refused("its compressed stream is damaged"), MGZ)
def truncated_mgz(folder: Path) -> Path:
    """The end is not there."""
    return written(folder, gzip.compress(mgh_bytes())[:-30], "brain.mgz")


@hostile("mgh: cut within its voxels", Refused("is truncated"), MGH)
def cut_mgh(folder: Path) -> Path:
    """The header alone is whole."""
    return written(folder, mgh_bytes()[:300], "brain.mgh")


# --- NRRD: text lines, an empty line, voxels ---

_HEADER = (
    "NRRD0005", "type: int16", "dimension: 3", "sizes: 4 5 6", "encoding: raw", "endian: little",
    "space: left-posterior-superior", 'space units: "mm" "mm" "mm"',
    "space directions: (0.5,0,0) (0,0.5,0) (0,0,0.75)", "space origin: (0,0,0)",
)  # fmt: skip
_RAW = VOXELS.tobytes(order="F")


def nrrd_bytes(lines: Sequence[str] = _HEADER, voxels: bytes = _RAW) -> bytes:
    """A file as the format's description has it."""
    return "\n".join(lines).encode() + b"\n\n" + voxels


def sound_nrrd(folder: Path) -> Path:
    """A sound volume, by pynrrd."""
    said = {"space": "left-posterior-superior", "space units": ["mm"] * 3, "space origin": [0, 0, 0]}
    directions = {"space directions": np.diag([0.5, 0.5, 0.75])}
    nrrd.write(str(folder / "brain.nrrd"), VOXELS, {**said, **directions, "encoding": "gzip"})
    return folder / "brain.nrrd"


NRRD = Good("nrrd", sound_nrrd, {"brain": STORED})


def _with(field: str, value: str) -> tuple[str, ...]:
    """The header's lines with another one for `field`, or one more."""
    kept = [line for line in _HEADER if not line.startswith(f"{field}:")]
    return (*kept, f"{field}: {value}") if value else tuple(kept)


def _lying_nrrd(name: str, because: str, field: str, value: str, names: str = "") -> None:
    make = lambda folder: written(folder, nrrd_bytes(_with(field, value)), "brain.nrrd")  # noqa: E731
    hostile(f"nrrd: {name}", Refused(because, names), NRRD)(make)


_PERSON = {"0010|0010": "Mustermann^Erika", "DICOM_0010_0030_PatientBirthDate": "19640812", "PatientID": "H4711"}


def _named_nrrd(folder: Path) -> Path:
    """A header that was made of DICOM's, element by element, as ITK and Slicer write it."""
    lines = (*_HEADER, *(f"{key}:={value}" for key, value in _PERSON.items()))
    return written(folder, nrrd_bytes(lines), "brain.nrrd")


hostile(
    "nrrd: elements of DICOM that name a person",
    Ingested(said=("its files name a person",), nowhere=("Mustermann", "19640812", "H4711")),
    NRRD,
)(_named_nrrd)
hostile(
    "nrrd: a file to be kept that names a person",
    Refused("name a person (PatientName, PatientBirthDate, PatientID)"),
    NRRD,
    ("--originals", "keep"),
)(_named_nrrd)
_lying_nrrd("negative sizes", "", "sizes", "4 -5 6")
_lying_nrrd("sizes whose product overflows", "can't hold them", "sizes", " ".join(["1000000000"] * 3))
_lying_nrrd("sizes that are no numbers", "its header can't be read", "sizes", "4 five 6")
_lying_nrrd("NaN in its directions", "a number that is not finite", "space directions", "(nan,0,0) (0,1,0) (0,0,1)")
_lying_nrrd("singular directions", "is singular", "space directions", "(1,0,0) (1,0,0) (0,0,1)")
_lying_nrrd("no voxel size", "--voxel-size", "space directions", "", names="brain")
_lying_nrrd("voxels in a file beside the folder", "points outside its folder", "data file", "../secret.raw")
_lying_nrrd("voxels in a file of the system", "points outside its folder", "data file", "/etc/passwd")
_lying_nrrd("voxels in a file that was not handed in", "not in the submission", "data file", "other.raw")
_lying_nrrd("voxels in a thousand files", "in many files", "data file", "plane%04d.raw 1 1000 1")
_lying_nrrd("an encoding that isn't one", "its encoding is 'zstd'", "encoding", "zstd")
_lying_nrrd("negative byte skip", "skips", "byte skip", "-5")
_lying_nrrd("a billion lines skipped", "skips 1000000000 lines", "line skip", "1000000000")
_lying_nrrd("a type that isn't one", "its type is 'block'", "type", "block")


@hostile("nrrd: truncated gz", Refused("its compressed stream is damaged"), NRRD)
def truncated_nrrd(folder: Path) -> Path:
    """The stream ends early."""
    return written(folder, nrrd_bytes(_with("encoding", "gzip"), gzip.compress(_RAW)[:-20]), "brain.nrrd")


@hostile("nrrd: wrong checksum of a gz", Refused("its compressed stream is damaged"), NRRD)
def damaged_nrrd(folder: Path) -> Path:
    """A flipped bit in the CRC."""
    stream = bytearray(gzip.compress(_RAW))
    stream[-8] ^= 1
    return written(folder, nrrd_bytes(_with("encoding", "gzip"), bytes(stream)), "brain.nrrd")


@hostile("nrrd: gz bomb", Refused("holds more than"), NRRD)
def bomb_nrrd(folder: Path) -> Path:
    """Two gigabytes behind the few voxels that are declared."""
    content = nrrd_bytes(_with("encoding", "gzip"), gzip_bomb(_RAW, 2 << 30))
    return written(folder, content, "brain.nrrd")


@hostile("nrrd: a header without end", Refused("its header has no end"), NRRD)
def endless_nrrd(folder: Path) -> Path:
    """Two megabytes of comment."""
    return written(folder, b"NRRD0005\n" + b"# on and on\n" * 180_000, "brain.nrrd")
