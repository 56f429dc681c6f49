"""One peer turns one TIFF stack into a sharded pyramid: `python _peer_runs.py PEER STACK OUT` in the peers' Python.

All are asked for the same result as far as they can give it: Zarr v3, chunks of 64^3 in shards of 512^3, blosc (zstd
level 1, bitshuffle), means over 2x2x2 until an axis has 64 voxels, written by all cores.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from math import log2
from typing import Any

import numpy as np
import tifffile

CHUNK, SHARD = 64, 512


def acquire_zarr(stack: np.ndarray, out: str) -> None:
    """Streams plane by plane; means made on the way."""
    import acquire_zarr as peer

    dimensions = [
        peer.Dimension(
            name=name,
            kind=peer.DimensionType.SPACE,
            array_size_px=size,
            chunk_size_px=CHUNK,
            shard_size_chunks=SHARD // CHUNK,
        )
        for name, size in zip("zyx", stack.shape, strict=True)
    ]
    compression = peer.CompressionSettings(
        compressor=peer.Compressor.BLOSC1, codec=peer.CompressionCodec.BLOSC_ZSTD, level=1, shuffle=2
    )
    array = peer.ArraySettings(
        dimensions=dimensions,
        data_type=peer.DataType.UINT16,
        compression=compression,
        downsampling_method=peer.DownsamplingMethod.MEAN,
    )
    settings = peer.StreamSettings(
        arrays=[array], store_path=out, version=peer.ZarrVersion.V3, max_threads=os.cpu_count() or 1, overwrite=True
    )
    stream = peer.ZarrStream(settings)
    for first in range(0, len(stack), CHUNK):
        stream.append(np.ascontiguousarray(stack[first : first + CHUNK]))
    stream.close()


def dask_zarr(stack: np.ndarray, out: str) -> None:
    """The hand-written way: each level stored by dask, the next one made from it."""
    import dask.array as da
    import zarr

    level: Any = da.from_array(stack, chunks=SHARD)
    for number in range(levels_of(stack.shape)):
        if number:
            level = da.coarsen(np.mean, da.from_zarr(f"{out}/{number - 1}"), {0: 2, 1: 2, 2: 2})
            level = (level + 0.5).astype(stack.dtype).rechunk(SHARD)
        shape = level.shape
        target = zarr.create_array(
            f"{out}/{number}", shape=shape, dtype=stack.dtype, overwrite=True, **layout(shape), compressors=blosc()
        )
        da.store(level, target, lock=False)


def ome_zarr_py(stack: np.ndarray, out: str) -> None:
    """ome-zarr-py, with its local mean."""
    import dask.array as da
    from ome_zarr.scale import Methods
    from ome_zarr.writer import write_image

    factors = [dict.fromkeys("zyx", 2**k) for k in range(1, levels_of(stack.shape))]
    shapes = [tuple(-(-n // 2**k) for n in stack.shape) for k in range(len(factors) + 1)]
    write_image(
        da.from_array(stack, chunks=SHARD),
        out,
        scale_factors=factors,
        method=Methods.LOCAL_MEAN,
        axes="zyx",
        storage_options=[{**layout(shape), "compressors": blosc()} for shape in shapes],
    )


def ngff_zarr(stack: np.ndarray, out: str) -> None:
    """ngff-zarr, with its fastest mean."""
    import dask.array as da
    import ngff_zarr as peer

    image = peer.to_ngff_image(da.from_array(stack, chunks=CHUNK * 2), dims=["z", "y", "x"])
    factors = [2**k for k in range(1, levels_of(stack.shape))]
    multiscales = peer.to_multiscales(image, factors, method=peer.Methods.DASK_BIN_SHRINK, chunks=CHUNK, cache=False)
    peer.to_ngff_zarr(out, multiscales, version="0.5", chunks_per_shard=SHARD // CHUNK, compressors=blosc())


def levels_of(shape: tuple[int, ...]) -> int:
    """How many levels until the longest axis fits one chunk."""
    return 1 + max(0, round(log2(max(shape) / CHUNK)))


def layout(shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Chunks and shards of a level, as zarr-python takes them."""
    chunks = tuple(min(CHUNK, n) for n in shape)
    return {"chunks": chunks, "shards": tuple(min(SHARD, -(-n // c) * c) for n, c in zip(shape, chunks, strict=True))}


def blosc() -> Any:
    """The codec that all use."""
    from zarr.codecs import BloscCodec, BloscShuffle

    return BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.bitshuffle, typesize=2)


PEERS: dict[str, Callable[[np.ndarray, str], None]] = {
    "acquire-zarr": acquire_zarr,
    "dask+zarr": dask_zarr,
    "ngff-zarr": ngff_zarr,
    "ome-zarr-py": ome_zarr_py,
}

if __name__ == "__main__":
    PEERS[sys.argv[1]](tifffile.memmap(sys.argv[2], mode="r"), sys.argv[3])
