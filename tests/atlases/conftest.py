"""A small atlas for questions: a box of tissue in an empty room, cut into regions, in a real store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pulvinar.atlases.annotation import Annotation, open_annotation
from pulvinar.atlases.label_index import LABEL_INDEX, index_labels, index_to_bytes
from pulvinar.model.atlas import Atlas, AtlasPart, PartKind
from pulvinar.model.ontology import Ontology, Region
from pulvinar.model.record import Species
from pulvinar.model.space import Space
from pulvinar.model.volume import Channel, Level, Volume, VolumeKind
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.store import Store, open_store
from pulvinar.storage.volumes import open_volume

SPACE = Space("toy", "mouse", "PIR")
VOXEL_UM = (20.0, 25.0, 50.0)


class NoLedger:
    """A shard ledger for what is never resumed."""

    def finished(self):
        return {}

    def record(self, objects):
        pass


def region(id_: int, name: str, parent: int | None = None, **said) -> Region:
    """A region of the toy ontology."""
    return Region("toy", id_, said.pop("acronym", name[:3].upper()), name, parent, **said)


ONTOLOGY = Ontology(
    "toy",
    "1",
    (
        region(997, "root", acronym="root"),
        region(8, "grey matter", 997, name_zh="灰质"),
        region(10, "cortex", 8, name_zh="皮层", synonyms=("pallium",)),
        region(11, "cortex layer 1", 10, acronym="CTX1"),
        region(12, "cortex layer 2", 10, acronym="CTX2"),
        region(614454277, "thalamus", 8, name_zh="丘脑", acronym="TH"),
        region(20, "fiber tracts", 997, acronym="fiber"),
    ),
)


def labels() -> np.ndarray:
    """Axes (z, y, x): four labels in a box, nothing around it, one empty hole inside."""
    voxels = np.zeros((40, 70, 100), np.uint32)
    voxels[5:35, 10:60, 10:90] = 614454277
    voxels[5:10, 10:60, 10:90] = 11
    voxels[10:14, 10:60, 10:90] = 12
    voxels[20:24, 30:34, 10:90] = 20
    voxels[30, 50, 50] = 0
    return voxels


def annotation_of(
    voxels: np.ndarray, store: Store, scratch: Path, affine: np.ndarray, ontology: Ontology
) -> Annotation:
    """`voxels` stored as an annotation, and opened."""
    size = tuple(float(n) for n in np.linalg.norm(affine[:3, :3], axis=0))
    levels = plan_levels((1, 1, *voxels.shape), size, voxels.dtype, VolumeKind.LABELS)  # type: ignore[arg-type]
    volume = Volume(VolumeKind.LABELS, voxels.dtype.name, small_chunks(levels), (Channel("labels"),))
    source = ArraySource(voxels[None, None])
    plan = plan_pyramid(volume, source.block_shape)
    scratch.mkdir(exist_ok=True)
    write_pyramid(source, plan, store, "assets/annotation", ledger=NoLedger(), scratch=scratch)
    from pulvinar.storage.volumes import volume_documents

    for path, data in volume_documents(volume).items():
        store.put_bytes(f"assets/annotation/{path}", data)
    index = index_labels(open_volume(store, "assets/annotation", volume))
    store.put_bytes(f"assets/annotation/{LABEL_INDEX}", index_to_bytes(index))
    rows = tuple(tuple(row) for row in affine.tolist())
    part = AtlasPart(PartKind.ANNOTATION, "labels", "1", "annotation", "0" * 64, rows)
    width = float(abs(affine[2, 2]) * voxels.shape[2])
    atlas = Atlas(
        "toy", "1", "A toy", Species.MOUSE, SPACE, "toy", "CC0-1.0", "nobody", midline_um=width / 2, parts=(part,)
    )
    return open_annotation(store, atlas, part, ontology, scratch / "grids")


def small_chunks(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """As planned: a volume this small has one chunk a level, so its chunks are made smaller."""
    from dataclasses import replace

    return tuple(replace(level, chunk_shape=(1, 1, 16, 16, 16), shard_shape=(1, 1, 64, 128, 128)) for level in levels)


def corner_affine(size_um: tuple[float, float, float]) -> np.ndarray:
    """Voxel index to micrometres where coordinates begin at the corner of the first voxel."""
    affine = np.diag([*size_um, 1.0])
    affine[:3, 3] = np.array(size_um) / 2
    return affine


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
