"""NWB 2: recordings of neurons by electrodes and by light, with their tables and images.

Each series over time is an asset, sweeps of one kind together; each table is one, and each series of images. A file
that lies in several (external links) is refused, and images in other files are named and never opened. Source: the NWB
format specification 2.x.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.matrices import stays_in_its_file
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    PointsData,
    Severity,
    SourceFile,
    TableData,
    VolumeDescription,
)
from pulvinar.ingest.readers import nwb_cells, nwb_images, nwb_series
from pulvinar.ingest.readers.hdf5_files import damage, is_hdf5, open_hdf5, text
from pulvinar.ingest.readers.nwb_about import about_session, modality_of
from pulvinar.ingest.readers.nwb_nodes import Node, nodes
from pulvinar.ingest.readers.nwb_places import centres, electrode_places, roi_places
from pulvinar.ingest.readers.nwb_tables import (
    MASKS,
    column_names,
    is_table,
    read_spikes,
    read_table,
    row_count,
    spike_count,
)
from pulvinar.ingest.readers.streams import stem_of
from pulvinar.model.dataset import AssetKind

_MOST_NAMED = 5


@dataclass(frozen=True)
class _Part:
    """One thing in an open file that is an asset; `read` gives it, or `picture` its images.

    `path` tells it from all others; it is `called` by another where it is several.
    """

    path: str
    type: str
    kind: AssetKind
    read: Callable[[], GeometryData] | None = None
    picture: nwb_images.Picture | None = None
    volume: VolumeDescription | None = None
    findings: tuple[Finding, ...] = ()
    words: dict[str, Any] = field(default_factory=dict)
    called: str = ""


class NwbReader:
    """Reads NWB 2 files by their own structure, so that types of extensions are read as what they extend."""

    name: ClassVar[str] = "nwb"
    priority: ClassVar[int] = 120

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """The assets of each file; other HDF5 files are passed over in silence."""
        for file in files:
            if is_hdf5(file) and _is_nwb(file):
                yield from self._found(file, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Images, read by window."""
        assert asset.volume is not None
        name = asset.files[0]
        file = open_hdf5(root / name, name)
        try:
            with damage(name):
                part = _part_of(file, asset, options)
                if part.picture is None:
                    raise UnreadableFile(f"{name}: {part.path} holds no images any more")
                return nwb_images.NwbImages(file, part.picture, asset.volume.dtype)
        except BaseException:
            file.close()
            raise

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """A series, or a table; points where a table's rows have places."""
        name, data = asset.files[0], None
        file = open_hdf5(root / name, name)
        try:
            with damage(name):
                part = _part_of(file, asset, options)
                if part.read is None:
                    raise UnreadableFile(f"{name}: {part.path} holds images now")
                data = part.read()
                return data
        finally:
            # what is read by window closes the file itself
            if data is None or stays_in_its_file(data) is None:
                file.close()

    def _found(self, file: SourceFile, options: Options) -> Iterator[FoundAsset]:
        with open_hdf5(file.path, file.name) as opened, damage(file.name):
            said, notes = about_session(opened, file.name)
            parts, left_out = _parts(opened, file.name, options)
        if not parts:
            reason = left_out[0].message if left_out else "it holds no series, no images and no table"
            raise UnreadableFile(f"{file.name}: {reason}", hint="leave the file out")
        titles = _titles(parts)
        for index, part in enumerate(parts):
            # what is true of the whole file is said once
            of_file = (*notes, *left_out) if index == 0 else ()
            yield FoundAsset(
                self.name,
                key=_key(file.name, part),
                name=f"{stem_of(file.name)} {titles[index]}",
                kind=part.kind,
                files=(file.name,),
                volume=part.volume,
                findings=(*part.findings, *of_file),
                metadata=_metadata(said, part),
            )


