"""The real mouse annotation (Allen CCFv3, 25 um) for benchmarks: as voxels, as ours, and as BrainGlobe's."""

from __future__ import annotations

import io
import json
import lzma
import os
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from benchmarks._volumes import Forgetful
from pulvinar.atlases.annotation import Annotation, open_annotation
from pulvinar.atlases.label_index import LABEL_INDEX, index_labels, index_to_bytes
from pulvinar.atlases.spaces import CCFV3
from pulvinar.ingest.atlas_packers.mouse import allen_regions
from pulvinar.model.atlas import Atlas, AtlasPart, PartKind
from pulvinar.model.ontology import Ontology
from pulvinar.model.record import Species
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.storage.store import open_store
from pulvinar.storage.volumes import open_volume

VOXEL_UM = 25.0


def samples() -> Path:
    """The folder of real brains."""
    return Path(os.environ.get("PULVINAR_SAMPLES", Path(__file__).parents[2] / "shared" / "samples"))


def ccf_labels() -> np.ndarray:
    """Level 0 of the annotation, axes (AP, DV, LR), shape (528, 320, 456), uint32."""
    packed = (samples() / "mouse/allen_ccfv3_25um/ABA_25um_2017_annotation.tif.lzma").read_bytes()
    return np.ascontiguousarray(tifffile.imread(io.BytesIO(lzma.decompress(packed))).transpose(1, 2, 0)[:, :, :])


def ccf_ontology() -> Ontology:
    """The Allen ontology."""
    told = json.loads((samples() / "mouse/allen_ccfv3_25um/ABA_annotation_last.json").read_text("utf-8"))
    return Ontology("allen_mouse", "2017", tuple(allen_regions(told)))


def ccf_annotation(folder: Path) -> Annotation:
    """The annotation, stored in `folder` when it isn't there yet, and opened."""
    store = open_store(f"file://{folder / 'store'}")
    prefix = "assets/annotation"
    if not (folder / "ready").exists():
        labels = ccf_labels()
        levels = plan_levels((1, 1, *labels.shape), (VOXEL_UM,) * 3, labels.dtype, VolumeKind.LABELS)
        volume = Volume(VolumeKind.LABELS, labels.dtype.name, levels, (Channel("labels"),))
        source = ArraySource(labels[None, None])
        (folder / "scratch").mkdir(parents=True)
        plan = plan_pyramid(volume, source.block_shape)
        write_pyramid(source, plan, store, prefix, ledger=Forgetful(), scratch=folder / "scratch")
        index = index_labels(open_volume(store, prefix, volume))
        store.put_bytes(f"{prefix}/{LABEL_INDEX}", index_to_bytes(index))
        (folder / "ready").touch()
    affine = tuple(
        tuple(row) for row in np.diag((VOXEL_UM,) * 3 + (1.0,)) + np.pad([[VOXEL_UM / 2]] * 3, ((0, 1), (3, 0)))
    )
    part = AtlasPart(PartKind.ANNOTATION, "2017", "2017", "annotation", "ccf", affine)
    atlas = Atlas(
        "allen_mouse_25um",
        "2017",
        "Allen CCFv3",
        Species.MOUSE,
        CCFV3,
        "allen_mouse",
        "",
        "",
        midline_um=5700.0,
        parts=(part,),
    )
    return open_annotation(store, atlas, part, ccf_ontology(), folder / "grids")


def brainglobe_atlas(folder: Path) -> Any:
    """BrainGlobe's atlas of the same voxels, which lie in `folder`/labels.npy; its own files aren't read."""
    from brainglobe_atlasapi.core import Atlas as BrainGlobe

    atlas = BrainGlobe.__new__(BrainGlobe)
    atlas._annotation = np.load(folder / "labels.npy")
    atlas.metadata = {"resolution": [VOXEL_UM] * 3, "shape": list(atlas._annotation.shape)}
    atlas.structures = {region.id: {"id": region.id} for region in ccf_ontology().regions}
    return atlas
