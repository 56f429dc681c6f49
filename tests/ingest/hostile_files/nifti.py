"""NIfTI: headers that lie, streams that are damaged, maps that contradict each other."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from tests.ingest.hostile_files.bombs import gzip_bomb
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile

VOXELS = np.random.default_rng(1).integers(0, 1000, (4, 5, 6)).astype(np.int16)
"""Axes (x, y, z), as in the file."""
STORED = VOXELS.transpose(2, 1, 0)
AFFINE = np.array([[-0.5, 0, 0, 3], [0, 0.5, 0, -2], [0, 0, 0.75, 1], [0, 0, 0, 1]])
NAN, INF = float("nan"), float("inf")
_DIM, _DATATYPE, _BITPIX, _PIXDIM, _OFFSET, _SLOPE, _CODES, _QUATERNION, _SFORM = (
    40,
    70,
    72,
    76,
    108,
    112,
    252,
    256,
    280,
)
_VOXELS_AT = 352


def sound(voxels: np.ndarray = VOXELS) -> bytes:
    """A NIfTI-1 file whose sform and qform agree, by nibabel."""
    image = nib.Nifti1Image(voxels, AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(AFFINE, 1)
    image.set_sform(AFFINE, 1)
    return image.to_bytes()


def plain(folder: Path) -> Path:
    """A sound file."""
    return written(folder, sound())


def packed(folder: Path) -> Path:
    """A sound file, compressed."""
    return written(folder, gzip.compress(sound()), "brain.nii.gz")


def written(folder: Path, content: bytes, name: str = "brain.nii") -> Path:
    """A file of that content."""
    (folder / name).write_bytes(content)
    return folder / name


def patched(*patches: tuple[int, bytes]) -> bytes:
    """The sound file with other bytes at some places."""
    content = bytearray(sound())
    for at, new in patches:
        content[at : at + len(new)] = new
    return bytes(content)


NIFTI = Good("nifti", plain, {"brain": STORED})
PACKED = Good("nifti, packed", packed, {"brain": STORED})


def lying(name: str, because: str, *patches: tuple[int, bytes], names: str = "") -> None:
    """A case of a header with other bytes, which is refused."""
    hostile(f"nifti: {name}", Refused(because, names), NIFTI)(lambda folder: written(folder, patched(*patches)))


def floats(*numbers: float) -> bytes:
    """As a header has them."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


def shorts(*numbers: int) -> bytes:
    """As a header has them."""
    return struct.pack(f"<{len(numbers)}h", *numbers)


lying("NaN in the sform", "the sform has a number that is not finite", (_SFORM, floats(NAN)))
lying("infinite sform", "the sform has a number that is not finite", (_SFORM + 16, floats(INF)))
lying("singular sform", "the sform is singular", (_SFORM, floats(*[1, 2, 3, 4] * 3)))
lying("NaN in the qform", "the qform", (_QUATERNION, floats(NAN, NAN, NAN)), (_CODES, shorts(1, 0)))
lying("no rotation in the qform", "the qform is no rotation", (_QUATERNION, floats(3, 3, 3)), (_CODES, shorts(1, 0)))
lying("negative dimensions", "declares the dimensions (4, -5, 6", (_DIM, shorts(3, 4, -5, 6)))
lying("no voxel along an axis", "declares the dimensions", (_DIM, shorts(3, 4, 0, 6)))
lying("seven dimensions of 32767", "more than three of space", (_DIM, shorts(7, *[32767] * 7)))
lying("five dimensions of 32767", "can't hold them", (_DIM, shorts(4, *[32767] * 4, 1, 1, 1)))
lying("200 dimensions", "declares 200 dimensions", (_DIM, shorts(200)))
lying("more voxels than the file has", "is truncated", (_DIM, shorts(3, 400, 5, 6)))
lying("voxel size of nothing and no map", "--voxel-size", (_PIXDIM + 4, floats(0, 0, 0)), (_CODES, shorts(0, 0)),
      names="brain")  # fmt: skip
