"""Philips PAR/REC: a header of text, `.PAR`, and the planes that it lists in the `.REC` beside it.

A plane's voxels (i, j) with i fastest are rows of (y, x) with x = i, y = j; z are its slices in the order of their
numbers. Dynamics and directions of diffusion are time points; where anything else differs between volumes (echoes,
kinds of image, phases of the heart) each is a channel. What is read are Philips's displayed values. The header is read
by nibabel, and so are order and place of the planes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
    VolumeDescription,
)
from pulvinar.ingest.readers.frames import check_matrix, regular_step, sar_from_ras, settle, voxel_size
from pulvinar.ingest.readers.raw_volume import (
    MOST_CHANNELS,
    RawLayout,
    RawVolume,
    check_room,
    check_shape,
    float_type,
    name_findings,
    put,
)
from pulvinar.ingest.readers.streams import compression, plain_file
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Shape5, VolumeKind

_ENDING = ".par"
_DATA = (".rec", ".rec.gz", ".rec.bz2")
_MARK = b"DATA DESCRIPTION FILE"
_MOST_HEADER = 64 << 20
_IN_TIME = {"dynamic scan number", "gradient orientation number", "diffusion b value number", "diffusion_b_factor"}
_UM_PER_MM = 1e3


class ParRecReader:
    """Reads volumes and series as Philips's scanners export them."""

    name: ClassVar[str] = "parrec"
    priority: ClassVar[int] = 320

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a pair of files; raises `UnreadableFile` for a header that can't be right."""
        by_name = {file.name.lower(): file for file in files}
        for file in files:
            if not (file.name.lower().endswith(_ENDING) and _MARK in file.head):
                continue
            stem = file.name[: -len(_ENDING)]
            data = next((by_name[stem.lower() + end] for end in _DATA if stem.lower() + end in by_name), None)
            if data is None:
                raise UnreadableFile(
                    f"{file.name} is the header of a pair; {stem}.REC is not in the submission",
                    hint="hand in both files together",
                )
            yield _found(self.name, file, data, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open by positioned reads; a compressed file is unpacked into `scratch` first, and its checksum checked."""
        assert asset.volume is not None
        planes, name = _Planes(root / asset.files[0], asset.files[0]), asset.files[1]
        return _PlaneVolume(plain_file(root / name, scratch, planes.stored.size_bytes, name), planes, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


class _Planes:
    """What a header says. `order`, `slopes` and `intercepts` have one number a (volume, slice): where its plane lies in
    the file, and what makes displayed values of stored ones."""

    def __init__(self, path: Path, name: str) -> None:
        if path.stat().st_size > _MOST_HEADER:
            raise UnreadableFile(f"{name} is too long for a header", hint="export it again")
        self.header = _parsed(path, name)
        x, y, z, *volumes = map(int, self.header.get_data_shape())
        count = volumes[0] if volumes else 1
        stored_planes = int(self.header.get_rec_shape()[2])
        check_shape((count, z, y, x), name)
        order = np.asarray(self.header.get_sorted_slice_indices(), np.int64)
        scales = [np.asarray(one, np.float64) for one in self.header.get_data_scaling("dv")]
        if order.size != count * z or any(one.size != count * z for one in scales) or order.max() >= stored_planes:
            raise UnreadableFile(f"{name}: its header lists other planes than it declares", hint="export it again")
        if not all(np.isfinite(one).all() for one in scales):
            raise UnreadableFile(f"{name}: a plane's scale is no number", hint="export it again")
        self.order = order.reshape(count, z)
        self.slopes, self.intercepts = (one.reshape(z, count, order="F").T for one in scales)
        self.dtype = np.dtype(self.header.get_data_dtype()).newbyteorder("<")
        self.native = self.dtype.newbyteorder("=")
        self.labels = {str(key): list(values) for key, values in self.header.get_volume_labels().items()}
        self.stored = RawLayout((1, 1, stored_planes, y, x), self.dtype.str)
        self.in_time = set(self.labels) <= _IN_TIME
        self.shape: Shape5 = (count, 1, z, y, x) if self.in_time else (1, count, z, y, x)

    @property
    def is_identity(self) -> bool:
        return bool((self.slopes == 1).all() and (self.intercepts == 0).all())

    def meaning_dtype(self, kind: VolumeKind | None) -> str:
        if kind is VolumeKind.LABELS and not self.is_identity:
            return "uint32"
        return self.native.name if self.is_identity else float_type(self.dtype).name

    def channels(self, name: str) -> tuple[Channel, ...]:
        count = self.shape[1]
        if count > MOST_CHANNELS:
            raise UnreadableFile(f"{name}: its header declares {count} kinds of volume, {MOST_CHANNELS} are read")
        if count == 1:
            return ()
        told = (", ".join(f"{key} {values[one]}" for key, values in self.labels.items()) for one in range(count))
        return tuple(Channel(text or f"volume {index + 1}", "") for index, text in enumerate(told))

    def time_step_s(self) -> float | None:
        begins = np.asarray(self.header.image_defs["dyn_scan_begin_time"], np.float64)
        return regular_step(begins[self.order[:, 0]]) if self.shape[0] > 1 else None


class _PlaneVolume:
    """An `OpenVolume` over the planes of a file, in the order and the scale that the header tells."""

    def __init__(self, path: Path, planes: _Planes, name: str) -> None:
        self._stored = RawVolume(path, planes.stored, planes.native.name, name)
        self._planes, self._name = planes, name

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        times, channels, slices, rows, columns = window.slices
        volumes = times if self._planes.in_time else channels
        goal = out[:, 0] if self._planes.in_time else out[0]
        stored = np.empty((1, 1, 1, *window.shape[3:]), self._planes.native)
        for place, volume in enumerate(range(volumes.start, volumes.stop)):
            for at, plane in enumerate(range(slices.start, slices.stop)):
                number = int(self._planes.order[volume, plane])
                start, stop = (0, 0, number, rows.start, columns.start), (1, 1, number + 1, rows.stop, columns.stop)
                self._stored.read_into(Window(start, stop), stored)
                values = stored[0, 0, 0]
                if not self._planes.is_identity:
                    values = values * self._planes.slopes[volume, plane] + self._planes.intercepts[volume, plane]
                put(values, goal[place, at], self._name)

    def close(self) -> None:
        """Let go of the file."""
        self._stored.close()


def _parsed(path: Path, name: str) -> Any:
    from nibabel.parrec import PARRECError, PARRECHeader

    try:
        with warnings.catch_warnings(action="ignore"):
            return PARRECHeader.from_fileobj(io.StringIO(path.read_text("latin-1")), strict_sort=True)
    except (PARRECError, ValueError, KeyError, IndexError, TypeError, OverflowError, AttributeError) as error:
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UnreadableFile(f"{name} is no whole PAR header: {said}", hint="export it again") from error


def _found(reader: str, file: SourceFile, data: SourceFile, options: Options) -> FoundAsset:
    planes = _Planes(file.path, file.name)
    check_room(data.size_bytes, planes.stored, compression(data.head), data.name)
    matrix = check_matrix(
        sar_from_ras(planes.header.get_affine(origin="scanner"), _UM_PER_MM), file.name, "the place of its planes"
    )
    size_um, affine_um = settle(voxel_size(matrix), matrix, planes.shape[2:], options)
    findings: list[Finding] = []
    step_s = options.time_step_s if options.time_step_s is not None else planes.time_step_s()
    if planes.shape[0] > 1 and step_s is None:
        text = f"its {planes.shape[0]} time points have no step that is known"
        findings.append(Finding(Severity.DOUBT, text, "--time-step"))
    stem = file.name.rpartition("/")[2][: -len(_ENDING)]
    volume = VolumeDescription(
        shape=planes.shape,
        dtype=planes.meaning_dtype(options.kind),
        block_shape=(1, 1, 1, *planes.shape[3:]),
        kind=options.kind,
        voxel_size_um=size_um,
        affine_um=affine_um,
        channels=planes.channels(file.name),
        time_step_s=step_s if planes.shape[0] > 1 else None,
    )
    general = planes.header.general_info
    said = {"ProtocolName": str(general.get("protocol_name", "")), "ScanningSequence": str(general.get("tech", ""))}
    return FoundAsset(
        reader,
        key=file.name,
        name=stem,
        kind=AssetKind.VOLUME,
        files=(file.name, data.name),
        volume=volume,
        findings=(*findings, *name_findings(stem, options)),
        metadata={"header": {key: value for key, value in said.items() if value}},
    )
