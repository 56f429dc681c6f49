"""DICOM: whole folders of images, as scanners, archives and discs give them, one asset a series.

Also enhanced files of many images and Siemens' mosaics. Series may lie mixed in one folder, among other files. Of what
the header says only named elements are looked at (`dicom_file`), and nothing of a person is kept. Source: DICOM PS3.3.
"""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pulvinar.errors import Invalid, PulvinarError, UnreadableFile
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
from pulvinar.ingest.readers.dicom_file import (
    Header,
    PixelPlace,
    damaged,
    is_dicom,
    number_in,
    numbers,
    read_header,
    texts,
)
from pulvinar.ingest.readers.dicom_frames import Frame, frames_of
from pulvinar.ingest.readers.dicom_person import Person, names_somebody, person_findings, person_in
from pulvinar.ingest.readers.dicom_pixels import DicomVolume, check_codec, same_pixels
from pulvinar.ingest.readers.dicom_series import Grid, apart, grid_of
from pulvinar.ingest.readers.frames import check_matrix, orientation, sar_from_ras, settle, voxel_size
from pulvinar.ingest.readers.raw_volume import RawLayout, check_shape, name_findings
from pulvinar.model.dataset import AssetKind
from pulvinar.model.volume import Channel, Shape5, Triple

_MODALITIES = {"MR": "MRI", "CT": "CT", "PT": "PET", "NM": "nuclear medicine", "US": "ultrasound"}
_RGB = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))
_KEPT = (
    "SeriesNumber", "Modality", "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength", "ScanningSequence",
    "SequenceName", "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "SliceThickness",
    "SpacingBetweenSlices", "PatientPosition", "ImageType", "InPlanePhaseEncodingDirection", "GantryDetectorTilt",
)  # fmt: skip
_DIRECTIONS = {"S": "axial", "I": "axial", "A": "coronal", "P": "coronal", "R": "sagittal", "L": "sagittal"}
_MILLISECONDS = 1e-3
_OFF = 0.05
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class _Said:
    """What the header of a series' first file says of the whole series."""

    header: dict[str, Any]
    title: str
    volumes: int
    images: int
    step_s: float | None
    notes: tuple[Finding, ...]


@dataclass(frozen=True)
class _File:
    """What is kept of one file: its images, who it names, and what is said of its series."""

    name: str
    frames: tuple[Frame, ...]
    person: Person
    said: _Said


class DicomReader:
    """Reads images of DICOM by what their headers say, whatever their files are called."""

    name: ClassVar[str] = "dicom"
    priority: ClassVar[int] = 40

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a series, or several where its images can't make one volume.

        A damaged file raises `UnreadableFile` after all that is whole was found: it hides no other.
        """
        read, stopped = _read([file for file in files if is_dicom(file.head)])
        yield from _named_apart([asset for series in _by_series(read) for asset in _assets(series, options)])
        if stopped is not None:
            raise stopped

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open by reading the headers once more; an image is read when a window touches it."""
        assert asset.volume is not None
        files = [_source(root, name) for name in asset.files]
        read, stopped = _read(files)
        if stopped is not None:
            raise stopped
        for series in _by_series(read):
            for key, _, grid in _grids(series):
                if key == asset.key:
                    return DicomVolume(root, grid.cells, asset.volume.dtype, asset.name)
        raise UnreadableFile(f"{asset.files[0]}: the series has changed since it was found")

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


def _named_apart(assets: Sequence[FoundAsset]) -> Iterator[FoundAsset]:
    """`assets`, where those with one name have their series' numbers behind it."""
    count = Counter(asset.name for asset in assets)
    for asset in assets:
        number = asset.metadata["header"].get("SeriesNumber", "")
        yield replace(asset, name=f"{asset.name} {number}".strip()) if count[asset.name] > 1 else asset


def _source(root: Path, name: str) -> SourceFile:
    path = root / name
    with path.open("rb") as file:
        head = file.read(4096)
    return SourceFile(path, name, path.stat().st_size, head)


