"""One Zarr 3 array in a folder, for programs that want it plain: of their own chunks, without shards or levels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts


class PlainZarr:
    """A new array, written block by block.

    Chunks of zeros alone are written too: who copies such a folder can't tell a missing chunk from an empty one.
    """

    def __init__(
        self, folder: Path, shape: Sequence[int], dtype: npt.DTypeLike, chunk_shape: Sequence[int], axes: Sequence[str]
    ) -> None:
        little = {"name": "bytes", "configuration": {"endian": "little"}}
        spec = {
            "driver": "zarr3",
            "kvstore": {"driver": "file", "path": f"{folder}/"},
            "metadata": {
                "shape": list(shape),
                "data_type": np.dtype(dtype).name,
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunk_shape)}},
                "dimension_names": list(axes),
                "codecs": [little, {"name": "zstd", "configuration": {"level": 3}}],
            },
            "create": True,
            "store_data_equal_to_fill_value": True,
        }
        self._array = ts.open(spec).result()

    def write(self, start: Sequence[int], voxels: npt.NDArray[Any]) -> None:
        """Write `voxels` from `start` on; they are on disk when it returns. Whole chunks are written once."""
        window = tuple(slice(a, a + n) for a, n in zip(start, voxels.shape, strict=True))
        self._array[window].write(voxels).result()
