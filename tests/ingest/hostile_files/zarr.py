"""Zarr: documents that lie, chunks that are bombs, links or not there, references to other files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import imagecodecs
import numpy as np
import zarr
import zarr.codecs
from tests.ingest.hostile_files.bombs import zlib_bomb
from tests.ingest.hostile_files.case import Good, Ingested, Refused, hostile

VOXELS = np.random.default_rng(3).integers(1, 60_000, (8, 16, 16)).astype(np.uint16)
_AXES = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]


def image(folder: Path, version: str = "0.5", scale: Any = (2.0, 2.0, 2.0), path: str = "0", **array: Any) -> Path:
    """An OME-Zarr of eight chunks and one level, by zarr-python."""
    root = folder / "brain.ome.zarr"
    group = zarr.open_group(root, mode="w", zarr_format=3 if version == "0.5" else 2)
    group.create_array("0", data=VOXELS, chunks=(4, 8, 8), **array)
    transformations = [{"type": "scale", "scale": scale}]
    about = {
        "multiscales": [
            {
                "axes": _AXES,
                "datasets": [{"path": path, "coordinateTransformations": transformations}],
                "version": version,
            }
        ]
    }
    group.attrs.update({"ome": {"version": "0.5", **about}} if version == "0.5" else about)
    return root


def older(folder: Path) -> Path:
    """OME-Zarr 0.4 in Zarr 2, with zlib."""
    return image(folder, "0.4", compressors={"id": "zlib", "level": 1})


ZARR = Good("ome-zarr 0.5", image, {"brain": VOXELS})
OLDER = Good("ome-zarr 0.4", older, {"brain": VOXELS})
CHUNK, OLD_CHUNK = "0/c/1/0/1", "0/1.0.1"


def edited(root: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The image with a document that `change` has been through."""
    document = json.loads((root / name).read_text())
    change(document)
    (root / name).write_text(json.dumps(document))
    return root


def _lying(name: str, because: str, change: Callable[[dict[str, Any]], Any]) -> None:
    refused = Refused(because, names="zarr.json")
    hostile(f"zarr: {name}", refused, ZARR)(lambda folder: edited(image(folder), "0/zarr.json", change))


def _grid(*sizes: int) -> Callable[[dict[str, Any]], Any]:
    return lambda said: said["chunk_grid"]["configuration"].update(chunk_shape=list(sizes))


def _shape(*sizes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda said: said.update(shape=list(sizes))


_lying("chunks of no voxel", "declares the sizes", _grid(0, 8, 8))
_lying("chunks of a negative size", "declares the sizes", _grid(4, -8, 8))
_lying("chunk of a terabyte", "one chunk of it holds", _grid(10_000, 10_000, 10_000))
_lying("shape of 1e15", "declares the sizes", _shape(10**15, 16, 16))
_lying("shape whose product is 1e15", "of voxels, more than the limit", _shape(10**5, 10**5, 10**5))
_lying("shape of NaN", "declares the sizes", _shape(float("nan"), 16, 16))
_lying("a type that is no number", "not numbers", lambda said: said.update(data_type="|O"))


@hostile("zarr: shape of voxels that nobody has written", Refused("--sparse", names="brain"), ZARR)
def mostly_nothing(folder: Path) -> Path:
    """A terabyte is declared, eight chunks are there."""
    return edited(image(folder), "0/zarr.json", _shape(8000, 8000, 8000))


@hostile("zarr: a chunk is missing", Refused("--sparse", names="brain"), ZARR)
def missing(folder: Path) -> Path:
    """It would read as fill."""
    root = image(folder)
    (root / CHUNK).unlink()
    return root


@hostile("zarr: a chunk is missing that the next level shows", Refused("is missing", names=CHUNK), ZARR)
def lost(folder: Path) -> Path:
    """A coarser level knows better than fill."""
    root = _with_next_level(image(folder))
    (root / CHUNK).unlink()
    return root


def _with_next_level(root: Path) -> Path:
    zarr.open_group(root).create_array("1", data=VOXELS[::2, ::2, ::2], chunks=(4, 8, 8))
    return edited(root, "zarr.json", lambda said: said["attributes"]["ome"]["multiscales"][0]["datasets"].append(
        {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [4.0, 4.0, 4.0]}]}
    ))  # fmt: skip


EMPTY = VOXELS.copy()
EMPTY[4:, :8, 8:] = 0


@hostile("zarr: a missing chunk, and a person says that it is empty", Ingested({"brain": EMPTY}), ZARR, ("--sparse",))
def sparse(folder: Path) -> Path:
    """Fill is what it means."""
    return missing(folder)


@hostile("zarr: a chunk is a link to a file of the system", Refused("is a link", names=CHUNK), ZARR)
def link_out(folder: Path) -> Path:
    """To /etc/passwd."""
    root = missing(folder)
    (root / CHUNK).symlink_to("/etc/passwd")
    return root


