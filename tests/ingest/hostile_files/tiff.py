"""TIFF and OME-TIFF: bombs, sets of files that reach elsewhere, pages that can't be."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import tifffile
from tests.ingest.hostile_files.bombs import zlib_bomb
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile

VOXELS = np.random.default_rng(2).integers(0, 60_000, (3, 32, 40)).astype(np.uint16)
FLAGS = ("--voxel-size", "2", "--axes", "zyx")
_WIDTH, _LENGTH, _ROWS_PER_STRIP, _OFFSETS, _COUNTS = 256, 257, 278, 273, 279
_SIZES = {3: 2, 4: 4, 16: 8}


def tiff_bytes(folder: Path, **how: object) -> bytes:
    """A sound stack, by tifffile; each plane is one strip."""
    path = folder / "sound.tif"
    how = {"photometric": "minisblack", "byteorder": "<", "rowsperstrip": 32, "metadata": None, **how}
    order = how.pop("byteorder")
    with tifffile.TiffWriter(path, byteorder=order) as writer:  # type: ignore[arg-type]
        for plane in VOXELS:
            writer.write(plane, **how)  # type: ignore[arg-type]
    content = path.read_bytes()
    path.unlink()
    return content


def put(folder: Path, content: bytes, name: str = "brain.tif") -> Path:
    """A file of that content."""
    (folder / name).write_bytes(content)
    return folder / name


def raw(folder: Path) -> Path:
    """A sound stack, as it is."""
    return put(folder, tiff_bytes(folder))


def deflated(folder: Path) -> Path:
    """A sound stack, compressed."""
    return put(folder, tiff_bytes(folder, compression="zlib"))


def ome(folder: Path) -> Path:
    """A sound OME-TIFF with lengths."""
    about = {"axes": "ZYX", "Name": "brain", **{f"PhysicalSize{axis}": 2.0 for axis in "XYZ"}}
    tifffile.imwrite(folder / "brain.ome.tif", VOXELS, ome=True, photometric="minisblack", metadata=about)
    return folder / "brain.ome.tif"


RAW = Good("tiff", raw, {"brain": VOXELS}, FLAGS)
DEFLATED = Good("tiff, deflated", deflated, {"brain": VOXELS}, FLAGS)
OME = Good("ome-tiff", ome, {"brain": VOXELS})


def entry_of(content: bytes, tag: int) -> int:
    """Where the entry of `tag` in the first page lies, of a little-endian classic TIFF."""
    (at,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, at)
    return next(at + 2 + 12 * n for n in range(count) if struct.unpack_from("<H", content, at + 2 + 12 * n)[0] == tag)


def patched(content: bytes, values: dict[int, int]) -> bytes:
    """`content` whose first page has other values, each as one LONG."""
    changed = bytearray(content)
    for tag, value in values.items():
        struct.pack_into("<HHII", changed, entry_of(content, tag), tag, 4, 1, value)
    return bytes(changed)


@hostile("tiff: cut within raw pages", Refused("truncated"), RAW)
def cut_raw(folder: Path) -> Path:
    """The last plane is not whole."""
    return put(folder, tiff_bytes(folder)[:-500])


@hostile("tiff: cut within packed pages", Refused("truncated"), DEFLATED)
def cut_packed(folder: Path) -> Path:
    """The last strip is not whole."""
    return put(folder, tiff_bytes(folder, compression="zlib")[:-500])


@hostile("tiff: cut within its header", Refused("damaged"), RAW)
def cut_header(folder: Path) -> Path:
    """Eight bytes and a half page."""
    return put(folder, tiff_bytes(folder)[:60])


@hostile("tiff: flipped bytes in a packed strip", Refused("damaged in strip or tile 1"), DEFLATED)
def flipped(folder: Path) -> Path:
    """zlib's own checksum notices."""
    content = bytearray(tiff_bytes(folder, compression="zlib"))
    with tifffile.TiffFile(put(folder, bytes(content))) as tif:
        at = tif.pages[0].dataoffsets[0]
    content[at + 100 : at + 104] = b"\xff\x00\xff\x00"
    return put(folder, bytes(content))


