"""Reads one volume from a gateway as other people's programs do. Runs in an environment of its own, without Pulvinar.

python read_as_clients.py CLIENT ADDRESS: prints shape, type and SHA-256 of the voxels (t, c, z, y, x) that it read.
"""

import hashlib
import json
import sys

import numpy as np


def read_tensorstore(address: str) -> np.ndarray:
    import tensorstore

    return tensorstore.open({"driver": "zarr3", "kvstore": f"{address}0/"}).result().read().result()


def read_zarr(address: str) -> np.ndarray:
    import zarr

    return zarr.open_group(address, mode="r")["0"][:]


def read_cloud_volume(address: str) -> np.ndarray:
    from cloudvolume import CloudVolume

    volume = CloudVolume(f"precomputed://{address}", mip=0, progress=False, use_https=True)
    return np.asarray(volume[:, :, :]).transpose(3, 2, 1, 0)[None]


def read_napari(address: str) -> np.ndarray:
    from napari.components import ViewerModel
    from napari.plugins import _initialize_plugins

    _initialize_plugins()
    layers = ViewerModel().open(address, plugin="napari-ome-zarr")
    return np.stack([np.asarray(layer.data[0] if layer.multiscale else layer.data) for layer in layers], axis=1)


READERS = {
    "tensorstore": read_tensorstore,
    "zarr": read_zarr,
    "cloud-volume": read_cloud_volume,
    "napari": read_napari,
}

if __name__ == "__main__":
    voxels = np.ascontiguousarray(READERS[sys.argv[1]](sys.argv[2]))
    told = {
        "shape": voxels.shape,
        "dtype": voxels.dtype.name,
        "sha256": hashlib.sha256(voxels.tobytes()).hexdigest(),
    }
    print(json.dumps(told))