def _is_nwb(file: SourceFile) -> bool:
    """Whether an HDF5 file is NWB; a damaged one is where its name says so. Raises `UnreadableFile` for NWB 1."""
    named = file.name.lower().endswith(".nwb")
    try:
        with open_hdf5(file.path, file.name) as opened, damage(file.name):
            if text(opened.attrs.get("neurodata_type", "")) == "NWBFile":
                return True
            old = "nwb_version" in opened and "epochs" in opened
    except UnreadableFile:
        if named:
            raise
        return False
    if old:
        raise UnreadableFile(f"{file.name} is NWB 1", hint="convert it to NWB 2 first, as its archive does")
    if named:
        raise UnreadableFile(f"{file.name} is HDF5, and does not say that it is NWB", hint="write it again with pynwb")
    return False


def _key(name: str, part: _Part) -> str:
    return f"{name}#{part.path}"


def _titles(parts: Sequence[_Part]) -> list[str]:
    """The last part of each path, and as much before it as tells it from the others."""
    paths = [(part.called or part.path).split("/") for part in parts]
    lengths = [1] * len(parts)
    titles: list[str] = []
    for _ in range(max(map(len, paths))):
        titles = ["/".join(path[-length:]) for path, length in zip(paths, lengths, strict=True)]
        count = Counter(titles)
        lengths = [length + (count[title] > 1) for title, length in zip(titles, lengths, strict=True)]
    count = Counter(titles)
    firsts = [part.path.rpartition("/")[2] for part in parts]
    return [one if count[one] == 1 else f"{first} and others" for one, first in zip(titles, firsts, strict=True)]


def _metadata(said: dict[str, Any], part: _Part) -> dict[str, Any]:
    record = {key: value for key, value in said.items() if key != "session"}
    modality = modality_of(part.type)
    header = {"path": part.path, "type": part.type, **part.words, "session": said.get("session", {})}
    return {**record, **({"modality": modality} if modality else {}), "header": header}


def _part_of(file: Any, asset: FoundAsset, options: Options) -> _Part:
    name = asset.files[0]
    parts, _ = _parts(file, name, options, asset.key)
    if not parts:
        raise UnreadableFile(f"{name} has changed since it was found: {asset.key} is not in it any more")
    return parts[0]


def _parts(file: Any, name: str, options: Options, only: str = "") -> tuple[list[_Part], list[Finding]]:
    """What the file holds, and what of it is left out; `only` the part of that key, where one is given."""
    series: list[nwb_series.Series] = []
    makers: list[tuple[str, Callable[[], _Part]]] = []
    left_out: list[Finding] = []
    for node in nodes(file, name):
        left_out += _not_opened(node, name)
        found = nwb_series.series_of(node, name)
        if found is not None and not nwb_images.is_images(found):
            series.append(found)
        else:
            makers += _makers(node, found, name, options)
    for group in nwb_series.gathered(series):
        reason = nwb_series.refusal(group)
        if reason:
            left_out.append(Finding(Severity.DOUBT, f"{group[0].node.path} is left out: {reason}"))
        else:
            makers.append((group[0].node.path, partial(_signals, group, options)))
    made = [make() for path, make in makers if not only or f"{name}#{path}" == only]
    return made, left_out


def _not_opened(node: Node, name: str) -> Iterator[Finding]:
    others = nwb_images.external_files(node, name)
    if others:
        named = ", ".join(others[:_MOST_NAMED]) + (
            f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        )
        text = f"the images of {node.path} lie in other files, which are not opened: hand in {named} as well"
        yield Finding(Severity.NOTE, text)


def _makers(
    node: Node, series: nwb_series.Series | None, name: str, options: Options
) -> Iterator[tuple[str, Callable[[], _Part]]]:
    """How the parts of one object are made, each with its path."""
    if series is not None:
        yield node.path, lambda: _images(nwb_images.series_picture(series, options), node, options)
        return
    picture = nwb_images.single_picture(node, name, options)
    if picture is not None:
        yield node.path, lambda: _images(picture, node, options)
    elif is_table(node.place) and row_count(node.place, name):
        yield node.path, lambda: _table(node, name, options)
        if spike_count(node.place, name):
            yield f"{node.path}/spikes", lambda: _spikes(node, name)
        for key in nwb_cells.shapes_of(node.place, name):
            yield f"{node.path}/{key}", partial(_shapes, node, key, name, options)
        if nwb_cells.has_masks(node.place, name):
            yield f"{node.path}/pixels", lambda: _pixels(node, name)


