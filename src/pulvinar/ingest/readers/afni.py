"""AFNI: a header of text, `.HEAD`, and its voxels in the `.BRIK` beside it.

The file's voxels (i, j, k, sub-brick) with i fastest are the array (t, c, z, y, x) with x = i, y = j, z = k. Sub-bricks
are time points where the header has a time axis, channels else. Source: AFNI's README.attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import Finding, FoundAsset, GeometryData, OpenVolume, Options, Severity, SourceFile
from pulvinar.ingest.readers.afni_header import AfniHeader, is_afni, parse_header
from pulvinar.ingest.readers.frames import check_matrix, sar_from_ras, settle, voxel_size
from pulvinar.ingest.readers.raw_volume import (
    MOST_CHANNELS,
    RawLayout,
    RawVolume,
    check_room,
    check_shape,
    described,
    name_findings,
    trailer_doubts,
)
from pulvinar.ingest.readers.streams import compression, plain_file
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel

_MOST_HEADER = 64 << 20
_ENDING = ".HEAD"
_BRICKS = (".BRIK", ".BRIK.gz", ".BRIK.bz2")
_DTYPES = {0: "u1", 1: "i2", 3: "f4"}
_REFUSED = {5: "complex numbers", 6: "colours"}
_UM_PER_MM = 1e3


class AfniReader:
    """Reads volumes, time series and buckets of real numbers."""

    name: ClassVar[str] = "afni"
    priority: ClassVar[int] = 310

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a pair of files; raises `UnreadableFile` for a header that can't be right."""
        by_name = {file.name: file for file in files}
        for file in files:
            if not (file.name.endswith(_ENDING) and is_afni(file.head)):
                continue
            stem = file.name.removesuffix(_ENDING)
            data = next((by_name[stem + end] for end in _BRICKS if stem + end in by_name), None)
            if data is None:
                raise UnreadableFile(
                    f"{file.name} is the header of a pair; {stem}.BRIK is not in the submission",
                    hint="hand in both files together",
                )
            yield self._found(file, data, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open by positioned reads; a compressed file is unpacked into `scratch` first, and its checksum checked."""
        assert asset.volume is not None
        header, name = _header(root / asset.files[0], asset.files[0]), asset.files[1]
        layout = _layout(header, asset.files[0])
        path = plain_file(root / name, scratch, layout.size_bytes, name)
        factors = _factors(header)
        if len(set(factors)) == 1:
            return RawVolume(path, layout, asset.volume.dtype, name)
        stored = RawVolume(path, replace(layout, slope=1.0), np.dtype(layout.dtype).newbyteorder("=").name, name)
        return _Scaled(stored, factors, layout)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")

    def _found(self, file: SourceFile, data: SourceFile, options: Options) -> FoundAsset:
        header = _header(file.path, file.name)
        layout, packed = _layout(header, file.name), compression(data.head)
        check_room(data.size_bytes, layout, packed, data.name)
        findings: list[Finding] = []
        ras_mm = header.ras_mm()
        matrix = None if ras_mm is None else check_matrix(sar_from_ras(ras_mm, _UM_PER_MM), file.name, "its map")
        if matrix is None and not options.orientation:
            text = "the header does not say where it lies: left and right are not known"
            findings.append(Finding(Severity.DOUBT, text, "--orientation"))
        size_um, affine_um = settle(None if matrix is None else voxel_size(matrix), matrix, layout.shape[2:], options)
        if size_um is None:
            findings.append(Finding(Severity.QUESTION, "the header has no voxel size", "--voxel-size"))
        stem = file.name.rpartition("/")[2].removesuffix(_ENDING)
        scaled = len(set(_factors(header))) > 1
        volume = described(
            layout,
            options.kind,
            voxel_size_um=size_um,
            affine_um=affine_um,
            channels=_channels(header, layout, file.name),
            time_step_s=_time_step(header, layout, options, findings),
        )
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem,
            kind=AssetKind.VOLUME,
            files=(file.name, data.name),
            volume=volume,
            findings=(*findings, *trailer_doubts(data.path, layout, packed), *name_findings(stem, options)),
            metadata={"header": {"space": header.text("TEMPLATE_SPACE"), "scaled by sub-brick": scaled}},
        )


class _Scaled:
    """An `OpenVolume` whose sub-bricks have factors of their own."""

    def __init__(self, stored: RawVolume, factors: Sequence[float], layout: RawLayout) -> None:
        self._stored = stored
        self._factors = np.array(factors)
        self._axis = 0 if layout.shape[0] > 1 else 1
        self._dtype = np.dtype(layout.dtype).newbyteorder("=")

    def read_into(self, window: Window, out: np.ndarray[Any, Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        stored = np.empty(window.shape, self._dtype)
        self._stored.read_into(window, stored)
        factors = self._factors[window.slices[self._axis]].astype(out.dtype)
        np.multiply(stored, factors.reshape([-1 if axis == self._axis else 1 for axis in range(5)]), out=out)

    def close(self) -> None:
        """Let go of the file."""
        self._stored.close()


def _header(path: Path, name: str) -> AfniHeader:
    if path.stat().st_size > _MOST_HEADER:
        raise UnreadableFile(f"{name} is too long for a header", hint="take out its history")
    return parse_header(path.read_text("latin-1"), name)


def _layout(header: AfniHeader, name: str) -> RawLayout:
    """How the voxels lie. Its slope is that of all sub-bricks, and one that is not 1 where each has its own."""
    sizes, ranks = header.whole("DATASET_DIMENSIONS")[:3], header.whole("DATASET_RANK")
    if len(sizes) < 3 or len(ranks) < 2 or ranks[0] != 3:
        raise UnreadableFile(f"{name}: its header does not say how many voxels there are", hint="copy the file again")
    (x, y, z), bricks = sizes, ranks[1]
    has_time = bool(header.whole("TAXIS_NUMS"))
    shape = (bricks, 1, z, y, x) if has_time else (1, bricks, z, y, x)
    check_shape(shape, name)
    kinds = set(header.whole("BRICK_TYPES")[:bricks]) or {1}
    if len(kinds) > 1 or not kinds <= set(_DTYPES):
        told = ", ".join(_REFUSED.get(kind, f"the type {kind}") for kind in sorted(kinds - set(_DTYPES)))
        raise UnreadableFile(f"{name}: its sub-bricks hold {told or 'numbers of several types'}", hint="convert it")
    order = {"LSB_FIRST": "<", "MSB_FIRST": ">"}.get(header.text("BYTEORDER_STRING"))
    if order is None:
        raise UnreadableFile(f"{name}: its header does not say the order of bytes", hint="repair it by 3drefit")
    factors = _factors(header)
    if not np.isfinite(factors).all():
        raise UnreadableFile(f"{name}: its sub-bricks have factors that are no numbers", hint="repair it by 3drefit")
    slope = factors[0] if len(set(factors)) == 1 else 0.0
    return RawLayout(shape, order + _DTYPES[kinds.pop()], slope=slope)


def _factors(header: AfniHeader) -> list[float]:
    """What the stored numbers of each sub-brick are multiplied by; 0 stands for none."""
    bricks = header.whole("DATASET_RANK")[1]
    said = [factor or 1.0 for factor in header.floats("BRICK_FLOAT_FACS")[:bricks]]
    return said if len(said) == bricks else [1.0]


def _channels(header: AfniHeader, layout: RawLayout, name: str) -> tuple[Channel, ...]:
    count = layout.shape[1]
    if count == 1:
        return ()
    if count > MOST_CHANNELS:
        raise UnreadableFile(f"{name}: its header declares {count} sub-bricks, {MOST_CHANNELS} are read")
    labels = [*header.texts("BRICK_LABS")[:count], *[""] * count]
    return tuple(Channel(labels[index] or f"sub-brick {index}", "") for index in range(count))


def _time_step(header: AfniHeader, layout: RawLayout, options: Options, findings: list[Finding]) -> float | None:
    if options.time_step_s is not None or layout.shape[0] == 1:
        return options.time_step_s
    step_s = header.time_step_s()
    if step_s is None:
        text = f"its {layout.shape[0]} time points have no step that is known"
        findings.append(Finding(Severity.DOUBT, text, "--time-step"))
    return step_s
