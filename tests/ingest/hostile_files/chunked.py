"""N5 and Neuroglancer's precomputed folders: documents that lie, names that lead out, chunks that are bombs."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tensorstore as ts
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile

_VOXELS = np.random.default_rng(7).integers(1, 60_000, (8, 16, 16)).astype(np.uint16)
Change = Callable[[dict[str, Any]], Any]


def _edited(path: Path, change: Change) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


# --- N5 ---

_BLOCK = "brain/1/0/1"


_COMPRESSIONS = {"gzip": {"type": "gzip"}, "blosc": {"type": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}}


def n5(folder: Path, compression: str = "gzip") -> Path:
    """A dataset of eight blocks, by tensorstore, with what viewers need to know of it."""
    spec = {
        "driver": "n5",
        "kvstore": {"driver": "file", "path": f"{folder}/given.n5/brain/"},
        "metadata": {
            "dimensions": [16, 16, 8],
            "blockSize": [8, 8, 4],
            "dataType": "uint16",
            "compression": _COMPRESSIONS[compression],
        },
    }
    ts.open(spec, create=True).result()[...] = _VOXELS.T
    about = folder / "given.n5/brain/attributes.json"
    _edited(about, lambda said: said.update(pixelResolution={"unit": "um", "dimensions": [2.0, 2.0, 2.0]}))
    return folder / "given.n5"


N5 = Good("n5", n5, {"brain": _VOXELS})
N5_BLOSC = Good("n5, blosc", lambda folder: n5(folder, "blosc"), {"brain": _VOXELS})
_SPARSE = _VOXELS.copy()
_SPARSE[4:, :8, 8:] = 0


def _n5(name: str, because: str, change: Change) -> None:
    def make(folder: Path) -> Path:
        given = n5(folder)
        _edited(given / "brain/attributes.json", change)
        return given

    hostile(f"n5: {name}", Refused(because, names="brain"), N5)(make)


_n5("a shape of 1e15", "declares the sizes", lambda said: said.update(dimensions=[10**15, 16, 8]))
_n5("negative dimensions", "declares the sizes", lambda said: said.update(dimensions=[-16, 16, 8]))
_n5("blocks of no voxel", "declares the sizes", lambda said: said.update(blockSize=[0, 8, 4]))
_n5("blocks of a terabyte", "one chunk of it holds", lambda said: said.update(blockSize=[10_000] * 3))
_n5("a type that isn't one", "brain", lambda said: said.update(dataType="object"))


def _n5_block(name: str, outcome: Refused | Ingested, twin: Good, change: Callable[[Path, Path], Any],
              flags: tuple[str, ...] | None = None) -> None:  # fmt: skip
    def make(folder: Path) -> Path:
        given = twin.make(folder)
        change(given / _BLOCK, folder)
        return given

    hostile(f"n5: {name}", outcome, twin, flags)(make)


def _link(block: Path, folder: Path) -> None:
    block.rename(folder / "block")
    block.symlink_to(folder / "block")


def _cut(block: Path, folder: Path) -> None:
    block.write_bytes(block.read_bytes()[:-40])


def _n5_bomb(packed: bytes) -> Callable[[Path, Path], Any]:
    """A block of the right head with something else behind it."""
    return lambda block, folder: block.write_bytes(block.read_bytes()[:16] + packed)


_ZEROS = np.zeros(1 << 30, np.uint8)
_n5_block("a block that is a link", Refused("is a link", names=_BLOCK), N5, _link)
_n5_block("a block that is cut off", Refused("is damaged", names=_BLOCK), N5, _cut)
_n5_block("a block that is a gz bomb", Refused("is damaged", names=_BLOCK), N5,
          lambda block, folder: _n5_bomb(imagecodecs.gzip_encode(_ZEROS))(block, folder))  # fmt: skip
_n5_block("a block that is a blosc bomb", Refused("it unpacks to 1073741824 bytes", names=_BLOCK), N5_BLOSC,
          lambda block, folder: _n5_bomb(imagecodecs.blosc_encode(_ZEROS))(block, folder))  # fmt: skip
_n5_block("a missing block", Refused("are empty and not lost", names="--sparse"), N5,
          lambda block, folder: block.unlink())  # fmt: skip
_n5_block("a missing block, and a person says that it is empty", Ingested({"brain": _SPARSE}), N5,
          lambda block, folder: block.unlink(), ("--sparse",))  # fmt: skip

# --- precomputed ---

_CHUNK = "fine/8-16_0-8_4-8"


def precomputed(folder: Path, voxels: np.ndarray | None = _VOXELS, **scale: Any) -> Path:
    """An image of eight chunks, by tensorstore; one that nothing is written of where `voxels` is None."""
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/brain/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint16", "num_channels": 1},
        "scale_metadata": {
            "size": [16, 16, 8], "resolution": [400, 500, 2000], "chunk_size": [8, 8, 4], "encoding": "raw",
            "key": "fine", **scale,
        },
    }  # fmt: skip
    store = ts.open(spec, create=True).result()
    if voxels is not None:
        store[...] = voxels.T[..., None]
    return folder / "brain"


PRECOMPUTED = Good("precomputed", precomputed, {"brain": _VOXELS})


def _scale(name: str, because: str, **says: Any) -> None:
    def make(folder: Path) -> Path:
        given = precomputed(folder)
        _edited(given / "info", lambda said: said["scales"][0].update(says))
        return given

    hostile(f"precomputed: {name}", Refused(because, names="info"), PRECOMPUTED)(make)


_scale("a key that leads out", "is not the name of a file", key="../../secret")
_scale("a key from the root", "is not the name of a file", key="/etc")
_scale("a shape of 1e15", "declares the sizes", size=[10**15, 16, 8])
_scale("chunks of no voxel", "declares the sizes", chunk_sizes=[[0, 8, 4]])
_scale("chunks of a terabyte", "one chunk of it has", chunk_sizes=[[10_000] * 3])
_scale("a voxel of no length", "resolution", resolution=[0, 500, 2000])


def _chunk(name: str, because: str, change: Callable[[Path, Path], Any]) -> None:
    def make(folder: Path) -> Path:
        given = precomputed(folder)
        change(given / _CHUNK, folder)
        return given

    hostile(f"precomputed: {name}", Refused(because, names=_CHUNK), PRECOMPUTED)(make)


def _packed_bomb(chunk: Path, folder: Path) -> None:
    chunk.unlink()
    chunk.with_name(f"{chunk.name}.gz").write_bytes(gzip.compress(bytes(256 << 20)))


_chunk("a chunk that is a link", "is a link", _link)
_chunk("a chunk that is cut off", "is damaged", _cut)
_chunk("a chunk that is a gz bomb", _CHUNK, _packed_bomb)
_chunk("a missing chunk", "are empty and not lost", lambda chunk, folder: chunk.unlink())


@hostile(
    "precomputed: a missing chunk, and a person says that it is empty",
    Ingested({"brain": _SPARSE}),
    PRECOMPUTED,
    ("--sparse",),
)
def sparse(folder: Path) -> Path:
    """As N5's."""
    given = precomputed(folder)
    (given / _CHUNK).unlink()
    return given


