"""MGH and MGZ: FreeSurfer's volumes.

The file's voxels (i, j, k, frame) with i fastest are the array (t, c, z, y, x) with x = i, y = j, z = k. Source:
FreeSurfer's description of the MGH format (a big-endian header of 284 bytes, voxels, a footer of four floats).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import Finding, FoundAsset, GeometryData, OpenVolume, Options, Severity, SourceFile
from pulvinar.ingest.readers.frames import Matrix, check_matrix, sar_from_ras, settle, voxel_size
from pulvinar.ingest.readers.raw_volume import RawLayout, RawVolume, check_room, check_shape, described, name_findings
from pulvinar.ingest.readers.streams import compression, plain_name, start_of, stem_of, unpack, unpacked
from pulvinar.model.dataset import AssetKind

_HEADER = struct.Struct(">7ih15f")
_OFFSET = 284
_DTYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
_UM_PER_MM = 1e3


@dataclass(frozen=True)
class _Header:
    layout: RawLayout
    has_frame: bool
    ras_mm: Matrix


class MghReader:
    """Reads volumes and series of frames."""

    name: ClassVar[str] = "mgh"
    priority: ClassVar[int] = 310

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file; raises `UnreadableFile` for a header that can't be right."""
        for file in files:
            head = start_of(file.head)
            if _is_mgh(head) or (head[:4] == b"\0\0\0\1" and plain_name(file.name).endswith((".mgh", ".mgz"))):
                yield self._found(file, head, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open by positioned reads; `.mgz` is unpacked into `scratch` first, and its checksum checked."""
        assert asset.volume is not None
        name = asset.files[0]
        path = root / name
        with path.open("rb") as file:
            raw = file.read(4096)
        layout = _parse(start_of(raw), name).layout
        if compression(raw):
            unpack(path, scratch / "voxels", layout.offset + layout.size_bytes, name)
            path = scratch / "voxels"
        return RawVolume(path, layout, asset.volume.dtype, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")

    def _found(self, file: SourceFile, head: bytes, options: Options) -> FoundAsset:
        header = _parse(head, file.name)
        check_room(file.size_bytes, header.layout, compression(file.head), file.name)
        findings: list[Finding] = []
        matrix = None
        if header.has_frame:
            matrix = check_matrix(sar_from_ras(header.ras_mm, _UM_PER_MM), file.name, "its map to the world")
        elif not options.orientation:
            text = "the header has no map to the world: left and right are not known"
            findings.append(Finding(Severity.DOUBT, text, "--orientation"))
        size_um, affine_um = settle(_size(header, matrix), matrix, header.layout.shape[2:], options)
        if size_um is None:
            findings.append(Finding(Severity.QUESTION, "the header's voxel size can't be", "--voxel-size"))
        step_s = _time_step(file, header.layout, options, findings)
        stem = stem_of(file.name)
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem,
            kind=AssetKind.VOLUME,
            files=(file.name,),
            volume=described(
                header.layout, options.kind, voxel_size_um=size_um, affine_um=affine_um, time_step_s=step_s
            ),
            findings=(*findings, *name_findings(stem, options)),
            metadata={"header": {"has_frame": header.has_frame}},
        )


def _is_mgh(head: bytes) -> bool:
    """The format has no magic: what is strange in anything else is looked at, down to the unused bytes."""
    if len(head) < _OFFSET or head[:4] != b"\0\0\0\1" or any(head[_HEADER.size : _OFFSET]):
        return False
    _, *sizes, code, _, has_frame = _HEADER.unpack_from(head)[:8]
    return code in _DTYPES and has_frame in (0, 1) and all(0 < size < 1 << 24 for size in sizes)


def _parse(head: bytes, name: str) -> _Header:
    if len(head) < _OFFSET:
        raise UnreadableFile(f"{name} is truncated: it ends within its header", hint="copy the file again")
    _, x, y, z, frames, code, _, has_frame, *numbers = _HEADER.unpack_from(head)
    if code not in _DTYPES:
        raise UnreadableFile(f"{name}: its header names the data type {code}, which is not one of MGH's")
    check_shape((frames, z, y, x), name)
    sizes, directions, centre = np.array(numbers[:3]), np.array(numbers[3:12]).reshape(3, 3).T, np.array(numbers[12:15])
    ras = np.eye(4)
    with np.errstate(invalid="ignore", over="ignore"):
        ras[:3, :3] = directions * sizes
        ras[:3, 3] = centre - ras[:3, :3] @ (np.array([x, y, z]) / 2)
    if not has_frame:
        ras[:3, :3] = np.diag(sizes)
    return _Header(RawLayout((frames, 1, z, y, x), _DTYPES[code], _OFFSET), bool(has_frame), ras)


def _size(header: _Header, matrix: Matrix | None) -> Any:
    if matrix is not None:
        return voxel_size(matrix)
    sizes = np.diag(header.ras_mm)[2::-1] * _UM_PER_MM
    return tuple(sizes.tolist()) if np.isfinite(sizes).all() and (sizes > 0).all() else None


def _time_step(file: SourceFile, layout: RawLayout, options: Options, findings: list[Finding]) -> float | None:
    """The repetition time of the footer, which lies behind the voxels; asked for only where there are frames."""
    if options.time_step_s is not None or layout.shape[0] == 1:
        return options.time_step_s
    with unpacked(file.path, file.name) as stream:
        left = layout.offset + layout.size_bytes
        while left and (piece := stream.read(min(left, 1 << 20))):
            left -= len(piece)
        footer = stream.read(4)
    step_ms = struct.unpack(">f", footer)[0] if len(footer) == 4 else 0.0
    if np.isfinite(step_ms) and step_ms > 0:
        return float(f"{step_ms / 1000:.7g}")
    text = f"its {layout.shape[0]} frames have no time step: they are taken as time points"
    findings.append(Finding(Severity.DOUBT, text, "--time-step"))
    return None