def _images(picture: nwb_images.Picture, node: Node, options: Options) -> _Part:
    volume, findings = nwb_images.described(picture, options)
    words = nwb_images.plane_words(picture)
    return _Part(node.path, node.type, AssetKind.VOLUME, None, picture, volume, tuple(findings), words)


def _called(group: Sequence[nwb_series.Series]) -> str:
    """The path of several recordings: what their names have in common, or else their type."""
    common = ""
    for letters in zip(*(series.node.title for series in group), strict=False):
        if len(set(letters)) > 1:
            break
        common += letters[0]
    common = common.rstrip("0123456789_- ")
    return f"{group[0].node.parent}/{common or group[0].node.type}"


def _signals(group: list[nwb_series.Series], options: Options) -> _Part:
    first = group[0]
    findings = list(nwb_series.series_findings(group, options))
    plain = first.is_text or not first.rises
    if len(group) == 1 and not plain:
        findings += nwb_series.series_columns(first, options)[2]
    words: dict[str, Any] = {**nwb_series.comments_of(first), "unit": first.unit, "frames": first.frames}
    if len(group) > 1:
        words.pop("description", None)
        words["recordings"] = [series.node.path for series in group]
    return _Part(
        first.node.path,
        first.node.type,
        AssetKind.TABLE if plain else AssetKind.TIME_SERIES,
        lambda: nwb_series.read_series(group, options),
        findings=tuple(findings),
        words=words,
        called=_called(group) if len(group) > 1 else "",
    )


def _table(node: Node, name: str, options: Options) -> _Part:
    columns, left_out = read_table(node.place, name)
    shapes = nwb_cells.shapes_of(node.place, name)
    left_out = [key for key in left_out if key not in shapes]
    findings = []
    if left_out:
        text = f"its columns {', '.join(left_out)} are left out: they hold more than a value a row"
        findings.append(Finding(Severity.NOTE, text))
    if any(key in node.place for key in MASKS):
        pixels = centres(node.place, name)
        places, doubts = roi_places(node.place, pixels, name, options)
        columns |= nwb_series.pixel_columns(pixels)
        if not nwb_cells.has_masks(node.place, name):
            text = "the masks of its regions of interest are left out: their centres are kept"
            findings.append(Finding(Severity.NOTE, text))
    else:
        places, doubts = electrode_places(columns, options) if node.title == "electrodes" else (columns["id"][:0], [])
    placed = len(places) > 0
    data = PointsData(places, columns) if placed else TableData(columns)
    return _Part(
        node.path,
        node.type,
        AssetKind.POINTS if placed else AssetKind.TABLE,
        lambda: data,
        findings=(*findings, *doubts),
        words={"columns": ["id", *column_names(node.place, name)]},
    )


def _spikes(node: Node, name: str) -> _Part:
    return _Part(f"{node.path}/spikes", node.type, AssetKind.TABLE, lambda: TableData(read_spikes(node.place, name)))


def _shapes(node: Node, key: str, name: str, options: Options) -> _Part:
    data = nwb_cells.read_shapes(node.place, key, name, options)
    findings = () if len(data.times_s) else (Finding(Severity.DOUBT, nwb_series.NO_STEP, "--time-step"),)
    return _Part(f"{node.path}/{key}", node.type, AssetKind.TIME_SERIES, lambda: data, findings=findings)


def _pixels(node: Node, name: str) -> _Part:
    read = partial(nwb_cells.read_masks, node.place, name)
    return _Part(f"{node.path}/pixels", node.type, AssetKind.TABLE, lambda: TableData(read()))