def _read(files: Iterable[SourceFile]) -> tuple[list[_File], PulvinarError | None]:
    """The files with images, and the first error that one of them raises."""
    read: list[_File] = []
    said: dict[str, _Said] = {}
    seen: dict[str, tuple[SourceFile, PixelPlace]] = {}
    stopped: PulvinarError | None = None
    # by name: whoever asks, and in what order, a series' first file is the same
    for file in sorted(files, key=lambda file: file.name):
        try:
            with _silence():
                found = read_header(file)
                if found is None:
                    continue
                one = _file(file.name, found, said)
            first = seen.setdefault(one.frames[0].image or file.name, (file, found.pixels))
            if not (first[0] is file or same_pixels(first, (file, found.pixels))):
                # two images of one identifier are no copies
                one = replace(one, frames=tuple(replace(frame, image=file.name) for frame in one.frames))
            read.append(one)
        except PulvinarError as error:
            stopped = stopped or error
        except Exception as error:  # noqa: BLE001 (whatever pydicom raises where it converts a damaged value)
            stopped = stopped or damaged(file.name, error)
    return read, stopped


@contextmanager
def _silence() -> Iterator[None]:
    """Without pydicom's warnings of every oddity: nobody reads them here, and they hold values of the header."""
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.disabled = before


def _file(name: str, header: Header, said: dict[str, _Said]) -> _File:
    check_codec(header.pixels, name)
    frames = tuple(frames_of(header.dataset, header.pixels, name))
    person = person_in(header)
    series = frames[0].series or name
    if series not in said:
        said[series] = _said_of_series(header.dataset, person, name)
    return _File(name, frames, person, said[series])


def _said_of_series(dataset: Any, person: Person, name: str) -> _Said:
    number = number_in(dataset, name)
    header = {word: _text(dataset, word, person) for word in _KEPT}
    words = [*texts(dataset, "SeriesDescription"), *texts(dataset, "ProtocolName")]
    titles = [title for text in words if (title := _title(text)) and not names_somebody(text, person.words)]
    repetition = _repetition(dataset, name)
    return _Said(
        {word: value for word, value in header.items() if value},
        titles[0] if titles else "",
        number("NumberOfTemporalPositions", 0),
        number("ImagesInAcquisition", 0),
        float(f"{repetition * _MILLISECONDS:.6g}") if repetition and repetition > 0 else None,
        tuple(_real_world(dataset, name)),
    )


def _real_world(dataset: Any, name: str) -> Iterator[Finding]:
    """A note of a second scaling, to the unit of a quantity (PS3.3, C.7.6.16.2.11): the stored values are kept."""
    mapped = dataset.get("RealWorldValueMappingSequence")
    slope = numbers(mapped[0], "RealWorldValueSlope", name) if mapped else ()
    offset = numbers(mapped[0], "RealWorldValueIntercept", name) if mapped else ()
    if slope and (slope[0], *offset[:1]) != (1.0, 0.0):
        text = f"its header maps its values to others by {slope[0]:g} and {sum(offset[:1]):g}: they are kept as stored"
        yield Finding(Severity.NOTE, text)


def _text(dataset: Any, word: str, person: Person) -> str:
    text = "\\".join(texts(dataset, word))
    return "" if names_somebody(text, person.words) else text


def _title(text: str) -> str:
    """A description as a name: no signs that mean something elsewhere, and not too long."""
    return " ".join(re.sub(r"[^\w .,+()*-]+", " ", text).split())[:80]


def _repetition(dataset: Any, name: str) -> float | None:
    said = numbers(dataset, "RepetitionTime", name)
    if not said and dataset.get("SharedFunctionalGroupsSequence"):
        timing = dataset.SharedFunctionalGroupsSequence[0].get("MRTimingAndRelatedParametersSequence")
        said = numbers(timing[0], "RepetitionTime", name) if timing else ()
    return said[0] if said else None