lying("negative voxel size and no map", "--voxel-size", (_PIXDIM + 4, floats(-1, 1, 1)), (_CODES, shorts(0, 0)),
      names="brain")  # fmt: skip
lying("voxels at byte NaN", "puts the voxels at byte nan", (_OFFSET, floats(NAN)))
lying("voxels within the header", "within the header", (_OFFSET, floats(16)))
lying("voxels behind the file's end", "is truncated", (_OFFSET, floats(1e9)))
lying("slope NaN", "scales values by nan", (_SLOPE, floats(NAN, 0)))
lying("slope infinite", "scales values by inf", (_SLOPE, floats(INF, 0)))
lying("intercept NaN", "no intercept", (_SLOPE, floats(2, NAN)))
lying("bits against type", "says 8 bits a voxel and a data type of 16 bits", (_BITPIX, shorts(8)))
lying("a type that isn't one", "names the data type 999", (_DATATYPE, shorts(999)))
lying("complex numbers", "complex numbers", (_DATATYPE, shorts(32)), (_BITPIX, shorts(64)))
lying(
    "sform against qform, left and right",
    "left and right differ",
    (_SFORM, floats(0.5)),
    names="brain",
)


def _axes_exchanged(folder: Path) -> Path:
    """The maps exchange the axes y and z, sides are agreed on."""
    rows = AFFINE.copy()
    rows[[1, 2]] = rows[[2, 1]]
    return written(folder, patched((_SFORM, floats(*rows[:3].ravel()))))


def _turned(folder: Path) -> Path:
    """The sform is turned a little about z, which no letter shows."""
    rows = AFFINE.copy()
    rows[:2, :2] = np.array([[0.9, -0.4359], [0.4359, 0.9]]) @ AFFINE[:2, :2]
    return written(folder, patched((_SFORM, floats(*rows[:3].ravel()))))


def _moved(folder: Path) -> Path:
    """The sform lies 57 mm further to the right."""
    return written(folder, patched((_SFORM + 12, floats(60))))


def without_map(folder: Path) -> Path:
    """Neither map counts."""
    return written(folder, patched((_CODES, shorts(0, 0))))


def _asked(name: str, because: str, flag: str, make: Callable[[Path], Path], *answers: tuple[str, ...]) -> None:
    """A case of something that only a person knows, and one of each answer, which brings it in."""
    hostile(f"nifti: {name}", Refused(because, names=flag), NIFTI)(make)
    for answer in answers:
        hostile(f"nifti: {name}, and a person says {' '.join(answer)}", Ingested(), NIFTI, answer)(make)


_SFORM_COUNTS, _QFORM_COUNTS, _NONE_COUNTS = ("--form", "sform"), ("--form", "qform"), ("--form", "none")
_asked("sform against qform, up and front", "their axes differ", "--orientation", _axes_exchanged, _SFORM_COUNTS,
       _QFORM_COUNTS, ("--orientation", "SAL"))  # fmt: skip
_asked("sform against qform, turned", "turn or scale the volume differently", "--form", _turned, _SFORM_COUNTS,
       _QFORM_COUNTS)  # fmt: skip
_asked("sform against qform, moved", "lie 57000 µm apart", "--form", _moved, _SFORM_COUNTS, _NONE_COUNTS)
_asked("no form code", "left and right are not known", "--orientation", without_map, ("--orientation", "SAL"),
       _NONE_COUNTS)  # fmt: skip


@hostile("nifti: voxel size against map", Ingested(said=("the map is taken",)), NIFTI)
def two_sizes(folder: Path) -> Path:
    """`pixdim` says what the sform doesn't, and no qform uses it."""
    return written(folder, patched((_PIXDIM + 4, floats(-7, 0, NAN)), (_CODES, shorts(0, 1))))


