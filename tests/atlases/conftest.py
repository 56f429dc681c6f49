"""A small atlas for questions, stored once a module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.atlases.toy import ONTOLOGY, VOXEL_UM, annotation_of, corner_affine, labels

from pulvinar.atlases.annotation import Annotation
from pulvinar.storage.store import open_store


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Annotation:
    folder = tmp_path_factory.mktemp("toy")
    store = open_store(f"file://{folder / 'store'}")
    return annotation_of(labels(), store, folder / "scratch", corner_affine(VOXEL_UM), ONTOLOGY)


@pytest.fixture
def make_annotation(tmp_path: Path) -> Callable[..., Annotation]:
    """Store other voxels, with another affine."""
    store = open_store(f"file://{tmp_path / 'store'}")
    return lambda voxels, affine, ontology=ONTOLOGY: annotation_of(
        voxels, store, tmp_path / "scratch", affine, ontology
    )