@hostile("zarr: a chunk is a link to a neighbour's", Refused("is a link", names=CHUNK), ZARR)
def link_beside(folder: Path) -> Path:
    """To a chunk outside of what was handed in."""
    root = image(folder)
    shutil.move(root / CHUNK, folder / "chunk")
    (root / CHUNK).symlink_to(folder / "chunk")
    return root


@hostile("zarr: a chunk is a link to another chunk", Refused("is a link", names=CHUNK), ZARR)
def link_within(folder: Path) -> Path:
    """Links are not followed, wherever they lead."""
    root = missing(folder)
    (root / CHUNK).symlink_to(root / "0/c/0/0/0")
    return root


@hostile("zarr: a chunk is cut off", Refused("is damaged", names="c/1/0/1"), ZARR)
def cut(folder: Path) -> Path:
    """Half of it."""
    root = image(folder)
    (root / CHUNK).write_bytes((root / CHUNK).read_bytes()[:-40])
    return root


@hostile("zarr: a chunk is a bomb", Refused("is damaged", names="1.0.1"), OLDER)
def bomb(folder: Path) -> Path:
    """Four gigabytes where 512 bytes belong."""
    root = older(folder)
    (root / OLD_CHUNK).write_bytes(zlib_bomb(4 << 30))
    return root


# --- shards: many chunks in a file, with a list of them at its end ---

_SHARD, _SPOILED, _INDEX_BYTES = "0/c/0/0/0", 5, 16 * 8


def sharded(folder: Path, packer: Any = None) -> Path:
    """The image in one shard of eight chunks, packed by blosc unless something else is said."""
    return image(folder, shards=VOXELS.shape, compressors=packer or zarr.codecs.BloscCodec())


_ZEROS = np.zeros(1 << 30, np.uint8)
SHARDED = Good("ome-zarr in shards, blosc", sharded, {"brain": VOXELS})
SHARDED_ZSTD = Good(
    "ome-zarr in shards, zstd", lambda folder: sharded(folder, zarr.codecs.ZstdCodec()), {"brain": VOXELS}
)
SHARDED_GZIP = Good(
    "ome-zarr in shards, gzip", lambda folder: sharded(folder, zarr.codecs.GzipCodec()), {"brain": VOXELS}
)


def _with_bomb(folder: Path, packer: Any, bomb: bytes) -> Path:
    """One of the chunks in the shard is `bomb`."""
    root = sharded(folder, packer)
    begin = (root / _SHARD).stat().st_size - _INDEX_BYTES - 4
    return _placed(root, (begin, len(bomb)), bomb)


def _placed(root: Path, place: tuple[int, int], more: bytes = b"") -> Path:
    """The image whose shard has `more` behind its chunks, and says of one of them that it lies at `place`."""
    content = (root / _SHARD).read_bytes()
    index = np.frombuffer(content[-_INDEX_BYTES - 4 : -4], "<u8").reshape(8, 2).copy()
    index[_SPOILED] = place
    checksum = google_crc32c.value(index.tobytes()).to_bytes(4, "little")
    (root / _SHARD).write_bytes(content[: -_INDEX_BYTES - 4] + more + index.tobytes() + checksum)
    return root


_NOWHERE = ((1 << 64) - 1,) * 2


@hostile("zarr: a chunk is not in its shard", Refused("1 of its 8 chunks are not stored in their shards",
         names="--sparse"), SHARDED)  # fmt: skip
def lost_in_shard(folder: Path) -> Path:
    """The list of chunks says that it is nowhere, and its checksum is right."""
    return _placed(sharded(folder), _NOWHERE)


@hostile("zarr: a chunk is not in its shard, and a person says that it is empty", Ingested({"brain": EMPTY}), SHARDED,
         ("--sparse",))  # fmt: skip
def sparse_shard(folder: Path) -> Path:
    """Fill is what it means."""
    return lost_in_shard(folder)


@hostile("zarr: a chunk is not in its shard that the next level shows", Refused("is missing", names=_SHARD), SHARDED)
def lost_in_shard_and_shown(folder: Path) -> Path:
    """A coarser level knows better than fill."""
    return _placed(_with_next_level(sharded(folder)), _NOWHERE)


@hostile("zarr: a blosc bomb in a shard", Refused("it unpacks to 1073741824 bytes", names=_SHARD), SHARDED)
def blosc_in_shard(folder: Path) -> Path:
    """It says how large it is, and blosc believes it."""
    return _with_bomb(folder, zarr.codecs.BloscCodec(), imagecodecs.blosc_encode(_ZEROS))