@hostile("nifti: cut within its header", Refused("of a format that Pulvinar reads"), NIFTI)
def only_a_start(folder: Path) -> Path:
    """Less than a header."""
    return written(folder, sound()[:200])


@hostile("nifti: cut within its voxels", Refused("is truncated"), NIFTI)
def cut(folder: Path) -> Path:
    """The last voxels are not there."""
    return written(folder, sound()[:-10])


@hostile("nifti: dimensions whose product overflows", Refused("can't hold them"), NIFTI)
def overflowing(folder: Path) -> Path:
    """NIfTI-2, whose dimensions are 64 bits: 2^40 x 2^40 x 2^40."""
    image = nib.Nifti2Image(VOXELS, AFFINE)
    content = bytearray(image.to_bytes())
    content[16 : 16 + 32] = struct.pack("<4q", 3, *[1 << 40] * 3)
    return written(folder, bytes(content))


@hostile("nifti: dimensions beyond belief", Refused("declares the dimensions"), NIFTI)
def unbelievable(folder: Path) -> Path:
    """NIfTI-2 of 2^62 voxels along an axis."""
    image = nib.Nifti2Image(VOXELS, AFFINE)
    content = bytearray(image.to_bytes())
    content[24:32] = struct.pack("<q", 1 << 62)
    return written(folder, bytes(content))


@hostile("nifti: truncated gz", Refused("its compressed stream is damaged"), PACKED)
def truncated_gz(folder: Path) -> Path:
    """The second half is not there."""
    content = gzip.compress(sound())
    return written(folder, content[: len(content) * 3 // 4], "brain.nii.gz")


@hostile("nifti: wrong checksum of a gz", Refused("its compressed stream is damaged"), PACKED)
def wrong_checksum(folder: Path) -> Path:
    """A bit of the CRC is flipped."""
    content = bytearray(gzip.compress(sound()))
    content[-8] ^= 1
    return written(folder, bytes(content), "brain.nii.gz")


@hostile("nifti: flipped voxel in a gz", Refused("its compressed stream is damaged"), PACKED)
def flipped_voxel(folder: Path) -> Path:
    """Stored, not deflated: the stream is whole, and one voxel another one."""
    content = bytearray(gzip.compress(sound(), compresslevel=0))
    content[10 + 5 + _VOXELS_AT + 20] ^= 64
    return written(folder, bytes(content), "brain.nii.gz")


@hostile("nifti: gz of another length than its trailer says", Refused("its compressed stream is damaged"), PACKED)
def wrong_length(folder: Path) -> Path:
    """The last four bytes."""
    content = bytearray(gzip.compress(sound()))
    content[-2] ^= 1
    return written(folder, bytes(content), "brain.nii.gz")


@hostile("nifti: gz bomb behind the voxels", Refused("holds more than"), PACKED)
def bomb(folder: Path) -> Path:
    """A sound start, then four gigabytes of zeros in four megabytes."""
    return written(folder, gzip_bomb(sound(), 4 << 30), "brain.nii.gz")


@hostile("nifti: gz that can't hold what it declares", Refused("can't hold them"), PACKED)
def too_small(folder: Path) -> Path:
    """Two terabytes in a few hundred bytes."""
    return written(folder, gzip.compress(patched((_DIM, shorts(3, *[10000] * 3)))), "brain.nii.gz")


@hostile("nifti: header of a pair without its voxels", Refused("brain.img is not in the submission"), NIFTI)
def half_of_a_pair(folder: Path) -> Path:
    """A `.hdr` alone; its neighbour outside the submission is not looked for."""
    (folder / "brain.img").write_bytes(sound()[_VOXELS_AT:])
    return written(folder, patched((344, b"ni1\0"))[:348] + bytes(4), "brain.hdr")


@hostile("nifti: markup in the description", Ingested(), NIFTI)
def markup(folder: Path) -> Path:
    """What a page shows must not run."""
    return written(folder, patched((148, b"<script>alert(1)</script>\r\nSet-Cookie: a=b\0")))
