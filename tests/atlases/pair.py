"""Two toy brains of two species whose trees have regions that are compared, and a neuron that ends in one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tests.atlases.toy import install_toy, put, renamed

from pulvinar.access.work import UnitOfWork
from pulvinar.atlases.installed import Installed
from pulvinar.catalogue.anchors import set_anchor
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import SkeletonData
from pulvinar.model.anchor import Anchor, Certainty, Role
from pulvinar.model.dataset import Asset, AssetKind, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species
from pulvinar.platform import Platform

HIPPOCAMPUS = 614454277
"""Most of both brains, which their trees call the hippocampal formation."""
LAYER = 12
"""A region that the table of homologies does not know; the one above it in the mouse's tree is the cerebral cortex."""


@dataclass(frozen=True)
class Pair:
    """What is installed, and the neuron's asset."""

    mouse: Installed
    macaque: Installed
    neuron_id: str


def install_pair(platform: Platform, *, template: bool = False) -> Pair:
    """Both atlases, with images if `template`, and the neuron in the mouse's."""
    names = {f"r{HIPPOCAMPUS}": "Hippocampal formation", "r10": "Cerebral cortex"}
    mouse = install_toy(
        platform, name="toy_mouse", ontology=renamed("toy_mouse", **names), oriented=True, template=template
    )
    tree = renamed("toy_macaque", **names)
    macaque = install_toy(
        platform, name="toy_macaque", species=Species.MACAQUE, ontology=tree, oriented=True, template=template
    )
    return Pair(mouse, macaque, _neuron(platform))


def _neuron(platform: Platform) -> str:
    """A neuron through the middle of the hippocampus, from its soma in a layer of the cortex. World axes (z, y, x)."""
    inside = np.linspace((-500.0, -250.0, 1500.0), (-1200.0, -500.0, 3500.0), 40)
    path = SkeletonData(
        zyx_um=inside,
        radius_um=np.full(40, 10.0),
        parent=np.arange(-1, 39),
        type_code=np.full(40, 2, np.int32),
        node_id=np.arange(40, dtype=np.int64),
    )
    made, asset_id = geometry_files(path, "ender"), new_id()
    objects = [put(platform.store, asset_id, name, data) for name, data in sorted(made.files.items())]
    size = sum(one.size_bytes for one in objects)
    details = dict(made.details) | {"space": {"name": "toy_mouse"}}
    asset = Asset(
        asset_id, "ender", AssetKind.SKELETON, f"assets/{asset_id}", size, len(objects), asset_digest(objects), details
    )
    shares = {Role.SOMA.value: {LAYER: 1.0}, Role.END.value: {HIPPOCAMPUS: 1.0}}
    anchor = Anchor("toy_mouse", "1", "toy_mouse", Certainty.MEASURED, shares=shares)
    with UnitOfWork(platform.database, platform.actor) as work:
        dataset = create_dataset(work, Record("A neuron that ends", Species.MOUSE, "CC0-1.0"), node="local")
        draft = open_draft(work, dataset.id)
        add_asset(work, draft.id, asset, tuple(objects))
        set_anchor(work.session, asset_id, anchor, {HIPPOCAMPUS: 5, LAYER: 4}, {})
        publish(work, draft.id)
    return asset_id