_SHARD = "fine/2.shard"
_SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": 0, "hash": "identity", "minishard_bits": 1,
    "shard_bits": 2, "minishard_index_encoding": "gzip", "data_encoding": "gzip",
}  # fmt: skip
# chunks 4 and 5 of the eight
_WITHOUT_SHARD = _VOXELS.copy()
_WITHOUT_SHARD[4:, :8] = 0


def sharded(folder: Path) -> Path:
    """The image of eight chunks in four shards."""
    return precomputed(folder, sharding=_SHARDING)


SHARDED = Good("precomputed in shards", sharded, {"brain": _VOXELS})


def _without_shard(folder: Path) -> Path:
    given = sharded(folder)
    (given / _SHARD).unlink()
    return given


hostile("precomputed: a missing shard", Refused("1 of its 4 shards are not stored", names=_SHARD), SHARDED)(
    _without_shard
)
hostile(
    "precomputed: a missing shard, and a person says that it is empty",
    Ingested({"brain": _WITHOUT_SHARD}),
    SHARDED,
    ("--sparse",),
)(_without_shard)


def _without_chunk(folder: Path) -> Path:
    """Each chunk is written by itself, but for one that shares its shard with another."""
    whole = ts.open({"driver": "neuroglancer_precomputed", "kvstore": f"file://{sharded(folder)}/"}).result()
    (folder / "again").mkdir()
    given = precomputed(folder / "again", voxels=None, sharding=_SHARDING)
    store = ts.open({"driver": "neuroglancer_precomputed", "kvstore": f"file://{given}/"}).result()
    for x, y, z in product((0, 8), (0, 8), (0, 4)):
        if (x, y, z) != (8, 0, 4):
            box = (slice(x, x + 8), slice(y, y + 8), slice(z, z + 4))
            store[box].write(whole[box].read().result()).result()
    return given


