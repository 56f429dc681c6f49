"""Volumes of Neuroglancer's precomputed format: images and segmentations, in chunk files or shards.

Of several scales the finest is read. Source: the format's document "volume".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import isfinite, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import Finding, FoundAsset, Options, Severity, VolumeDescription
from pulvinar.ingest.readers.absence import missing_pieces
from pulvinar.ingest.readers.chunked_volume import ChunkedSource, ChunkedVolume, spread
from pulvinar.ingest.readers.frames import settle
from pulvinar.ingest.readers.precomputed_files import PrecomputedFolder, Sharding
from pulvinar.ingest.readers.precomputed_shards import expected_shards
from pulvinar.ingest.readers.raw_volume import MOST_CHANNELS, check_shape, meaning_dtype
from pulvinar.ingest.readers.zarr_nodes import LARGEST_CHUNK_BYTES, declared_sizes
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Window
from pulvinar.model.volume import VolumeKind

_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32")
_ENCODINGS = ("raw", "jpeg", "png", "compressed_segmentation")
_PASSED_ON = ("encoding", "sharding", "compressed_segmentation_block_size")
_LETTERS = "czyx"
_NAMED = 3
_LOOKED_FOR = 100_000
_MOST_COUNTED = 5_000_000
"""So many chunks are looked for in the indexes of shards."""

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Scale:
    """One scale of a volume: sizes and offsets in voxels (x, y, z), lengths in nanometres."""

    key: str
    size: Sizes
    offset: Sizes
    chunk: Sizes
    resolution_nm: tuple[float, float, float]
    channels: int
    dtype: str
    is_labels: bool
    document: dict[str, Any]

    @property
    def sharded(self) -> bool:
        """Whether its chunks lie in shards."""
        return self.document.get("sharding") is not None

    @property
    def grid(self) -> Sizes:
        """Chunks an axis."""
        return tuple(-(-size // chunk) for size, chunk in zip(self.size, self.chunk, strict=True))

    def chunk_name(self, place: tuple[int, ...]) -> str:
        """The file of the chunk at `place` (x, y, z) of the grid, below the volume's folder."""
        parts = []
        for at, chunk, size, offset in zip(place, self.chunk, self.size, self.offset, strict=True):
            parts.append(f"{offset + at * chunk}-{offset + min((at + 1) * chunk, size)}")
        return f"{self.key}/{'_'.join(parts)}"


def is_volume(info: dict[str, Any]) -> bool:
    """Whether an `info` is a volume's: old ones don't say their type."""
    said = info.get("@type")
    return said == "neuroglancer_multiscale_volume" or (said is None and {"scales", "data_type"} <= info.keys())


def finest_scale(folder: PrecomputedFolder) -> Scale:
    """The scale with the most voxels. Raises `UnreadableFile` and `TooLarge` for one that can't be read."""
    info, name = folder.info, folder.info_name
    dtype = str(info.get("data_type", "")).lower()
    if dtype not in _TYPES:
        raise UnreadableFile(
            f"{name}: its voxels are {str(info.get('data_type'))[:40]!r}, which is no type of the format"
        )
    channels = info.get("num_channels", 1)
    if type(channels) is not int or not 0 < channels <= MOST_CHANNELS:
        raise UnreadableFile(f"{name}: it declares {str(channels)[:40]} channels", hint="repair the document")
    listed = info.get("scales")
    if not isinstance(listed, list) or not listed or not all(isinstance(scale, dict) for scale in listed):
        raise UnreadableFile(f"{name}: it lists no scales", hint="repair the document")
    scales = [_scale(said, dtype, channels, info.get("type") == "segmentation", folder) for said in listed[:64]]
    return max(scales, key=lambda scale: prod(scale.size))


