"""How a Zarr image that others own lies in its place: its levels, and each one's chunks as Zarr v3 states them.

Arrays of Zarr 2 are stated in the words of Zarr 3 where these have the same meaning, for their chunks' bytes are the
same. What can't be stated so is refused: it can be ingested instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.chunked_image import ChunkedImage
from pulvinar.ingest.readers.chunked_volume import spread
from pulvinar.ingest.readers.ome_zarr import multiscales
from pulvinar.ingest.readers.zarr_nodes import ArrayNode, ZarrNodes
from pulvinar.model.volume import AXES, Level, Triple
from pulvinar.storage.codecs import CHECKSUM, LITTLE_ENDIAN, checked_dtype
from pulvinar.storage.external_volume import ExternalArray, check_shards

_MOST_LEVELS = 64
_SHUFFLES = {0: "noshuffle", 1: "shuffle", 2: "bitshuffle"}
_CODECS = ("bytes", "blosc", "gzip", "zstd", "crc32c", "transpose")
_INDEX_CODECS = [LITTLE_ENDIAN, CHECKSUM]
_HINT = "bring it in by pulvinar ingest instead, which makes a copy"


@dataclass(frozen=True)
class Step:
    """A level against the finest: sizes as multiples of its voxel, and where its first voxel lies, in its voxels."""

    factors: Triple
    shift: Triple


def level_folders(nodes: ZarrNodes, folder: str = "") -> list[str]:
    """The arrays of the image in `folder`, the finest first: one where it is no image of several levels."""
    listed = multiscales(nodes.attributes(folder))
    if not listed:
        return [folder]
    datasets = listed[0].get("datasets")
    paths = [item.get("path") for item in datasets if isinstance(item, dict)] if isinstance(datasets, list) else []
    if not 0 < len(paths) <= _MOST_LEVELS:
        raise UnreadableFile(
            f"{nodes.file_of(folder)}: its multiscales list {len(paths)} datasets", hint="save it again"
        )
    return [nodes.child(folder, path) for path in paths]


def external_levels(
    nodes: ZarrNodes, image: ChunkedImage, size_um: Triple
) -> tuple[tuple[Level, ...], tuple[ExternalArray, ...]]:
    """The levels of `image`, whose finest voxel is `size_um`, and how each lies in its place.

    Raises `UnreadableFile` for what can't be served as it is: other codecs, axes in another order, levels that don't
    belong together.
    """
    letters = image.said.letters
    if sorted(letters, key=AXES.index) != list(letters):
        raise UnreadableFile(f"{image.array.file}: its axes are in the order {letters}, not t, c, z, y, x", hint=_HINT)
    folders = level_folders(nodes, image.folder)
    arrays = [nodes.array(folder) for folder in folders]
    steps = _steps(nodes, image, arrays)
    levels = []
    for array, step in zip(arrays, steps, strict=True):
        if array.dtype != image.array.dtype or len(array.shape) != len(letters):
            raise UnreadableFile(f"{array.file} does not have the type and the axes of the finest level", hint=_HINT)
        levels.append(_level(array, letters, step, size_um))
    if len({level.shape[:2] for level in levels}) > 1:
        raise UnreadableFile(f"{image.array.file}: its levels have other time points or channels", hint=_HINT)
    checked_dtype(np.dtype(image.array.dtype))
    return tuple(levels), tuple(_external(array, letters, nodes.document(array.folder)) for array in arrays)


def _level(array: ArrayNode, letters: str, step: Step, size_um: Triple) -> Level:
    if any(outer % inner for outer, inner in zip(array.grid, array.chunks, strict=True)):
        raise UnreadableFile(f"{array.file}: its shards {array.grid} hold no whole chunks {array.chunks}", hint=_HINT)
    level = Level(
        shape=spread(letters, array.shape),
        voxel_size_um=_times(size_um, step.factors),
        translation_um=_times(size_um, step.shift),
        chunk_shape=spread(letters, array.chunks),
        shard_shape=spread(letters, array.grid),
    )
    check_shards(level)
    return level


def _times(a: Triple, b: Triple) -> Triple:
    z, y, x = (float(f"{one * other:.12g}") for one, other in zip(a, b, strict=True))
    return z, y, x


def _steps(nodes: ZarrNodes, image: ChunkedImage, arrays: Sequence[ArrayNode]) -> list[Step]:
    """Each level against the finest, as the image says it, else from the levels' shapes."""
    letters, listed = image.said.letters, multiscales(nodes.attributes(image.folder))
    said = [item for item in listed[0]["datasets"] if isinstance(item, dict)] if listed else [{}]
    scales = [_vector(item, "scale", letters) for item in said]
    shifts = [_vector(item, "translation", letters) for item in said]
    steps = []
    for array, scale, shift in zip(arrays, scales, shifts, strict=True):
        if scale is None or scales[0] is None:
            shapes = zip(spread(letters, arrays[0].shape)[2:], spread(letters, array.shape)[2:], strict=True)
            factors, moved = [float(max(round(a / b), 1)) for a, b in shapes], [0.0] * 3
        else:
            factors = [a / b for a, b in zip(scale, scales[0], strict=True)]
            first, here = shifts[0] or [0.0] * 3, shift or [0.0] * 3
            moved = [(b - a) / size for a, b, size in zip(first, here, scales[0], strict=True)]
        steps.append(Step((factors[0], factors[1], factors[2]), (moved[0], moved[1], moved[2])))
    return steps


