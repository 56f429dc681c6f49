"""Analyze 7.5: a header `.hdr` of 348 bytes without a magic, and its voxels in the `.img` beside it.

The format does not say where left and right are: programs have read the same file in both ways, so nothing is assumed.
SPM keeps a scale in an unused field. Sources: the ANALYZE 7.5 file format of the Mayo Clinic (dbh.h); nifti1.h, which
keeps its fields; SPM99's use of them as nibabel documents it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import Finding, FoundAsset, GeometryData, OpenVolume, Options, Severity, SourceFile
from pulvinar.ingest.readers.frames import settle
from pulvinar.ingest.readers.nifti import version_of
from pulvinar.ingest.readers.raw_volume import (
    RawLayout,
    RawVolume,
    check_room,
    check_shape,
    described,
    name_findings,
    trailer_doubts,
)
from pulvinar.ingest.readers.streams import compression, plain_file, stem_of
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Triple

_SIZE = 348
_DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 130: "i1", 132: "u2", 136: "u4"}
_REFUSED = {0: "values of an unknown type", 1: "single bits", 32: "complex numbers", 128: "colours"}
_BITS = {"u1": 8, "i1": 8, "i2": 16, "u2": 16, "i4": 32, "u4": 32, "f4": 32, "f8": 64}
_IMAGES = (".img", ".img.gz", ".IMG")


@dataclass(frozen=True)
class _Header:
    """The fields that are used; `sizes` and `steps` along x, y, z, t."""

    order: str
    sizes: tuple[int, int, int, int]
    steps: tuple[float, float, float, float]
    dtype: str
    offset: int
    scale: float
    description: str

    @property
    def layout(self) -> RawLayout:
        """How the voxels lie."""
        x, y, z, t = self.sizes
        return RawLayout((t, 1, z, y, x), self.order + self.dtype, self.offset, slope=self.scale)


class AnalyzeReader:
    """Reads volumes and time series of real numbers."""

    name: ClassVar[str] = "analyze"
    priority: ClassVar[int] = 310

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a pair of files; raises `UnreadableFile` for a header that can't be right."""
        by_name = {file.name: file for file in files}
        for file in files:
            order = _order(file)
            if not order:
                continue
            data = _data_file(file, by_name)
            if data is not None:
                yield self._found(file, data, by_name, options)
            elif _is_certain(file.head, order):
                raise UnreadableFile(
                    f"{file.name} is the header of a pair; {_stem(file.name)}.img is not in the submission",
                    hint="hand in both files together",
                )

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open by positioned reads; a compressed file is unpacked into `scratch` first, and its checksum checked."""
        assert asset.volume is not None
        head, name = (root / asset.files[0]).read_bytes()[:_SIZE], asset.files[1]
        layout = _parse(head, "<" if head[:4] == struct.pack("<i", _SIZE) else ">", asset.files[0])[0].layout
        path = plain_file(root / name, scratch, layout.offset + layout.size_bytes, name)
        return RawVolume(path, layout, asset.volume.dtype, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")

    def _found(
        self, file: SourceFile, data: SourceFile, by_name: dict[str, SourceFile], options: Options
    ) -> FoundAsset:
        header, findings = _parse(file.head, _order(file), file.name)
        layout, packed = header.layout, compression(data.head)
        check_room(data.size_bytes, layout, packed, data.name)
        size_um = _size(header, options, findings)
        if not options.orientation:
            text = "Analyze does not say where left and right are: they are not known"
            findings.append(Finding(Severity.DOUBT, text, "--orientation"))
        if f"{_stem(file.name)}.mat" in by_name:
            text = "the .mat beside it, in which SPM says where it lies, is not read"
            findings.append(Finding(Severity.DOUBT, text, "--orientation"))
        size_um, affine_um = settle(size_um, None, layout.shape[2:], options)
        stem = stem_of(file.name)
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem,
            kind=AssetKind.VOLUME,
            files=(file.name, data.name),
            volume=described(
                layout,
                options.kind,
                voxel_size_um=size_um,
                affine_um=affine_um,
                time_step_s=_time_step(header, options, findings),
            ),
            findings=(*findings, *trailer_doubts(data.path, layout, packed), *name_findings(stem, options)),
            metadata={"header": {"description": header.description, "scale": header.scale}},
        )


def _order(file: SourceFile) -> str:
    """The byte order of a header that may be Analyze's; "" for another file."""
    head = file.head
    if file.size_bytes not in (_SIZE, _SIZE + 4) or version_of(head):
        return ""
    for order in "<>":
        size, dimensions = struct.unpack_from(f"{order}i", head)[0], struct.unpack_from(f"{order}h", head, 40)[0]
        if size == _SIZE and 1 <= dimensions <= 7:
            return order
    return ""