def _scale(said: dict[str, Any], dtype: str, channels: int, is_labels: bool, folder: PrecomputedFolder) -> Scale:
    name, key = folder.info_name, said.get("key")
    if not isinstance(key, str):
        raise UnreadableFile(f"{name}: a scale of it has no key", hint="repair the document")
    folder.path_of(key)
    size = declared_sizes(said.get("size"), name)
    chunks = said.get("chunk_sizes")
    chunk = declared_sizes(chunks[0] if isinstance(chunks, list) and chunks else None, name)
    offset = said.get("voxel_offset", [0, 0, 0])
    if not isinstance(offset, list) or not all(type(at) is int and abs(at) < 1 << 40 for at in offset):
        raise UnreadableFile(f"{name}: its voxel_offset {str(offset)[:60]} can't be", hint="repair the document")
    if not len(size) == len(chunk) == len(offset) == 3:
        raise UnreadableFile(f"{name}: a scale of it has not three axes", hint="repair the document")
    if prod(chunk) * channels * np.dtype(dtype).itemsize > LARGEST_CHUNK_BYTES:
        raise TooLarge(f"{name}: one chunk of it has {chunk} voxels", hint="save it with smaller chunks")
    resolution = said.get("resolution")
    if not isinstance(resolution, list) or len(resolution) != 3 or not all(map(_is_length, resolution)):
        raise UnreadableFile(f"{name}: its resolution {str(resolution)[:60]} can't be", hint="repair the document")
    if said.get("encoding") not in _ENCODINGS:
        raise UnreadableFile(
            f"{name}: its chunks are encoded as {str(said.get('encoding'))[:40]!r}, which is not read",
            hint=f"save it as one of {', '.join(_ENCODINGS)}",
        )
    x, y, z = (float(length) for length in resolution)
    document = {part: said[part] for part in _PASSED_ON if said.get(part) is not None}
    return Scale(key, size, tuple(offset), chunk, (x, y, z), channels, dtype, is_labels, document)


def _is_length(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value) and value > 0


def volume_asset(reader: str, folder: PrecomputedFolder, files: tuple[str, ...], options: Options) -> FoundAsset:
    """The volume in `folder` as an asset."""
    scale = finest_scale(folder)
    kind = options.kind or (VolumeKind.LABELS if scale.is_labels else None)
    shape = spread(_LETTERS, (scale.channels, *scale.size[::-1]))
    check_shape(shape, folder.info_name)
    block = [min(pair) for pair in zip(scale.chunk, scale.size, strict=True)][::-1]
    x, y, z = (float(f"{length / 1000:.7g}") for length in scale.resolution_nm)
    size_um, affine_um = settle((z, y, x), None, shape[2:], options)
    header: dict[str, Any] = {"format": "neuroglancer_precomputed", "scale": scale.key, "stored_dtype": scale.dtype}
    header |= {"voxel_offset": list(scale.offset), "encoding": str(scale.document["encoding"])}
    return FoundAsset(
        reader,
        key=f"{folder.name}#",
        name=folder.name.rpartition("/")[2].removesuffix(".precomputed") or "volume",
        kind=AssetKind.VOLUME,
        files=files,
        volume=VolumeDescription(
            shape,
            meaning_dtype(scale.dtype, kind),
            spread(_LETTERS, (scale.channels, *block)),
            size_um,
            affine_um,
            kind,
        ),
        findings=tuple(_findings(scale, folder, options)),
        metadata={"header": header},
    )


def _findings(scale: Scale, folder: PrecomputedFolder, options: Options) -> Iterator[Finding]:
    if scale.document["encoding"] == "jpeg":
        yield Finding(Severity.NOTE, "its chunks are compressed by JPEG: its values are not those that were recorded")
    if any(scale.offset):
        text = f"its first voxel lies at {', '.join(map(str, scale.offset[::-1]))} (z, y, x, in voxels) of its space"
        yield Finding(Severity.NOTE, text)
    expected = prod(scale.grid)
    if scale.sharded:
        yield from _missing_in_shards(scale, folder, options)
        return
    base = f"{folder.path_of(scale.key)}/"
    stored = sum(name.startswith(base) for name in folder.files)
    if stored < expected:
        places = (scale.chunk_name(place) for place in islice(product(*map(range, scale.grid)), _LOOKED_FOR))
        shown = [folder.path_of(name) for name in islice((name for name in places if not folder.find(name)), _NAMED)]
        yield missing_pieces(
            f"{expected - stored} of its {expected} chunks are not stored",
            "fill",
            options,
            _named(shown, expected - stored),
        )


