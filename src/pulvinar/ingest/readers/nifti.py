"""NIfTI-1 and NIfTI-2: `.nii`, `.nii.gz`, and pairs of `.hdr` and `.img`.

The file's voxels (i, j, k, t) with i fastest are the array (t, c, z, y, x) with x = i, y = j, z = k: nothing is
reordered. Its map to RAS+ millimetres becomes `affine_um`. Source: nifti1.h and nifti2.h of the NIfTI Data Format
Working Group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import Finding, FoundAsset, GeometryData, OpenVolume, Options, Severity, SourceFile
from pulvinar.ingest.readers.nifti_frame import Frame, nifti_frame, time_unit_s
from pulvinar.ingest.readers.raw_volume import (
    RawLayout,
    RawVolume,
    check_room,
    check_shape,
    component_channels,
    described,
    name_findings,
    trailer_doubts,
)
from pulvinar.ingest.readers.streams import compression, plain_name, start_of, stem_of, unpack
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Channel, VolumeKind

_DTYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
    128: "rgb", 2304: "rgba",
}  # fmt: skip
_REFUSED = {1: "single bits", 32: "complex numbers", 1792: "complex numbers", 2048: "complex numbers", 1536: "float128"}
_LABEL_INTENT = 1002
_DICOM_EXTENSION = 2
_SLICE_ORDERS = {1: "rising", 2: "falling", 3: "every second, rising", 4: "every second, falling"}
_SLICE_ORDERS |= {5: "every second, rising from the second", 6: "every second, falling from the last but one"}
_CIFTI_INTENTS = range(3000, 3100)


@dataclass(frozen=True)
class _Image:
    """What the header says of the file's voxels."""

    header: Any
    layout: RawLayout
    frame: Frame
    findings: tuple[Finding, ...]
    channels: tuple[Channel, ...]


