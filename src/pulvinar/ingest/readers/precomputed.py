"""Neuroglancer's precomputed format in a folder: volumes, meshes, skeletons and annotations.

What a folder is, its `info` says. Meshes and skeletons give an asset for each segment. Sources: the documents of the
format at github.com/google/neuroglancer, and what cloud-volume writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pulvinar.errors import Invalid, TooLarge, UnreadableFile
from pulvinar.ingest.reader import (
    Finding,
    FoundAsset,
    GeometryData,
    OpenVolume,
    Options,
    Severity,
    SourceFile,
)
from pulvinar.ingest.readers.chunked_volume import refuse_links
from pulvinar.ingest.readers.precomputed_annotations import read_annotations
from pulvinar.ingest.readers.precomputed_files import (
    INFO,
    Extent,
    PrecomputedFolder,
    Sharding,
    model_transform,
    read_document,
    zyx_um,
)
from pulvinar.ingest.readers.precomputed_geometry import (
    Bytes,
    forest,
    joined,
    legacy_fragment,
    mesh_data,
    multiresolution_mesh,
    skeleton_parts,
)
from pulvinar.ingest.readers.precomputed_volume import is_volume, open_precomputed, volume_asset
from pulvinar.model.dataset import AssetKind

_MOST_SEGMENTS = 10_000
_LEGACY, _MULTILOD = "neuroglancer_legacy_mesh", "neuroglancer_multilod_draco"
_SKELETONS, _ANNOTATIONS = "neuroglancer_skeletons", "neuroglancer_annotations_v1"
_PROPERTIES = "neuroglancer_segment_properties"
_FILES = {_LEGACY: r"(\d+):0(\.gz)?", _MULTILOD: r"(\d+)\.index(\.gz)?", _SKELETONS: r"(\d+)(\.gz)?"}
_KINDS = {_LEGACY: AssetKind.MESH, _MULTILOD: AssetKind.MESH, _SKELETONS: AssetKind.SKELETON}


class PrecomputedReader:
    """Reads the finest scale of volumes, and of meshes the finest resolution."""

    name: ClassVar[str] = "precomputed"
    priority: ClassVar[int] = 40

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset a volume, a segment's mesh, a segment's skeleton, or a folder of annotations."""
        paths = {file.name: file.path for file in files}
        documents = [file for file in files if _may_be_info(file)]
        if not documents:
            return
        first = documents[0]
        root = first.path.parents[first.name.count("/")]
        kinds = _kinds_of(root, [file.name for file in documents], paths)
        mine = _shared_out(kinds, paths)
        for name, kind in kinds.items():
            folder = PrecomputedFolder(root, name, mine[name])
            refuse_links(files, name, next(iter(sorted(mine[name])), ""))
            yield from _assets(folder, kind, options)

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily with tensorstore; nothing is read yet."""
        return open_precomputed(PrecomputedFolder(root, _folder_of(asset), asset.files), asset)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """A mesh, a skeleton or annotations. Raises `UnreadableFile` for what is damaged."""
        folder = PrecomputedFolder(root, _folder_of(asset), asset.files)
        if asset.kind is AssetKind.POINTS:
            return read_annotations(folder)
        if asset.kind is AssetKind.VOLUME:
            raise Invalid(f"{asset.name} is a volume")
        segment = int(asset.key.rpartition("#")[2])
        transform = model_transform(folder.info.get("transform"), folder.info_name)
        if asset.kind is AssetKind.SKELETON:
            data, name = _segment_bytes(folder, segment, str(segment))
            places, pairs, attributes = skeleton_parts(data, folder.info.get("vertex_attributes"), name)
            return forest(zyx_um(places, transform, name), pairs, attributes, name)
        if folder.info.get("@type") == _MULTILOD:
            manifest, name = _segment_bytes(folder, segment, f"{segment}.index")
            bits = folder.info.get("vertex_quantization_bits")
            vertices, faces = multiresolution_mesh(manifest, _fragments_of(folder, segment), bits, name)
        else:
            name = folder.find(f"{segment}:0")
            parts = [legacy_fragment(folder.read(one), folder.path_of(one)) for one in _fragment_names(folder, segment)]
            vertices, faces = joined(parts, name)
        return mesh_data(zyx_um(vertices, transform, name), faces, transform)


def _may_be_info(file: SourceFile) -> bool:
    if file.name.rpartition("/")[2] != INFO or file.head.lstrip()[:1] != b"{":
        return False
    return b'"neuroglancer_' in file.head or b'"scales"' in file.head or b'"data_type"' in file.head


def _kinds_of(root: Path, documents: Sequence[str], paths: dict[str, Path]) -> dict[str, str]:
    """What each folder with an `info` is: a type of the format, "volume"; legacy meshes may have no `info`."""
    kinds: dict[str, str] = {}
    for name in documents:
        folder, info = name.rpartition("/")[0], read_document(root, name)
        if not is_volume(info):
            kinds[folder] = str(info.get("@type"))
            continue
        kinds[folder] = "volume"
        mesh = info.get("mesh")
        inner = f"{folder}/{mesh}".lstrip("/")
        if (
            isinstance(mesh, str)
            and f"{inner}/{INFO}" not in paths
            and any(one.startswith(f"{inner}/") for one in paths)
        ):
            kinds[inner] = _LEGACY
    return dict(sorted(kinds.items()))


def _shared_out(kinds: dict[str, str], names: Sequence[str] | dict[str, Path]) -> dict[str, list[str]]:
    """The files of each folder: below it and not below another in it; names of segments go to what is around them."""
    mine: dict[str, list[str]] = {folder: [] for folder in kinds}
    takers = [folder for folder, kind in kinds.items() if kind != _PROPERTIES]
    for name in names:
        parts = name.split("/")
        around = ["/".join(parts[:count]) for count in range(len(parts))]
        inner = [folder for folder in around if folder in mine]
        if inner:
            others = [folder for folder in inner if folder in takers]
            mine[(others or inner)[-1]].append(name)
    return mine


def _assets(folder: PrecomputedFolder, kind: str, options: Options) -> Iterator[FoundAsset]:
    files = tuple(sorted(folder.files))
    if kind == "volume":
        yield volume_asset(PrecomputedReader.name, folder, files, options)
    elif kind in _KINDS:
        yield from _segments(folder, kind)
    elif kind == _ANNOTATIONS:
        shape = str(folder.info.get("annotation_type"))
        findings = () if shape == "POINT" else (Finding(Severity.NOTE, "its annotations are given by their middle"),)
        yield FoundAsset(
            PrecomputedReader.name,
            key=f"{folder.name}#",
            name=folder.name.rpartition("/")[2] or "annotations",
            kind=AssetKind.POINTS,
            files=files,
            findings=findings,
            metadata={"header": {"format": kind, "annotation_type": shape[:40]}},
        )


def _segments(folder: PrecomputedFolder, kind: str) -> Iterator[FoundAsset]:
    """An asset for each mesh or skeleton of a folder; what belongs to none of them goes to the first."""
    found = _files_by_segment(folder, kind)
    if len(found) > _MOST_SEGMENTS:
        raise TooLarge(
            f"{folder.info_name}: it holds {len(found)} segments, {_MOST_SEGMENTS} are read at once",
            hint="hand in those that matter, by --only",
        )
    claimed = {name for names in found.values() for name in names}
    rest = folder.files - claimed - {folder.info_name}
    for segment, names in sorted(found.items()):
        info = {folder.info_name} & folder.files
        yield FoundAsset(
            PrecomputedReader.name,
            key=f"{folder.name}#{segment}",
            name=f"segment {segment}",
            kind=_KINDS[kind],
            files=tuple(sorted(names | info | rest)),
            metadata={"header": {"format": kind, "segment": str(segment)}},
        )
        rest = frozenset()


def _files_by_segment(folder: PrecomputedFolder, kind: str) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    if folder.info.get("sharding") is not None:
        sharding = Sharding.of(folder.info["sharding"], folder.info_name)
        for shard in folder.shards():
            for segment, _ in sharding.entries(folder, shard):
                found.setdefault(segment, set()).add(shard)
                if len(found) > _MOST_SEGMENTS:
                    return found
        return found
    base = f"{folder.name}/".lstrip("/")
    for name in folder.files:
        if match := re.fullmatch(_FILES[kind], name.removeprefix(base)):
            segment = int(match[1])
            if segment >= 1 << 64:
                raise UnreadableFile(f"{name} is named by no segment: it has more than 64 bits", hint="leave it out")
            found[segment] = {name}
    for segment, names in found.items() if len(found) <= _MOST_SEGMENTS else ():
        if kind == _LEGACY:
            names |= {
                folder.find(one) or folder.path_of(one) for one in _fragment_names(folder, segment)
            } & folder.files
        elif kind == _MULTILOD:
            names |= {folder.find(str(segment))} & folder.files
    return found


def _fragment_names(folder: PrecomputedFolder, segment: int) -> list[str]:
    """The fragments that the manifest of a legacy mesh lists; a name that leads out of the folder is refused."""
    name = folder.find(f"{segment}:0")
    try:
        listed = json.loads(folder.read(f"{segment}:0")).get("fragments")
    except (ValueError, AttributeError, RecursionError) as error:
        raise UnreadableFile(f"{name} is damaged: it is no manifest of a mesh", hint="copy it again") from error
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise UnreadableFile(f"{name} is damaged: it lists no fragments", hint="copy it again")
    for one in listed:
        folder.path_of(one)
    return listed


def _segment_bytes(folder: PrecomputedFolder, segment: int, key: str) -> tuple[bytes, str]:
    """The bytes of a segment, from its own file or a shard, and the name of that file."""
    if folder.info.get("sharding") is None:
        return folder.read(key), folder.find(key)
    sharding, extent = _place_of(folder, segment)
    return sharding.read(folder, extent), extent.name


def _place_of(folder: PrecomputedFolder, segment: int) -> tuple[Sharding, Extent]:
    sharding = Sharding.of(folder.info["sharding"], folder.info_name)
    for shard in folder.shards():
        for key, extent in sharding.entries(folder, shard):
            if key == segment:
                return sharding, extent
    raise UnreadableFile(f"{folder.info_name}: no shard holds the segment {segment}", hint="hand in the whole folder")


def _fragments_of(folder: PrecomputedFolder, segment: int) -> Any:
    """What reads the fragments of a mesh of several resolutions: a file of their own, or right before its manifest."""

    def read(total: int) -> Bytes:
        if folder.info.get("sharding") is None:
            data = folder.read(str(segment))
            if len(data) < total:
                name = folder.find(str(segment))
                raise UnreadableFile(f"{name} is truncated: its manifest declares {total} bytes", hint="copy it again")
            return lambda start, size: data[start : start + size]
        _, extent = _place_of(folder, segment)
        begin = extent.start - total
        if begin < 0:
            raise UnreadableFile(f"{extent.name}: segment {segment} declares {total} bytes", hint="copy it again")
        return lambda start, size: folder.read_extent(Extent(extent.name, begin + start, size))

    return read


def _folder_of(asset: FoundAsset) -> str:
    return asset.key.rpartition("#")[0]
