"""Folders and names: what operating systems leave, names that deceive or steer a terminal, what is no data at all."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile
from tests.ingest.hostile_files.nifti import STORED, sound, written

_SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def folder_of(folder: Path, *names: str) -> Path:
    """A folder `given` of sound volumes."""
    (folder / "given").mkdir()
    for name in names:
        written(folder / "given", sound(), name)
    return folder / "given"


FOLDER = Good("folder", lambda folder: folder_of(folder, "brain.nii"), {"brain": STORED})


@hostile("names: what macOS leaves beside a file", Ingested(), FOLDER)
def apple_double(folder: Path) -> Path:
    """`._brain.nii.gz` has the name of a volume and isn't one."""
    given = folder_of(folder, "brain.nii")
    (given / "._brain.nii.gz").write_bytes(b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + bytes(100))
    (given / ".DS_Store").write_bytes(bytes(100))
    return given


@hostile("names: one name in NFC and in NFD", Ingested({"Gr\u00f6\u00dfe": STORED, "Gro\u0308\u00dfe": STORED}), FOLDER)
def two_forms(folder: Path) -> Path:
    """To the eye they are one; they are two files, and both come in."""
    return folder_of(folder, "Gr\u00f6\u00dfe.nii", "Gro\u0308\u00dfe.nii")


@hostile("names: right to left", Ingested({"brain\u202eiin": STORED}), FOLDER)
def right_to_left(folder: Path) -> Path:
    """A terminal would show another ending."""
    return folder_of(folder, "brain\u202eiin.nii")


@hostile("names: control characters", Ingested({"brain\x1b[2J\r": STORED}), FOLDER)
def control(folder: Path) -> Path:
    """They would clear a screen."""
    return folder_of(folder, "brain\x1b[2J\r.nii")


@hostile("names: markup", Ingested({"<img src=x onerror=alert(1)>": STORED}), FOLDER)
def markup(folder: Path) -> Path:
    """They would run in a page."""
    return folder_of(folder, "<img src=x onerror=alert(1)>.nii")


@hostile("names: a name that is no UTF-8", Refused("is no UTF-8 text", names="Gr"), FOLDER)
def latin(folder: Path) -> Path:
    """Latin-1, from an old disk."""
    given = folder_of(folder, "brain.nii")
    (Path(os.fsdecode(os.fsencode(given) + b"/Gr\xf6\xdfe.nii"))).write_bytes(sound())
    return given


@hostile("names: a name as long as a name can be", Ingested({"x" * 251: STORED}), FOLDER)
def long_name(folder: Path) -> Path:
    """255 letters with its ending."""
    return folder_of(folder, "x" * 251 + ".nii")


@hostile("names: a link to a file of the system", Ingested(), FOLDER)
def linked(folder: Path) -> Path:
    """A link is named and never followed."""
    given = folder_of(folder, "brain.nii")
    (given / "other.nii").symlink_to("/etc/passwd")
    (given / "above").symlink_to("..")
    return given


@hostile("names: a pipe", Ingested(), FOLDER)
def pipe(folder: Path) -> Path:
    """Whoever opens it waits for ever."""
    given = folder_of(folder, "brain.nii")
    os.mkfifo(given / "other.nii")
    return given


@hostile("names: a picture with a script beside the data", Ingested(), FOLDER)
def script(folder: Path) -> Path:
    """No data: it is named and left out."""
    given = folder_of(folder, "brain.nii")
    (given / "figure.svg").write_text(_SVG)
    (given / "notes.html").write_text("<script>alert(1)</script>")
    return given


@hostile("names: a picture with a script alone", Refused("of a format that Pulvinar reads"), FOLDER)
def only_script(folder: Path) -> Path:
    """Nothing of it is data."""
    (folder / "figure.svg").write_text(_SVG)
    return folder / "figure.svg"


@hostile("names: an empty file", Refused("empty"), FOLDER)
def empty(folder: Path) -> Path:
    """Not a byte."""
    (folder / "brain.nii").touch()
    return folder / "brain.nii"


@hostile("numpy: an array of pickled objects", Refused("objects.npy"), FOLDER)
def pickled(folder: Path) -> Path:
    """Loading it would run its code."""
    made = io.BytesIO()
    np.save(made, np.array([{"a": 1}], object), allow_pickle=True)
    return written(folder, made.getvalue(), "objects.npy")


@hostile("numpy: a shape of 1e15", Refused("huge.npy"), FOLDER)
def huge_array(folder: Path) -> Path:
    """A header and no numbers."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }".ljust(117) + b"\n"
    return written(folder, b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header, "huge.npy")
