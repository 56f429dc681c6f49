"""N5 hierarchies in a folder: single datasets, and images of several levels as N5 viewers and BigDataViewer keep them.

Of several levels (`s0`, `s1`, ... side by side) the finest is read. Sources: the N5 specification 4.0, the attributes
of n5-viewer, BigDataViewer and COSEM. The slowest axis of an N5 is its last one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import FoundAsset, GeometryData, OpenVolume, Options, SourceFile
from pulvinar.ingest.readers.array_attributes import said_by_attributes
from pulvinar.ingest.readers.chunked_image import ChunkedImage, found_images, opened_image
from pulvinar.ingest.readers.zarr_nodes import ArrayNode, ZarrNodes, checked_array, declared_sizes, number_type

_DOCUMENT = "attributes.json"
_LEVEL = re.compile(r"(?:.*/)?s(\d+)")
_CODECS = {
    "raw": (), "gzip": ("level", "useZlib"), "bzip2": ("blockSize",), "xz": ("preset",),
    "blosc": ("cname", "clevel", "shuffle"), "zstd": ("level",),
}  # fmt: skip
"""The compressions of blocks that are read, each with what tensorstore must know of it."""


class N5Reader:
    """Reads datasets of numbers, by the blocks that a window touches."""

    name: ClassVar[str] = "n5"
    priority: ClassVar[int] = 51

    def find(self, files: Sequence[SourceFile], options: Options) -> Iterator[FoundAsset]:
        """One asset an image; recognised by documents that describe datasets."""
        documents = {file.name: file.path for file in files if _is_document(file)}
        nodes = N5Nodes(documents, [file.name for file in files])
        for asset in found_images(self.name, list(_images(nodes, options)), nodes, files, options):
            # a group says what holds for all that is in it
            yield replace(asset, files=(*asset.files, *nodes.around(asset.key.removesuffix("#"), asset.files)))

    def open_volume(self, asset: FoundAsset, root: Path, options: Options, scratch: Path) -> OpenVolume:
        """Open lazily with tensorstore; nothing is read yet."""
        folder = asset.key.removesuffix("#")
        nodes = N5Nodes({name: root / name for name in asset.files})
        image = next(image for image in _images(nodes, options) if image.folder == folder)
        return opened_image(image, asset, root)

    def read_geometry(self, asset: FoundAsset, root: Path, options: Options) -> GeometryData:
        """Never: every asset of this reader is a volume."""
        raise Invalid(f"{asset.name} is a volume")


class N5Nodes(ZarrNodes):
    """The datasets of N5 hierarchies."""

    documents: ClassVar[tuple[str, ...]] = (_DOCUMENT,)

    def arrays(self) -> list[str]:
        """Folders of datasets, in order."""
        return sorted(
            name.rpartition("/")[0] for name in self._paths if {"dimensions", "dataType"} <= self._document(name).keys()
        )

    def file_of(self, folder: str) -> str:
        """The document that makes `folder` a node."""
        if (name := f"{folder}/{_DOCUMENT}".lstrip("/")) in self._paths:
            return name
        raise UnreadableFile(f"{folder or '.'} has no {_DOCUMENT}", hint="hand in the whole folder")

    def attributes(self, folder: str) -> dict[str, Any]:
        """The attributes of a node; none where it has no document."""
        name = f"{folder}/{_DOCUMENT}".lstrip("/")
        return self._document(name) if name in self._paths else {}

    def array(self, folder: str) -> ArrayNode:
        """The dataset in `folder`, its axes turned round; raises `UnreadableFile` and `TooLarge`."""
        name = self.file_of(folder)
        document = self._document(name)
        shape = declared_sizes(document.get("dimensions"), name)[::-1]
        block = declared_sizes(document.get("blockSize"), name)[::-1]
        dtype = number_type(document.get("dataType"), name)
        # tensorstore would read more of the document than is needed, and refuse what it doesn't like there
        metadata = {key: document[key] for key in ("dimensions", "blockSize", "dataType")}
        metadata["compression"] = _codec(document, name)
        key = lambda at: "/".join(map(str, at[::-1]))  # noqa: E731
        # a block begins with its mode, its number of axes and its size along each
        blosc_at = 4 + 4 * len(shape) if metadata["compression"]["type"] == "blosc" else -1
        return checked_array(
            ArrayNode(folder, name, "n5", shape, block, block, dtype, key=key, metadata=metadata, blosc_at=blosc_at)
        )

    def around(self, folder: str, without: Collection[str]) -> list[str]:
        """The documents of the groups around `folder` that are not among `without`."""
        parts = folder.split("/")
        names = (f"{'/'.join(parts[:count])}/{_DOCUMENT}".lstrip("/") for count in range(len(parts)))
        return [name for name in names if name in self._paths and name not in without]

    @cached_property
    def levels(self) -> dict[str, list[str]]:
        """The datasets that are levels of one image, the finest first, by the folder around them."""
        found: dict[str, list[tuple[int, str]]] = {}
        for folder in self.arrays():
            if level := _LEVEL.fullmatch(folder):
                found.setdefault(folder.rpartition("/")[0], []).append((int(level[1]), folder))
        return {around: [folder for _, folder in sorted(listed)] for around, listed in found.items()}


def _images(nodes: N5Nodes, options: Options) -> Iterator[ChunkedImage]:
    levels = nodes.levels
    of_levels = {folder for listed in levels.values() for folder in listed}
    for folder in sorted([*levels, *(folder for folder in nodes.arrays() if folder not in of_levels)]):
        finest = levels[folder][0] if folder in levels else folder
        array = nodes.array(finest)
        # what is said of the image holds for its level s0; a level's own word goes first
        around, own = (nodes.attributes(folder), nodes.attributes(finest))
        parent = nodes.attributes(folder.rpartition("/")[0]) if folder else {}
        said = {**_inherited(parent), **_inherited(around), **own}
        yield ChunkedImage(
            folder, array, said_by_attributes(said, array, options, fastest_first=True, factors=_factors(own, around))
        )


def _inherited(attributes: dict[str, Any]) -> dict[str, Any]:
    """Of a group's attributes what holds for its levels too."""
    return {
        key: attributes[key] for key in ("resolution", "pixelResolution", "units", "unit", "axes") & attributes.keys()
    }