def _missing_in_shards(scale: Scale, folder: PrecomputedFolder, options: Options) -> Iterator[Finding]:
    """What is to be said of shards that are not there, and of chunks that are in none of those that are."""
    shards = folder.shards(scale.key)
    if not shards:
        raise UnreadableFile(
            f"{folder.info_name}: none of the shards of {scale.key} are stored", hint="copy the whole folder again"
        )
    sharding = Sharding.of(scale.document["sharding"], folder.info_name)
    stored = {name.rpartition("/")[2] for name in shards}
    names = expected_shards(scale.grid, scale.document["sharding"])
    if absent := [name for name in names or () if name not in stored]:
        shown = [folder.path_of(f"{scale.key}/{name}") for name in absent[:_NAMED]]
        text = f"{len(absent)} of its {len(names or ())} shards are not stored"
        yield missing_pieces(text, "fill", options, _named(shown, len(absent)))
        return
    expected = prod(scale.grid)
    if expected > _MOST_COUNTED:
        text = f"whether all of its {expected} chunks are in its shards was not looked at: a missing one reads as fill"
        yield Finding(Severity.DOUBT, text)
        return
    held = sum(1 for shard in shards for _, extent in sharding.entries(folder, shard) if extent.size)
    if held < expected:
        yield missing_pieces(f"{expected - held} of its {expected} chunks are in none of its shards", "fill", options)


def _named(shown: Sequence[str], count: int) -> str:
    return f" ({', '.join(shown)}{', ...' if count > len(shown) else ''})" if shown else ""


def open_precomputed(folder: PrecomputedFolder, asset: FoundAsset) -> ChunkedVolume:
    """The finest scale, open; nothing is read yet."""
    assert asset.volume is not None
    scale = finest_scale(folder)
    path = folder.path_of(scale.key)
    packed = any(name.startswith(f"{path}/") and name.endswith(".gz") for name in folder.files)
    kvstore = {"driver": "memory"} if packed else {"driver": "file", "path": f"{folder.root / folder.name}/"}
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": kvstore,
        "multiscale_metadata": {
            "type": "segmentation" if scale.is_labels else "image",
            "data_type": scale.dtype,
            "num_channels": scale.channels,
        },
        "scale_metadata": {
            **scale.document,
            "key": scale.key,
            "size": scale.size,
            "voxel_offset": scale.offset,
            "chunk_size": scale.chunk,
            "resolution": scale.resolution_nm,
        },
    }
    source = ChunkedSource(spec, _LETTERS, folder.root, folder.info_name, asset.name, reverse=True)
    if packed:
        return _PackedVolume(source, asset.volume.dtype, folder, scale)
    return ChunkedVolume(source, asset.volume.dtype)


class _PackedVolume(ChunkedVolume):
    """A volume whose chunk files are packed with gzip: those that a window touches are unpacked into memory."""

    def __init__(self, source: ChunkedSource, dtype: str, folder: PrecomputedFolder, scale: Scale) -> None:
        super().__init__(source, dtype)
        self._folder = folder
        self._scale = scale
        # labels that don't repeat take more room encoded than as they are
        self._most_bytes = 2 * prod(scale.chunk) * scale.channels * np.dtype(scale.dtype).itemsize + (1 << 20)

    def read_into(self, window: Window, out: npt.NDArray[Any]) -> None:
        """Fill `out`, of `window.shape` and the described dtype."""
        touched = [
            range(start // chunk, -(-stop // chunk))
            for start, stop, chunk in zip(window.start[:1:-1], window.stop[:1:-1], self._scale.chunk, strict=True)
        ]
        names = [self._scale.chunk_name(place) for place in product(*touched)]
        held = [name for name in names if self._folder.find(name)]
        for name in held:
            self.files[name] = self._folder.read(name, self._most_bytes)
        super().read_into(window, out)
        for name in held:
            del self.files[name]