class NiftiReader:
    """Reads volumes, time series and vector images; surfaces (CIFTI) and complex numbers are refused."""

    name: ClassVar[str] = "nifti"
    priority: ClassVar[int] = 300

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a file, or a pair of files; raises `UnreadableFile` for a header that can't be right."""
        by_name = {file.name: file for file in files}
        for file in files:
            head = start_of(file.head)
            if version_of(head):
                yield self._found(file, head, by_name, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open by positioned reads; a compressed file is unpacked into `scratch` first, and its checksum checked."""
        assert asset.volume is not None
        with (root / asset.files[0]).open("rb") as file:
            head = start_of(file.read(4096))
        image = _read_header(head, asset.name, options)
        name = asset.files[-1]
        path = root / name
        with path.open("rb") as file:
            packed = compression(file.read(16))
        if packed:
            target = scratch / "voxels"
            unpack(path, target, image.layout.offset + image.layout.size_bytes, name)
            path = target
        return RawVolume(path, image.layout, asset.volume.dtype, name)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")

    def _found(self, file: SourceFile, head: bytes, by_name: dict[str, SourceFile], options: Options) -> FoundAsset:
        image = _read_header(head, file.name, options)
        data = _data_file(file, head, by_name)
        check_room(data.size_bytes, image.layout, compression(data.head), data.name)
        kind = _kind(image, options)
        stem = stem_of(file.name)
        return FoundAsset(
            self.name,
            key=file.name,
            name=stem,
            kind=AssetKind.VOLUME,
            files=tuple(dict.fromkeys((file.name, data.name))),
            volume=described(
                image.layout,
                kind,
                voxel_size_um=image.frame.voxel_size_um,
                affine_um=image.frame.affine_um,
                channels=image.channels,
                time_step_s=image.frame.time_step_s,
            ),
            findings=(
                *image.findings,
                *image.frame.findings,
                *_label_findings(image, kind, stem, options),
                *_extension_doubts(head, image.layout.offset),
                *trailer_doubts(data.path, image.layout, compression(data.head)),
            ),
            metadata={"header": _summary(image)},
        )


def version_of(head: bytes) -> int:
    """1 or 2 for a NIfTI header, 0 for anything else."""
    for order in ("<i4", ">i4"):
        size = int(np.frombuffer(head[:4], order)[0]) if len(head) >= 4 else 0
        if size == 348 and head[344:348] in (b"n+1\0", b"ni1\0"):
            return 1
        if size == 540 and head[4:8] in (b"n+2\0", b"ni2\0"):
            return 2
    return 0


def _read_header(head: bytes, name: str, options: Options) -> _Image:
    header = _parse(head, name)
    findings: list[Finding] = []
    _refuse_others(header, name)
    shape7 = _dimensions(header, name)
    dtype = _stored_dtype(header, name, findings)
    channels, order, sizes = _axes(shape7, int(header["datatype"]), name, findings)
    slope, intercept = _scaling(header, name, findings)
    check_shape(sizes, name)
    layout = RawLayout(sizes, dtype, _offset(header, head, name, findings), order, slope, intercept)
    frame = nifti_frame(header, layout.shape, name, options)
    return _Image(header, layout, frame, tuple(findings), channels)


def _parse(head: bytes, name: str) -> Any:
    from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
    from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader

    single = b"+" in (head[4:8] if version_of(head) == 2 else head[344:348])
    if version_of(head) == 1:
        kind, size = (Nifti1Header if single else Nifti1PairHeader), 348
    else:
        kind, size = (Nifti2Header if single else Nifti2PairHeader), 540
    if len(head) < size:
        raise UnreadableFile(f"{name} is truncated: it ends within its header")
    order = "<" if int.from_bytes(head[:4], "little") == size else ">"
    return kind(head[:size], endianness=order, check=False)


def _refuse_others(header: Any, name: str) -> None:
    intent, datatype = int(header["intent_code"]), int(header["datatype"])
    if intent in _CIFTI_INTENTS:
        raise UnreadableFile(
            f"{name} is CIFTI-2: values on a surface and in a list of voxels, not a volume",
            hint="leave the file out, or convert what it holds to NIfTI volumes",
        )
    if datatype in _REFUSED:
        raise UnreadableFile(f"{name} holds {_REFUSED[datatype]}", hint="convert it to real numbers first")
    if datatype not in _DTYPES:
        raise UnreadableFile(f"{name}: its header names the data type {datatype}, which NIfTI doesn't have")


def _dimensions(header: Any, name: str) -> tuple[int, ...]:
    dim = [int(size) for size in header["dim"]]
    if not 1 <= dim[0] <= 7:
        raise UnreadableFile(f"{name}: its header declares {dim[0]} dimensions, NIfTI has 1 to 7")
    shape = (*dim[1 : dim[0] + 1], *[1] * (7 - dim[0]))
    check_shape(shape, name)
    return shape


def _stored_dtype(header: Any, name: str, findings: list[Finding]) -> str:
    code, bits = int(header["datatype"]), int(header["bitpix"])
    text = _DTYPES[code]
    expected = {"rgb": 24, "rgba": 32}.get(text) or np.dtype(text).itemsize * 8
    if bits != expected:
        if bits:
            raise UnreadableFile(
                f"{name}: its header says {bits} bits a voxel and a data type of {expected} bits",
                hint="repair bitpix or datatype in the header",
            )
        findings.append(Finding(Severity.NOTE, f"the header says 0 bits a voxel; its data type has {expected}"))
    return "u1" if text.startswith("rgb") else f"{header.endianness}{text}"


def _axes(
    shape: tuple[int, ...], datatype: int, name: str, findings: list[Finding]
) -> tuple[tuple[Channel, ...], str, tuple[int, int, int, int, int]]:
    x, y, z, t, c = shape[:5]
    if max(shape[5:]) > 1:
        raise UnreadableFile(f"{name} has the dimensions {shape}: more than three of space, time and one of values")
    if not _DTYPES[datatype].startswith("rgb"):
        if c > 1:
            findings.append(Finding(Severity.NOTE, f"its {c} values a voxel become {c} channels"))
        return component_channels(c, name), "ctzyx", (t, c, z, y, x)
    if c > 1:
        raise UnreadableFile(f"{name} has colours and a fifth dimension of {c}")
    colours = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"), ("alpha", "FFFFFF"))
    count = len(_DTYPES[datatype])
    return tuple(Channel(*pair) for pair in colours[:count]), "tzyxc", (t, count, z, y, x)


def _scaling(header: Any, name: str, findings: list[Finding]) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 means none (nifti1.h).

    One that is NaN or infinite is refused: some programs take the values as they are, others make all of them NaN.
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not np.isfinite(slope) or np.isinf(intercept):
        raise UnreadableFile(
            f"{name}: its header scales values by {slope} and {intercept}",
            hint="set scl_slope to 1 and scl_inter to 0 if the values are right as they are stored",
        )
    if slope == 0:
        if np.isfinite(intercept) and intercept != 0:
            findings.append(Finding(Severity.DOUBT, f"scl_inter is {intercept:g} without a slope: it is not applied"))
        return 1.0, 0.0
    if np.isnan(intercept):
        raise UnreadableFile(f"{name}: its header has a slope of {slope:g} and no intercept", hint="repair scl_inter")
    if _DTYPES[int(header["datatype"])].startswith("rgb"):
        return 1.0, 0.0
    return slope, intercept


def _offset(header: Any, head: bytes, name: str, findings: list[Finding]) -> int:
    given = float(header["vox_offset"])
    if not np.isfinite(given) or given < 0 or given != int(given) or given > 1 << 40:
        raise UnreadableFile(f"{name}: its header puts the voxels at byte {given}", hint="repair vox_offset")
    if not header.is_single:
        return int(given)
    least = 352 if version_of(head) == 1 else 544
    if given == 0:
        findings.append(Finding(Severity.NOTE, f"the header does not say where voxels start: byte {least} is taken"))
        return least
    if given < least:
        raise UnreadableFile(f"{name}: its header puts the voxels at byte {given:g}, within the header")
    return int(given)


def _data_file(file: SourceFile, head: bytes, by_name: dict[str, SourceFile]) -> SourceFile:
    """The file itself, or the `.img` beside a header of a pair."""
    if b"+" in (head[4:8] if version_of(head) == 2 else head[344:348]):
        return file
    stem = plain_name(file.name)
    stem = file.name[: len(stem.rsplit(".", 1)[0])]
    for ending in (".img", ".img.gz", ".IMG"):
        if stem + ending in by_name:
            return by_name[stem + ending]
    raise UnreadableFile(f"{file.name} is the header of a pair; {stem}.img is not in the submission")


def _kind(image: _Image, options: Options) -> VolumeKind | None:
    if options.kind is None and int(image.header["intent_code"]) == _LABEL_INTENT and _is_integer(image):
        return VolumeKind.LABELS
    return options.kind


def _is_integer(image: _Image) -> bool:
    return np.dtype(image.layout.dtype).kind in "iu" and image.layout.is_identity


def _label_findings(image: _Image, kind: VolumeKind | None, stem: str, options: Options) -> list[Finding]:
    if kind is VolumeKind.LABELS and options.kind is None:
        text = "the header says that its numbers are labels: they are not averaged; --kind image overrules it"
        return [Finding(Severity.NOTE, text, "--kind")]
    return name_findings(stem, options, certain=int(image.header["intent_code"]) == _LABEL_INTENT)


def _extension_doubts(head: bytes, end: int) -> Iterator[Finding]:
    """A doubt where the header carries what it was made from: elements of DICOM, as such or in dcmstack's JSON."""
    first = 540 if version_of(head) == 2 else 348
    if head[first : first + 1] in (b"", b"\0") or end <= first + 4:
        return
    order = "<" if head[:4] == first.to_bytes(4, "little") else ">"
    position = first + 4
    while position + 8 <= min(len(head), end):
        size, code = np.frombuffer(head[position : position + 8], f"{order}i4").tolist()
        if code == _DICOM_EXTENSION or (code == 0 and head[position + 8 :].lstrip()[:1] == b"{"):
            text = (
                "its header carries elements of DICOM, which may name a person: nothing of that is kept, but "
                "--originals keep would store the file itself"
            )
            yield Finding(Severity.DOUBT, text, "--originals")
            return
        if size < 16:
            return
        position += size


def _summary(image: _Image) -> dict[str, Any]:
    """What of the header a person may want to see later, as JSON values."""
    header = image.header

    def text(key: str) -> str:
        return bytes(header[key]).split(b"\0")[0].decode("utf-8", "replace")

    return {
        "description": text("descrip"),
        "intent_code": int(header["intent_code"]),
        "intent_name": text("intent_name"),
        "qform_code": int(header["qform_code"]),
        "sform_code": int(header["sform_code"]),
        "scl_slope": image.layout.slope,
        "scl_inter": image.layout.intercept,
        "frame": image.frame.chosen,
    } | _slice_timing(header)


def _slice_timing(header: Any) -> dict[str, Any]:
    """In which order, and for how long each, the slices of a volume were taken, where the header says it."""
    order = _SLICE_ORDERS.get(int(header["slice_code"]))
    duration = float(header["slice_duration"])
    if order is None:
        return {}
    said = {"slice_order": order, "slice_start": int(header["slice_start"]), "slice_end": int(header["slice_end"])}
    step_s = duration * time_unit_s(header) if np.isfinite(duration) and duration > 0 else 0.0
    return said | ({"slice_duration_s": float(f"{step_s:.7g}")} if step_s else {})