def _factors(own: dict[str, Any], around: dict[str, Any]) -> tuple[float, ...]:
    """How often a level whose steps are said of the whole image was halved, slowest axis first."""
    factors = own.get("downsamplingFactors")
    if any(key in own for key in ("resolution", "pixelResolution", "transform")) or not isinstance(factors, list):
        return ()
    whole = len(factors) == len(own.get("dimensions", ())) and all(type(n) is int and n > 0 for n in factors)
    return tuple(float(n) for n in factors[::-1]) if whole else ()


def _is_document(file: SourceFile) -> bool:
    """Whether `file` describes a dataset or a group of N5: another program's file of that name does not."""
    if file.name.rpartition("/")[2] != _DOCUMENT:
        return False
    return file.head.lstrip()[:1] == b"{"


def _codec(document: dict[str, Any], name: str) -> dict[str, Any]:
    """How blocks are compressed, as tensorstore takes it; raises `UnreadableFile` for a compression that isn't read."""
    said = document.get("compression", document.get("compressionType"))
    said = said if isinstance(said, dict) else {"type": said}
    codec = said.get("type")
    if not isinstance(codec, str) or codec not in _CODECS:
        raise UnreadableFile(
            f"{name}: its blocks are compressed by {str(codec)[:40]!r}, which is not read",
            hint=f"save it with one of {', '.join(_CODECS)}",
        )
    return {"type": codec, **{key: said[key] for key in _CODECS[codec] if key in said}}