def _by_series(files: Sequence[_File]) -> list[list[_File]]:
    series: dict[str, list[_File]] = {}
    for file in files:
        # without an identifier, what lies in one folder is one
        folder = file.name.rpartition("/")[0]
        series.setdefault(file.frames[0].series or f"folder {folder}", []).append(file)
    return list(series.values())


def _grids(series: Sequence[_File]) -> Iterator[tuple[str, list[_File], Grid]]:
    """Each volume of a series, with its key and its files in the order of their images."""
    files = {file.name: file for file in series}
    said = max(file.said.volumes for file in series)
    parts = apart([frame for file in series for frame in file.frames])
    for part in parts:
        grid = grid_of(part, said)
        used = dict.fromkeys(frame.file for frame in (*grid.frames, *part))
        first = part[0]
        about = (first.series or first.file, first.looks, first.axes, first.rows, first.columns, first.spacing_mm)
        # all that `apart` tells images by: of two parts no key may be the same
        pixels = (first.pixels.dtype, first.pixels.samples, first.pixels.photometric)
        digest = hashlib.sha256(repr((about, bool(first.position_mm), pixels)).encode()).hexdigest()
        yield digest[:32], [files[name] for name in used], grid


def _assets(series: Sequence[_File], options: Options) -> Iterator[FoundAsset]:
    made = list(_grids(series))
    for key, files, grid in made:
        yield _asset(key, files, grid, options, parts=[other for _, _, other in made])


def _asset(key: str, files: Sequence[_File], grid: Grid, options: Options, parts: Sequence[Grid]) -> FoundAsset:
    first = grid.frames[0]
    said = files[0].said
    layout = _layout(grid)
    check_shape(layout.shape, files[0].name)
    size_um, affine_um, findings = _frame(grid, layout.shape, files[0].name, options)
    title = (said.title or f"series {said.header.get('SeriesNumber', '')}").strip() + _suffix(grid, parts)
    step_s, more = _time_step(said, grid, options)
    return FoundAsset(
        DicomReader.name,
        key=key,
        name=title,
        kind=AssetKind.VOLUME,
        files=tuple(file.name for file in files),
        volume=VolumeDescription(
            layout.shape,
            layout.meaning_dtype(options.kind),
            (1, layout.shape[1], 1, *layout.shape[3:]),
            size_um,
            affine_um,
            options.kind,
            channels=tuple(Channel(*pair) for pair in _RGB) if first.pixels.samples == 3 else (),
            time_step_s=step_s,
        ),
        findings=(
            *grid.findings,
            *said.notes,
            *findings,
            *more,
            *_series_findings(files, grid, parts),
            *person_findings((file.person for file in files), [file.name for file in files]),
            *name_findings(title, options),
        ),
        metadata=_metadata(said.header),
    )


def _layout(grid: Grid) -> RawLayout:
    """Shape and types, as they would be in one file."""
    frames = grid.frames
    first = frames[0]
    scaled = next((frame for frame in frames if (frame.slope, frame.intercept) != (1.0, 0.0)), first)
    t, z = len(grid.cells), len(grid.cells[0])
    shape = (t, first.pixels.samples, z, first.rows, first.columns)
    return RawLayout(shape, first.pixels.dtype, slope=scaled.slope, intercept=scaled.intercept)


def _frame(grid: Grid, shape: Shape5, name: str, options: Options) -> tuple[Triple | None, Any, list[Finding]]:
    """Voxel size and map to the world, after a person's word."""
    findings: list[Finding] = []
    matrix = size = None
    if grid.lps_mm is not None:
        matrix = check_matrix(sar_from_ras(_LPS_TO_RAS @ grid.lps_mm, 1e3), name, "the map of its positions")
        size = voxel_size(matrix)
    elif all(grid.size_mm):
        z, y, x = (float(f"{(length or 0) * 1e3:.7g}") for length in grid.size_mm)
        size = z, y, x
    if size is None and options.voxel_size_um is None:
        text = "its header does not say how large its voxels are"
        findings.append(Finding(Severity.QUESTION, text, "--voxel-size"))
    size_um, affine_um = settle(size, matrix, shape[2:], options)
    return size_um, affine_um, findings


