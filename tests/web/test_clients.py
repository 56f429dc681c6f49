"""One volume, straight from the gateway's address, in the programs that people use: each reads the very same voxels.

The programs live in an environment of their own (requirements/clients.txt, made by `make test`), because they bring
packages that don't go together with ours.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore

Shown = Any
ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("PULVINAR_TEST_CLIENTS", ROOT / ".venv-clients")) / "bin" / "python"


def read(client: str, address: str) -> dict[str, Any]:
    assert PYTHON.exists(), f"{PYTHON} is not there: run make .stamps/clients"
    command = [PYTHON, Path(__file__).with_name("read_as_clients.py"), client, address]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": ""}
    told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert told.returncode == 0, told.stderr[-3000:]
    return json.loads(told.stdout.splitlines()[-1])


def voxels_of(shown: Shown) -> dict[str, Any]:
    digest = hashlib.sha256(shown.voxels.tobytes()).hexdigest()
    return {"shape": list(shown.voxels.shape), "dtype": shown.voxels.dtype.name, "sha256": digest}


@pytest.mark.parametrize("name", ["image", "labels"])
@pytest.mark.parametrize("view", ["chunks/", "objects/image.ome.zarr/"])
def test_tensorstore_reads_every_level_of_both_views(view, name, request, address):
    shown = request.getfixturevalue(name)
    folder = f"{address}{shown.data}/{view}"
    for number, level in enumerate(shown.asset.details["volume"]["levels"]):
        array = tensorstore.open({"driver": "zarr3", "kvstore": f"{folder}{number}/"}).result()
        assert list(array.shape) == level["shape"]
        assert number or np.array_equal(array.read().result(), shown.voxels)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["image", "labels"])
@pytest.mark.parametrize(
    ("client", "view"),
    [
        ("tensorstore", "chunks/"),
        ("tensorstore", "objects/image.ome.zarr/"),
        ("zarr", "chunks/"),
        ("zarr", "objects/image.ome.zarr/"),
        ("cloud-volume", "precomputed"),
    ],
)
def test_a_program_reads_the_voxels_that_went_in(client, view, name, request, address):
    shown = request.getfixturevalue(name)
    assert read(client, f"{address}{shown.data}/{view}") == voxels_of(shown)


@pytest.mark.slow
def test_napari_reads_the_voxels_that_went_in(image, address):
    # The plugin opens a label volume over HTTP only as a part of an image, so the image it is.
    assert read("napari", f"{address}{image.data}/objects/image.ome.zarr") == voxels_of(image)