@hostile("tiff: no voxel size", Refused("--voxel-size", names="brain"), RAW, flags=("--axes", "zyx"))
def without_size(folder: Path) -> Path:
    """Nothing in it is a length."""
    return raw(folder)


@hostile("tiff: bomb of one strip of 40 GB", Refused("one packed strip or tile of it holds"), DEFLATED)
def bomb(folder: Path) -> Path:
    """A page of 200,000 x 100,000 pixels in a strip of some bytes."""
    sides = {_WIDTH: 200_000, _LENGTH: 100_000, _ROWS_PER_STRIP: 100_000}
    return put(folder, patched(tiff_bytes(folder, compression="zlib"), sides))


@hostile("tiff: strip that unpacks to more than its page", Refused("damaged in strip or tile 1"), DEFLATED)
def overfull(folder: Path) -> Path:
    """One gigabyte of zeros where 2,560 bytes belong."""
    content = tiff_bytes(folder, compression="zlib")
    stream = zlib_bomb(1 << 30)
    lying = patched(content, {_OFFSETS: len(content), _COUNTS: len(stream)})
    return put(folder, lying + stream)


@hostile("tiff: a strip that is not stored", Refused("strip or tile 1 is not stored"), DEFLATED)
def unstored(folder: Path) -> Path:
    """It lies nowhere and has no bytes: it would read as 0."""
    return put(folder, patched(tiff_bytes(folder, compression="zlib"), {_OFFSETS: 0, _COUNTS: 0}))


_WITHOUT_FIRST = VOXELS.copy()
_WITHOUT_FIRST[0] = 0


@hostile("tiff: a strip that is not stored, and a person says that it is empty", Ingested({"brain": _WITHOUT_FIRST}),
         DEFLATED, (*FLAGS, "--sparse"))  # fmt: skip
def sparse(folder: Path) -> Path:
    """Some writers leave out what is empty."""
    return unstored(folder)


@hostile("tiff: page without columns", Refused("brain.tif"), RAW)
def flat(folder: Path) -> Path:
    """A width of 0."""
    return put(folder, patched(tiff_bytes(folder), {_WIDTH: 0}))


@hostile("tiff: raw page of 4 billion columns", Refused("truncated"), RAW)
def wide(folder: Path) -> Path:
    """More than the file has by far."""
    return put(folder, patched(tiff_bytes(folder), {_WIDTH: (1 << 32) - 1, _LENGTH: (1 << 32) - 1}))


@hostile("tiff: strips behind the file's end", Refused("truncated"), DEFLATED)
def beyond(folder: Path) -> Path:
    """An offset of 4 GB."""
    return put(folder, patched(tiff_bytes(folder, compression="zlib"), {_OFFSETS: (1 << 32) - 100}))


@hostile("tiff: pages in a circle", Ingested({"brain": VOXELS[0]}, said=("breaks off behind page 1",)), RAW)
def circle(folder: Path) -> Path:
    """The first page's next page is itself."""
    content = bytearray(tiff_bytes(folder))
    (at,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, at)
    struct.pack_into("<I", content, at + 2 + 12 * count, at)
    return put(folder, bytes(content))


@hostile("tiff: BigTIFF of 2^60 tags", Refused("brain.tif"), RAW)
def many_tags(folder: Path) -> Path:
    """A header and a number."""
    return put(folder, b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 1 << 60) + bytes(64))


@hostile("tiff: ImageJ stack of a billion images", Ingested({"brain": VOXELS[0]}, said=("promises 1000000000",)), RAW)
def many_images(folder: Path) -> Path:
    """A description that promises more than the file has."""
    about = "ImageJ=1.54f\nimages=1000000000\nslices=1000000000\n"
    tifffile.imwrite(folder / "brain.tif", VOXELS[0], description=about, metadata=None, photometric="minisblack")
    return folder / "brain.tif"