def _suffix(grid: Grid, parts: Sequence[Grid]) -> str:
    """What tells one volume of a series from the others of it: direction, kind, echo; where that fails, its number."""
    if len(parts) < 2:
        return ""
    told = [_looks(part.frames[0]) for part in parts]
    differing = [index for index in range(3) if len({one[index] for one in told}) > 1]
    mine = [" ".join(one[index] for index in differing) for one in told]
    place = next(index for index, part in enumerate(parts) if part is grid)
    number = f" {mine[: place + 1].count(mine[place])}" if mine.count(mine[place]) > 1 else ""
    return f" {_title(mine[place])}".rstrip() + number


def _looks(frame: Frame) -> tuple[str, str, str]:
    kind, echo = frame.looks
    return _direction(frame), kind, f"echo {echo}" if echo else ""


def _direction(frame: Frame) -> str:
    if not frame.axes:
        return ""
    row, column = np.array(frame.axes[:3]), np.array(frame.axes[3:])
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([row, column, np.cross(row, column)], axis=1)
    return _DIRECTIONS[orientation(sar_from_ras(_LPS_TO_RAS @ matrix, 1.0))[0]]


def _time_step(said: _Said, grid: Grid, options: Options) -> tuple[float | None, list[Finding]]:
    """The time from volume to volume: the repetition time, unless the clock says otherwise."""
    count = len(grid.cells)
    if options.time_step_s is not None or count == 1:
        return options.time_step_s, []
    clock = _clock_step(grid)
    if said.step_s is None and clock is None:
        text = f"its {count} time points have no step that is known"
        return None, [Finding(Severity.DOUBT, text, "--time-step")]
    if said.step_s is None:
        return clock, []
    if clock is not None and abs(clock - said.step_s) > _OFF * said.step_s:
        text = (
            f"its repetition time is {said.step_s:g} s, by the clock its volumes are {clock:g} s apart: the first is "
            "taken"
        )
        return said.step_s, [Finding(Severity.DOUBT, text, "--time-step")]
    return said.step_s, []


def _clock_step(grid: Grid) -> float | None:
    times = [
        min(frame.time_s for frame in volume if frame is not None and frame.time_s is not None)
        for volume in grid.cells
        if any(frame is not None and frame.time_s is not None for frame in volume)
    ]
    if len(times) < len(grid.cells) or times[-1] <= times[0]:
        return None
    return float(f"{(times[-1] - times[0]) / (len(times) - 1):.6g}")


def _series_findings(files: Sequence[_File], grid: Grid, parts: Sequence[Grid]) -> Iterator[Finding]:
    first = grid.frames[0].pixels
    if len(parts) > 1:
        text = f"its series has images that can't make one volume: it becomes {len(parts)} assets"
        yield Finding(Severity.NOTE, text)
    if first.photometric == "MONOCHROME1":
        yield Finding(Severity.NOTE, "its photometric tag says that 0 is white; values are kept as they are")
    if first.photometric == "PALETTE COLOR":
        yield Finding(Severity.NOTE, "its values point into a palette of colours, which is left out")
    said = max(file.said.images for file in files)
    here = len(grid.frames)
    if len(parts) == 1 and len(grid.cells) == 1 and said > here and not _asks(grid):
        yield Finding(Severity.DOUBT, f"its header declares {said} images, {here} are here")


def _asks(grid: Grid) -> bool:
    return any(finding.severity is Severity.QUESTION for finding in grid.findings)


def _metadata(header: dict[str, Any]) -> dict[str, Any]:
    made = " ".join(header[word] for word in ("Manufacturer", "ManufacturerModelName") if word in header)
    said = {"modality": _MODALITIES.get(header.get("Modality", ""), ""), "instrument": made}
    return {"header": header} | {word: value for word, value in said.items() if value}