def _rewritten(root: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The array's document with its sharding changed."""
    path = root / "0/zarr.json"
    document = json.loads(path.read_text())
    change(document["codecs"][0]["configuration"])
    path.write_text(json.dumps(document))
    return root


@hostile("zarr: a blosc bomb, and a checksum that is only named", Refused("Expected object", names="0/zarr.json"),
         SHARDED)  # fmt: skip
def blosc_and_named_checksum(folder: Path) -> Path:
    """Who overlooks it looks for the list of chunks in the wrong place; tensorstore knows no such document."""
    return _rewritten(blosc_in_shard(folder), lambda said: said["index_codecs"].__setitem__(1, "crc32c"))


@hostile("zarr: a blosc bomb, its place big-endian", Refused("in shards that are not plain ones", names="0/zarr.json"),
         SHARDED)  # fmt: skip
def blosc_in_odd_shard(folder: Path) -> Path:
    """Who reads the list of chunks as usual finds them nowhere."""
    return _rewritten(
        blosc_in_shard(folder), lambda said: said["index_codecs"][0].update(configuration={"endian": "big"})
    )


@hostile("zarr: a blosc bomb in shards of shards", Refused("in shards that are not plain ones", names="0/zarr.json"),
         SHARDED)  # fmt: skip
def blosc_in_inner_shard(folder: Path) -> Path:
    """Only the outer list of chunks is where one looks for it."""

    def nest(said: dict[str, Any]) -> None:
        said["codecs"] = [{"name": "sharding_indexed", "configuration": dict(said)}]

    return _rewritten(blosc_in_shard(folder), nest)


@hostile("zarr: a zstd bomb in a shard", Refused("is damaged", names=_SHARD), SHARDED_ZSTD)
def zstd_in_shard(folder: Path) -> Path:
    """A gigabyte in thirty kilobytes."""
    return _with_bomb(folder, zarr.codecs.ZstdCodec(), imagecodecs.zstd_encode(_ZEROS))


@hostile("zarr: a gzip bomb in a shard", Refused("is damaged", names=_SHARD), SHARDED_GZIP)
def gzip_in_shard(folder: Path) -> Path:
    """A gigabyte in a megabyte."""
    return _with_bomb(folder, zarr.codecs.GzipCodec(), imagecodecs.gzip_encode(_ZEROS))


@hostile("zarr: a shard that is cut off", Refused("is damaged", names=_SHARD), SHARDED)
def cut_shard(folder: Path) -> Path:
    """Its list is not whole."""
    root = sharded(folder)
    (root / _SHARD).write_bytes((root / _SHARD).read_bytes()[:-20])
    return root


@hostile("zarr: flipped bits in a chunk", Refused("is damaged", names="1.0.1"), OLDER)
def flipped(folder: Path) -> Path:
    """zlib's checksum notices."""
    root = older(folder)
    content = bytearray((root / OLD_CHUNK).read_bytes())
    content[len(content) // 2] ^= 255
    (root / OLD_CHUNK).write_bytes(content)
    return root


@hostile("zarr: a dataset outside of its group", Refused("its dataset has the path", names="zarr.json"), ZARR)
def outside(folder: Path) -> Path:
    """Another image's array."""
    zarr.create_array(folder / "secret", data=VOXELS)
    return image(folder, path="../secret")


@hostile("zarr: a scale of nothing", Refused("has the scale", names="zarr.json"), ZARR)
def no_scale(folder: Path) -> Path:
    """A voxel of no length."""
    return image(folder, scale=[2.0, 0.0, 2.0])


@hostile("zarr: a negative scale", Refused("has the scale", names="zarr.json"), ZARR)
def negative_scale(folder: Path) -> Path:
    """A voxel of less than no length."""
    return image(folder, scale=[2.0, -2.0, 2.0])


@hostile("zarr: no unit of length", Refused("--voxel-size", names="brain"), ZARR)
def no_unit(folder: Path) -> Path:
    """A scale without a unit says nothing."""
    strip = lambda said: [axis.pop("unit") for axis in said["attributes"]["ome"]["multiscales"][0]["axes"]]  # noqa: E731
    return edited(image(folder), "zarr.json", strip)


@hostile("zarr: brackets without end", Refused("nested too deeply", names="zarr.json"), ZARR)
def brackets(folder: Path) -> Path:
    """A document that no parser's stack holds."""
    root = image(folder)
    (root / "0/zarr.json").write_text("[" * 200_000)
    return root


@hostile("zarr: a document that is cut off", Refused("is damaged", names="zarr.json"), ZARR)
def cut_document(folder: Path) -> Path:
    """Half a sentence."""
    root = image(folder)
    (root / "0/zarr.json").write_text((root / "0/zarr.json").read_text()[:100])
    return root


@hostile("zarr: references to files of the system", Refused("at addresses, which are never opened"), ZARR)
def kerchunk(folder: Path) -> Path:
    """A kerchunk document whose chunks are file:// addresses; none is opened."""
    references = {
        ".zgroup": '{"zarr_format": 2}',
        "a/.zarray": json.dumps({"shape": [4, 4], "chunks": [4, 4], "dtype": "|u1", "zarr_format": 2}),
        "a/0.0": ["file:///etc/passwd", 0, 16],
    }
    (folder / "references.json").write_text(json.dumps({"version": 1, "refs": references}))
    return folder / "references.json"
