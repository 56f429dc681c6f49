"""Archives: bombs, names that lead out, links, damage. The good ones hold a volume."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.ingest.hostile_files.bombs import gzip_bomb, xz_bomb, zlib_bomb
from tests.ingest.hostile_files.case import Good, Refused, hostile
from tests.ingest.hostile_files.nifti import STORED, sound, written


def tar_of(*members: tuple[str, bytes] | tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    """A tar of files, and of members made elsewhere."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
            content = b"" if isinstance(member, tarfile.TarInfo) else member[1]
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip of files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


BRAIN = ("brain.nii", sound())
_TAR, _ZIP = "brains.tar.gz", "brains.zip"
TAR = Good("tar.gz", lambda folder: written(folder, tar_of(BRAIN), _TAR), {"brain": STORED})
TAR_XZ = Good("tar.xz", lambda folder: written(folder, tar_of(BRAIN, mode="w:xz"), "brains.tar.xz"), {"brain": STORED})
ZIP = Good("zip", lambda folder: written(folder, zip_of(BRAIN), _ZIP), {"brain": STORED})


def _tar(name: str, because: str, *members: tuple[str, bytes] | tarfile.TarInfo) -> None:
    hostile(f"tar: {name}", Refused(because), TAR)(lambda folder: written(folder, tar_of(BRAIN, *members), _TAR))


def _zip(name: str, because: str, *members: tuple[str | zipfile.ZipInfo, bytes]) -> None:
    hostile(f"zip: {name}", Refused(because), ZIP)(lambda folder: written(folder, zip_of(BRAIN, *members), _ZIP))


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    """A member that is no file."""
    info = tarfile.TarInfo("other.nii")
    info.type, info.linkname = kind, target
    return info


def _symlink_in_zip() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("other.nii")
    info.external_attr = 0o120777 << 16
    return info


_tar("symlink to a file of the system", "is a link or a device", link(tarfile.SYMTYPE, "/etc/passwd"))
_tar("hard link to a file of the system", "is a link or a device", link(tarfile.LNKTYPE, "/etc/passwd"))
_tar("hard link to another member", "is a link or a device", link(tarfile.LNKTYPE, "brain.nii"))
_tar("device", "is a link or a device", link(tarfile.CHRTYPE, ""))
_tar("name that leads out", "leads out of the archive", ("../../outside.nii", sound()))
_tar("name from the root", "leads out of the archive", ("/outside.nii", sound()))
_tar("name that stands twice", "stands twice", ("./BRAIN.nii", sound()))
_tar("names in NFC and NFD", "stands twice", ("Gro\u0308\u00dfe.nii", sound()), ("Gr\u00f6\u00dfe.nii", sound()))
_zip("slip", "leads out of the archive", ("../../outside.nii", sound()))
_zip("name of a Windows disk", "leads out of the archive", ("C:/outside.nii", sound()))
_zip("symlink", "is a link or a device", (_symlink_in_zip(), b"/etc/passwd"))


def _spoiled(name: str, because: str, twin: Good, file: str, change: Callable[[], bytes]) -> None:
    hostile(name, Refused(because), twin)(lambda folder: written(folder, change(), file))


def _overlapping() -> bytes:
    """One packed body, and many entries that point at it."""
    whole = zip_of(("a.nii", bytes(10 << 20)))
    start = whole.index(b"PK\x01\x02")
    length = 46 + len("a.nii")
    entry, end = whole[start : start + length], bytearray(whole[start + length :])
    entries = b"".join(entry[:46] + bytes([97 + number]) + b".nii" for number in range(20))
    struct.pack_into("<HHI", end, 8, 20, 20, len(entries))
    return whole[:start] + entries + bytes(end)


def _declaring_little() -> bytes:
    whole = bytearray(zip_of(("zeros.nii", bytes(64 << 20))))
    struct.pack_into("<I", whole, whole.index(b"PK\x01\x02") + 24, 1000)
    struct.pack_into("<I", whole, whole.index(b"PK\x03\x04") + 22, 1000)
    return bytes(whole)


def _encrypted() -> bytes:
    whole = bytearray(zip_of(BRAIN))
    whole[whole.index(b"PK\x03\x04") + 6] |= 1
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    return bytes(whole)


def _flipped(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) * 3 // 4] ^= 16
    return bytes(changed)


def _endless_tar() -> bytes:
    info = tarfile.TarInfo("zeros.nii")
    info.size = 100 << 40
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


_spoiled("zip: members that overlap", "its members overlap", ZIP, _ZIP, _overlapping)
_spoiled("zip: bomb that declares little", "is damaged", ZIP, _ZIP, _declaring_little)
_spoiled("zip: encrypted", "is encrypted", ZIP, _ZIP, _encrypted)
_spoiled("zip: truncated", "is damaged", ZIP, _ZIP, lambda: zip_of(BRAIN)[:-40])
_spoiled("zip: flipped bit", "is damaged", ZIP, _ZIP, lambda: _flipped(zip_of(BRAIN)))
_spoiled("tar: truncated gz", "is damaged", TAR, _TAR, lambda: tar_of(BRAIN)[:-40])
_spoiled("tar: flipped bit in a gz", "is damaged", TAR, _TAR, lambda: _flipped(tar_of(BRAIN)))
_spoiled("tar: truncated xz", "is damaged", TAR_XZ, "brains.tar.xz", lambda: tar_of(BRAIN, mode="w:xz")[:-40])
_spoiled("tar: member of 100 TB", "bytes unpacked, more than the limit", TAR, "brains.tar", _endless_tar)


@hostile("zip: bomb", Refused("grows more than 250-fold"), ZIP)
def zip_bomb(folder: Path) -> Path:
    """Two gigabytes in two megabytes, as declared."""
    whole = bytearray(zip_of(("zeros.nii", zlib_bomb(2 << 30))))
    for signature, at in ((b"PK\x01\x02", 20), (b"PK\x03\x04", 18)):
        place = whole.index(signature)
        struct.pack_into("<II", whole, place + at, len(whole) - 1000, 2 << 30)
    return written(folder, bytes(whole), _ZIP)


@hostile("tar: gz bomb", Refused("grows more than 250-fold"), TAR)
def tar_bomb(folder: Path) -> Path:
    """A member of two gigabytes of zeros."""
    info = tarfile.TarInfo("zeros.nii")
    info.size = 2 << 30
    return written(folder, gzip_bomb(info.tobuf(), 2 << 30), _TAR)


@hostile("xz: bomb", Refused("grows more than 250-fold"), TAR_XZ)
def bomb_xz(folder: Path) -> Path:
    """An image of two gigabytes of zeros."""
    return written(folder, xz_bomb(b"II*\0" + bytes(600), 2 << 30), "brain.tif.xz")