hostile(
    "precomputed: a chunk that is in no shard",
    Refused("1 of its 8 chunks are in none of its shards", names="--sparse"),
    SHARDED,
)(_without_chunk)
hostile(
    "precomputed: a chunk that is in no shard, and a person says that it is empty",
    Ingested({"brain": _SPARSE}),
    SHARDED,
    ("--sparse",),
)(_without_chunk)


def _mesh(folder: Path, fragment: str = "7.fragment") -> Path:
    corners = np.array([[0, 0, 0], [1000, 0, 0], [0, 2000, 0]], "<f4")
    given = folder / "mesh"
    given.mkdir()
    (given / "info").write_text('{"@type": "neuroglancer_legacy_mesh"}')
    (given / "7:0").write_text(json.dumps({"fragments": [fragment]}))
    body = struct.pack("<I", 3) + corners.tobytes() + struct.pack("<3I", 0, 1, 2)
    (given / "7.fragment").write_bytes(body)
    (folder / "secret").write_bytes(body)
    return given


MESH = Good("precomputed mesh", _mesh, {"segment 7": {"x_um": [0, 1, 0], "y_um": [0, 0, 2], "z_um": [0, 0, 0]}})


@hostile("precomputed: a fragment that leads out", Refused("is not the name of a file", names="info"), MESH)
def fragment(folder: Path) -> Path:
    """A mesh beside what was handed in."""
    return _mesh(folder, "../secret")


def _skeleton(folder: Path, edges: list[list[int]]) -> Path:
    given = folder / "skeletons"
    given.mkdir()
    (given / "info").write_text('{"@type": "neuroglancer_skeletons"}')
    places = np.arange(12, dtype="<f4") * 1000
    body = struct.pack("<2I", 4, len(edges)) + places.tobytes() + np.array(edges, "<u4").tobytes()
    (given / "7").write_bytes(body)
    return given


SKELETON = Good(
    "precomputed skeleton",
    lambda folder: _skeleton(folder, [[0, 1], [1, 2], [3, 2]]),
    {"segment 7": {"parent": [-1, 0, 1, 2], "x_um": [0, 3, 6, 9]}},
)


def _ring(name: str, because: str, edges: list[list[int]]) -> None:
    hostile(f"precomputed: {name}", Refused(because, names="7"), SKELETON)(lambda folder: _skeleton(folder, edges))


_ring("a skeleton in a ring", "in a ring", [[0, 1], [1, 2], [2, 3], [3, 1]])
_ring("a skeleton's node that is not there", "node that is not there", [[0, 1], [2, 9]])
