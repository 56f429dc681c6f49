"""The real Allen CCFv3 at 100 um, installed whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
from tests.atlases.toy import corner_affine, put, stored_annotation

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import TERMINOLOGY, Installed, find_atlas, record_atlas
from pulvinar.atlases.spaces import CCFV3
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.ingest.atlas_packers.mouse import allen_regions
from pulvinar.ingest.request import Means
from pulvinar.model.atlas import Atlas, AtlasPart, PartKind
from pulvinar.model.dataset import Asset, AssetKind, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.ontology import Ontology, ontology_to_json
from pulvinar.model.record import Record, Species
from pulvinar.model.volume import volume_to_json

_FOLDER = "mouse/allen_ccfv3_25um"


def install_ccf(means: Means, sample: Callable[[str], Path]) -> Installed:
    """The annotation of 2017 in axes (AP, DV, LR) with its ontology."""
    # its last axis rises to the left: the annotation is symmetrical, so that a look at it can't tell
    voxels = tifffile.imread(sample(f"{_FOLDER}/derived_CCFv3_2017_annotation_100um_asr.tif"))[:, :, ::-1]
    tree = json.loads(sample(f"{_FOLDER}/ABA_annotation_last.json").read_text())
    ontology = Ontology("allen_mouse", "2017", tuple(allen_regions(tree)))
    atlas = Atlas(
        "allen_mouse_100um", "2017", "Allen CCFv3", Species.MOUSE, CCFV3, "allen_mouse", "Allen terms", "Wang 2020"
    )
    return install(means, atlas, np.ascontiguousarray(voxels), corner_affine((100.0,) * 3), ontology)


def install(means: Means, atlas: Atlas, voxels: np.ndarray, affine: np.ndarray, ontology: Ontology) -> Installed:
    """An atlas of these labels as a published dataset; `atlas` has no parts yet."""
    ids = new_id(), new_id()
    objects, volume = stored_annotation(voxels, means.store, means.scratch, affine, ids[0])
    tree = [put(means.store, ids[1], TERMINOLOGY, json.dumps(ontology_to_json(ontology)).encode())]
    stored = (
        (ids[0], "annotation", AssetKind.VOLUME, objects, {"volume": volume_to_json(volume), "findings": []}),
        (ids[1], "regions", AssetKind.TABLE, tree, {"findings": []}),
    )
    rows = tuple(tuple(row) for row in affine.tolist())
    parts = (
        AtlasPart(PartKind.ANNOTATION, "annotation", "1", ids[0], asset_digest(objects), rows),
        AtlasPart(PartKind.TERMINOLOGY, "regions", "1", ids[1], asset_digest(tree)),
    )
    with UnitOfWork(means.database, means.actor) as work:
        dataset = create_dataset(work, Record(atlas.title, atlas.species, "CC0-1.0"), node="local")
        draft = open_draft(work, dataset.id)
        for asset_id, name, kind, its, details in stored:
            size = sum(item.size_bytes for item in its)
            asset = Asset(asset_id, name, kind, f"assets/{asset_id}", size, len(its), asset_digest(its), details)
            add_asset(work, draft.id, asset, its)
        record_atlas(work.session, replace(atlas, parts=parts), dataset.id)
        publish(work, draft.id)
    return find_atlas(means.database, means.actor, atlas.name)