# --- OME-XML ---

_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>{before}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0" Name="{name}"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="40" '
    'SizeY="32" SizeZ="{planes}" SizeC="1" SizeT="1" PhysicalSizeX="{side}" PhysicalSizeY="2" PhysicalSizeZ="2">'
    '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
)


def ome_with(folder: Path, name: str = "brain", file: str = "brain.ome.tif", **about: object) -> Path:
    """An OME-TIFF of the three planes whose XML is made here."""
    said = {"before": "", "name": name, "planes": 3, "side": 2, "data": "<TiffData/>", **about}
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    with tifffile.TiffWriter(path) as writer:
        for number, plane in enumerate(VOXELS):
            description = _XML.format(**said) if not number else None
            writer.write(plane, description=description, metadata=None, photometric="minisblack")
    return path


@hostile("ome-tiff: a billion planes", Refused("brain.ome.tif"), OME)
def many_planes(folder: Path) -> Path:
    """SizeZ of 1e9."""
    return ome_with(folder, planes=1_000_000_000)


@hostile("ome-tiff: entities of entities", Refused("defines entities"), OME)
def laughs(folder: Path) -> Path:
    """A billion laughs."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return ome_with(folder, before=f'<!DOCTYPE OME [<!ENTITY l0 "ha">{entities}]>', name="&l9;")


@hostile("ome-tiff: entity of a system's file", Refused("defines entities"), OME)
def outside_entity(folder: Path) -> Path:
    """A name from /etc/passwd."""
    return ome_with(folder, before='<!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]>', name="&x;")


@hostile("ome-tiff: side of NaN", Refused("--voxel-size", names="brain"), OME)
def no_side(folder: Path) -> Path:
    """PhysicalSizeX is no number."""
    return ome_with(folder, side="NaN")


def _set_of_two(folder: Path, other: str) -> Path:
    """A file that says its second and third plane lie in `other`, whose planes are secret."""
    planes = (
        '<TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID FileName="brain.ome.tif">urn:uuid:a</UUID></TiffData>'
        f'<TiffData FirstZ="1" IFD="0" PlaneCount="2"><UUID FileName="{other}">urn:uuid:b</UUID></TiffData>'
    )
    given = folder / "given"
    tifffile.imwrite(folder / "secret.ome.tif", np.full((3, 32, 40), 4242, "u2"), photometric="minisblack")
    return ome_with(folder, file="given/brain.ome.tif", data=planes) and given


@hostile("ome-tiff: names a neighbour's file", Ingested(said=("it is one of a set of 2 files",)), OME)
def neighbour(folder: Path) -> Path:
    """A file beside the folder that was handed in."""
    return _set_of_two(folder, "../secret.ome.tif")


@hostile("ome-tiff: names a file of the system", Ingested(said=("it is one of a set of 2 files",)), OME)
def system_file(folder: Path) -> Path:
    """An absolute name."""
    return _set_of_two(folder, str(folder / "secret.ome.tif"))


@hostile("ome-tiff: markup as its name", Ingested(), OME)
def markup(folder: Path) -> Path:
    """What a page shows must not run."""
    return ome_with(folder, name="&lt;img src=x onerror=alert(1)&gt;")


@hostile("tiff: strip of 256 MB in 256 kB", Ingested({"brain": np.zeros((8192, 32_768), np.uint8)}), DEFLATED)
def one_large_strip(folder: Path) -> Path:
    """Unusual, and right: a page of zeros in one strip."""
    tifffile.imwrite(folder / "small.tif", np.zeros((32, 32), "u1"), compression="zlib", metadata=None)
    content = (folder / "small.tif").read_bytes()
    (folder / "small.tif").unlink()
    stream = zlib_bomb(8192 * 32_768)
    sides = {_WIDTH: 32_768, _LENGTH: 8192, _ROWS_PER_STRIP: 8192}
    return put(folder, patched(content, {**sides, _OFFSETS: len(content), _COUNTS: len(stream)}) + stream)