def _is_certain(head: bytes, order: str) -> bool:
    """Whether it can be nothing else, also without voxels beside it."""
    datatype, bits = struct.unpack_from(f"{order}2h", head, 70)
    return datatype in _DTYPES and bits == _BITS[_DTYPES[datatype]]


def _stem(name: str) -> str:
    folder, _, last = name.rpartition("/")
    stem = last.rpartition(".")[0] or last
    return f"{folder}/{stem}" if folder else stem


def _data_file(file: SourceFile, by_name: dict[str, SourceFile]) -> SourceFile | None:
    return next((by_name[_stem(file.name) + end] for end in _IMAGES if _stem(file.name) + end in by_name), None)


def _parse(head: bytes, order: str, name: str) -> tuple[_Header, list[Finding]]:
    findings: list[Finding] = []
    count, *sizes = struct.unpack_from(f"{order}8h", head, 40)
    datatype, bits = struct.unpack_from(f"{order}2h", head, 70)
    pixdim = struct.unpack_from(f"{order}8f", head, 76)
    offset, scale = struct.unpack_from(f"{order}2f", head, 108)
    padded = [*sizes[:count], *[1] * (7 - count)]
    x, y, z, t = padded[:4]
    if any(size > 1 for size in padded[4:]):
        raise UnreadableFile(f"{name} has the dimensions {sizes[:count]}: more than three of space and one of time")
    # many programs write a fourth axis of 0 for a single volume
    shape = (max(t, 1) if t >= 0 else t, max(z, 1) if z >= 0 else z, y, x)
    check_shape(shape, name)
    if datatype in _REFUSED:
        raise UnreadableFile(f"{name} holds {_REFUSED[datatype]}", hint="save it as real numbers, or as NIfTI")
    if datatype not in _DTYPES:
        raise UnreadableFile(f"{name}: its header names the data type {datatype}, which Analyze doesn't have")
    dtype = _DTYPES[datatype]
    if bits not in (0, _BITS[dtype]):
        raise UnreadableFile(
            f"{name}: its header says {bits} bits a voxel and a data type of {_BITS[dtype]} bits",
            hint="repair bitpix or datatype in the header",
        )
    if not math.isfinite(offset) or offset < 0 or offset != int(offset) or offset > 1 << 40:
        raise UnreadableFile(f"{name}: its header puts the voxels at byte {offset:g}", hint="repair vox_offset")
    if not math.isfinite(scale) or scale == 0:
        scale = 1.0
    elif scale != 1:
        text = f"its header has a scale of {scale:g} where SPM keeps it: its values are multiplied by that"
        findings.append(Finding(Severity.DOUBT, text))
    description = head[148:228].split(b"\0")[0].decode("utf-8", "replace")
    steps = (pixdim[1], pixdim[2], pixdim[3], pixdim[4])
    return _Header(order, (x, y, shape[1], shape[0]), steps, dtype, int(offset), scale, description), findings


def _size(header: _Header, options: Options, findings: list[Finding]) -> Triple | None:
    """The voxel size; some programs write lengths with a minus where they mean a direction."""
    x, y, z = header.steps[:3]
    if all(math.isfinite(step) and step != 0 for step in (x, y, z)):
        if min(x, y, z) < 0:
            text = f"the header's voxel size is {x:g} x {y:g} x {z:g}: the signs are left out"
            findings.append(Finding(Severity.DOUBT, text, "--orientation"))
        if options.voxel_size_um is None:
            findings.append(Finding(Severity.NOTE, "Analyze has no unit of length: mm is assumed", "--voxel-size"))
        return float(f"{abs(z) * 1e3:.7g}"), float(f"{abs(y) * 1e3:.7g}"), float(f"{abs(x) * 1e3:.7g}")
    if options.voxel_size_um is None:
        text = f"the header's voxel size is {x:g} x {y:g} x {z:g}, which can't be"
        findings.append(Finding(Severity.QUESTION, text, "--voxel-size"))
    return None


def _time_step(header: _Header, options: Options, findings: list[Finding]) -> float | None:
    """The time step: the format has a field for it and no unit, and few programs fill it."""
    if options.time_step_s is not None or header.sizes[3] == 1:
        return options.time_step_s
    step = header.steps[3]
    if not math.isfinite(step) or step <= 0:
        findings.append(Finding(Severity.DOUBT, f"the header's time step is {step:g}: it is not known", "--time-step"))
        return None
    findings.append(Finding(Severity.DOUBT, f"the time step {step:g} has no unit: s is assumed", "--time-step"))
    return float(f"{step:.7g}")
