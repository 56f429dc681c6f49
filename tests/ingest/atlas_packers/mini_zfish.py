"""A made-up larval zebrafish atlas, as Max Planck's real one is told: several references, a tree, meshes."""

import numpy as np

SHAPE = (24, 20, 30)
"""Axes rise to right, posterior, superior: BrainGlobe calls that "lai", after the first voxel's corner."""
SIZE_UM = 2.0
ORIENTATION = "lai"


def _structure(number, acronym, name, path, rgb):
    return {"id": number, "acronym": acronym, "name": name, "structure_id_path": path, "rgb_triplet": rgb}


STRUCTURES = [
    _structure(1, "root", "brain", [1], [255, 255, 255]),
    _structure(2, "fb", 'forebrain, with "quotes", and commas', [1, 2], [10, 200, 3]),
    _structure(40000, "pal", "pallium", [1, 2, 40000], [1, 2, 3]),
    _structure(31, "mb", "midbrain", [1, 31], [255, 0, 16]),
]


def annotation():
    labels = np.zeros(SHAPE, np.uint32)
    labels[4:20, 4:9, 5:25] = 2
    labels[4:20, 9:16, 5:25] = 31
    labels[8:12, 5:8, 6:9] = 40000
    return labels


def reference():
    z, y, x = np.indices(SHAPE)
    return (z * 100 + y * 10 + x).astype(np.uint16)


def box(region):
    """The first voxel of a region and the one after its last."""
    below = [one["id"] for one in STRUCTURES if region in one["structure_id_path"]]
    at = np.argwhere(np.isin(annotation(), below))
    return at.min(axis=0), at.max(axis=0) + 1


def in_asr(stack):
    """As BrainGlobe stores it: rising to posterior, inferior, left."""
    return stack.transpose(1, 2, 0)[:, ::-1, ::-1]
