"""Vaa3D's raw volumes: plain (.v3draw, .raw) and packed by differences and runs (.v3dpbd).

A header of 43 bytes (35 in old files): 24 letters, "L" or "B" for the order of bytes, the bytes of a value, and the
sizes along x, y, z and channel; then the voxels, x fastest. No length and no direction is said. Sources: Vaa3D's own
loaders; how the packing works is written in `pbd`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import ClassVar

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    SourceFile,
)
from pulvinar.ingest.readers.frames import settle, size_of_sides, unknown_orientation
from pulvinar.ingest.readers.pbd import MOST_PACKED, unpack_pbd
from pulvinar.ingest.readers.raw_volume import (
    RawLayout,
    RawVolume,
    check_room,
    check_shape,
    component_channels,
    described,
    name_findings,
)
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.model.dataset import AssetKind

_PLAIN, _PACKED = b"raw_image_stack_by_hpeng", b"v3d_volume_pkbitdf_encod"
_DTYPES = {1: "u1", 2: "u2", 4: "f4"}
_SIZES_AT = 27


class Vaa3dReader:
    """Reads plain volumes by window where they lie, packed ones from a scratch file."""

    name: ClassVar[str] = "vaa3d"
    priority: ClassVar[int] = 240

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file."""
        for file in files:
            if file.head.startswith((_PLAIN, _PACKED)):
                yield _asset(file, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily; a packed volume is unpacked into `scratch` first."""
        assert asset.volume is not None
        name = asset.files[0]
        path = root / name
        with path.open("rb") as opened:
            head = opened.read(4096)
        layout = _layout(head, path.stat().st_size, name)
        if head.startswith(_PACKED):
            start, path = path, scratch / "unpacked"
            layout = unpack_pbd(start, path, layout, name)
        return RawVolume(path, layout, asset.volume.dtype, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _layout(head: bytes, size_bytes: int, name: str) -> RawLayout:
    """How the voxels lie, or will once they are unpacked; raises `UnreadableFile` for what can't be."""
    order = {b"L": "<", b"B": ">"}.get(head[24:25])
    if order is None or len(head) < _SIZES_AT + 16:
        raise UnreadableFile(f"{name} is damaged: its header says neither L nor B", hint="copy the file again")
    (width,) = struct.unpack_from(f"{order}h", head, 25)
    is_packed = head.startswith(_PACKED)
    if width not in _DTYPES or (is_packed and width == 4):
        raise UnreadableFile(f"{name}: its header declares values of {width} bytes", hint="save it again with Vaa3D")
    forms = [f"{order}4i"] if is_packed else [f"{order}4i", f"{order}4h"]
    found = [(struct.unpack_from(form, head, _SIZES_AT), _SIZES_AT + struct.calcsize(form)) for form in forms]
    # old files have sizes of two bytes each, which shows in the file's length alone
    fits = [pair for pair in found if min(pair[0]) > 0 and pair[1] + prod(pair[0]) * width == size_bytes]
    (x, y, z, c), offset = (fits or found)[0]
    check_shape((c, z, y, x), name)
    layout = RawLayout((1, c, z, y, x), f"{order}{_DTYPES[width]}", offset)
    if not is_packed:
        check_room(size_bytes, layout, "", name)
    elif layout.size_bytes > MOST_PACKED * (size_bytes - offset):
        raise UnreadableFile(
            f"{name} is truncated: its header declares {layout.size_bytes} bytes, its {size_bytes} bytes can't hold "
            "them",
            hint="copy the file again, or repair its header",
        )
    return layout


def _asset(file: SourceFile, options: Options) -> FoundAsset:
    layout = _layout(file.head, file.size_bytes, file.name)
    size_um, findings = size_of_sides({}, layout.shape[2], options)
    size_um, affine_um = settle(size_um, None, layout.shape[2:], options)
    stem = stem_of(file.name)
    return FoundAsset(
        Vaa3dReader.name,
        key=file.name,
        name=stem,
        kind=AssetKind.VOLUME,
        files=(file.name,),
        volume=described(
            layout,
            options.kind,
            voxel_size_um=size_um,
            affine_um=affine_um,
            channels=component_channels(layout.shape[1], file.name),
        ),
        findings=(*findings, *unknown_orientation(options), *name_findings(stem, options)),
        metadata={"header": {"stored_dtype": layout.dtype, "packed": file.head.startswith(_PACKED)}},
    )