def _vector(dataset: dict[str, Any], kind: str, letters: str) -> list[float] | None:
    """The (z, y, x) of a dataset's scale or translation, where it has one."""
    transformations = dataset.get("coordinateTransformations")
    for item in transformations if isinstance(transformations, list) else []:
        values = item.get(kind) if isinstance(item, dict) and item.get("type") == kind else None
        if isinstance(values, list) and len(values) == len(letters) and all(map(_is_number, values)):
            by_axis = dict(zip(letters, map(float, values), strict=True))
            return [by_axis.get(axis, 1.0 if kind == "scale" else 0.0) for axis in "zyx"]
    return None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


def _external(array: ArrayNode, letters: str, document: dict[str, Any]) -> ExternalArray:
    v3 = array.driver == "zarr3"
    # a chunk's name is asked for, rather than its encoding read again
    prefix, separator = ("c" if array.key((7,)).startswith("c") else ""), array.key((1, 1))[-2]
    codecs, index_at = _codecs_v3(array, document) if v3 else (_codecs_v2(array, document), "")
    fill = document.get("fill_value")
    return ExternalArray(
        path=array.folder,
        axes=letters,
        prefix=prefix,
        separator=separator,
        codecs=tuple(_with_all_axes(codec, letters, array.file) for codec in codecs),
        fill_value=0 if fill is None else fill,
        index_at=index_at,
    )


def _codecs_v3(array: ArrayNode, document: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """The codecs of one chunk, and where a shard has its index."""
    codecs, index_at = document.get("codecs"), ""
    listed = [{"name": one} if isinstance(one, str) else one for one in codecs] if isinstance(codecs, list) else []
    if len(listed) == 1 and isinstance(listed[0], dict) and listed[0].get("name") == "sharding_indexed":
        said = listed[0].get("configuration")
        said = said if isinstance(said, dict) else {}
        index_at = said.get("index_location", "end")
        if index_at not in ("start", "end") or said.get("index_codecs") != _INDEX_CODECS:
            raise UnreadableFile(
                f"{array.file}: the index of its shards is written in a way that isn't read", hint=_HINT
            )
        inner = said.get("codecs")
        listed = inner if isinstance(inner, list) else []
    for codec in listed or [None]:
        if not isinstance(codec, dict) or codec.get("name") not in _CODECS:
            name = codec.get("name") if isinstance(codec, dict) else codec
            raise UnreadableFile(f"{array.file}: its codec {str(name)[:40]!r} is not served as it is", hint=_HINT)
    if sum(codec.get("name") == "bytes" for codec in listed) != 1:
        raise UnreadableFile(f"{array.file}: its codecs don't say how numbers become bytes", hint=_HINT)
    return listed, index_at


def _codecs_v2(array: ArrayNode, document: dict[str, Any]) -> list[dict[str, Any]]:
    """The codecs of Zarr 3 that give the same bytes."""
    dtype, name = np.dtype(array.dtype), array.file
    if document.get("filters"):
        raise UnreadableFile(f"{name}: its filters can't be stated in Zarr 3", hint=_HINT)
    codecs: list[dict[str, Any]] = []
    if document.get("order") == "F":
        codecs.append({"name": "transpose", "configuration": {"order": list(range(len(array.shape)))[::-1]}})
    endian = "big" if dtype.byteorder == ">" else "little"
    codecs.append({"name": "bytes", "configuration": {"endian": endian}})
    said = document.get("compressor")
    if said is None:
        return codecs
    said = said if isinstance(said, dict) else {}
    level = said.get("level")
    if said.get("id") == "blosc":
        shuffle = said.get("shuffle")
        shuffle = (2 if dtype.itemsize == 1 else 1) if shuffle == -1 else shuffle
        packed = {"cname": said.get("cname"), "clevel": said.get("clevel"), "blocksize": said.get("blocksize", 0)}
        packed |= {"shuffle": _SHUFFLES.get(shuffle or 0), "typesize": dtype.itemsize}
        return [*codecs, {"name": "blosc", "configuration": packed}]
    if said.get("id") == "zstd":
        return [
            *codecs,
            {"name": "zstd", "configuration": {"level": level or 0, "checksum": bool(said.get("checksum"))}},
        ]
    if said.get("id") == "gzip":
        return [*codecs, {"name": "gzip", "configuration": {"level": 1 if level is None else level}}]
    raise UnreadableFile(f"{name}: its compressor {str(said.get('id'))[:40]!r} can't be stated in Zarr 3", hint=_HINT)


def _with_all_axes(codec: dict[str, Any], letters: str, name: str) -> dict[str, Any]:
    """`codec` for an array of five axes: those that the source doesn't have are of length 1, and come first."""
    if codec.get("name") != "transpose":
        return codec
    configuration = codec.get("configuration")
    order = configuration.get("order") if isinstance(configuration, dict) else None
    if not isinstance(order, list) or sorted(order) != list(range(len(letters))):
        raise UnreadableFile(f"{name}: its transpose {str(order)[:60]} can't be", hint=_HINT)
    places = [AXES.index(letter) for letter in letters]
    absent = [at for at in range(len(AXES)) if at not in places]
    return {"name": "transpose", "configuration": {"order": [*absent, *(places[at] for at in order)]}}
