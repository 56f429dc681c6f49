"""An atlas in a store without a catalogue: what its own questions need and nothing else."""

import json
from datetime import UTC, datetime

from pulvinar.atlases.installed import TERMINOLOGY, Installed, OpenAtlas
from pulvinar.atlases.label_index import LABEL_INDEX, index_labels, index_to_bytes
from pulvinar.model.atlas import Atlas, AtlasPart, PartKind
from pulvinar.model.ontology import Ontology, ontology_to_json
from pulvinar.model.volume import Channel, Volume
from pulvinar.storage.pyramid import write_pyramid
from pulvinar.storage.pyramid_plan import plan_levels, plan_pyramid
from pulvinar.storage.store import open_store
from pulvinar.storage.volumes import open_volume


class _NoLedger:
    def finished(self):
        return {}

    def record(self, objects):
        pass


def store_volume(store, asset_id, packed, scratch):
    source = packed.source
    levels = plan_levels(source.shape, packed.voxel_size_um, source.dtype, packed.kind)
    volume = Volume(packed.kind, source.dtype.name, levels, (Channel(packed.name),))
    plan = plan_pyramid(volume, source.block_shape)
    scratch.mkdir(parents=True, exist_ok=True)
    written = write_pyramid(source, plan, store, f"assets/{asset_id}", ledger=_NoLedger(), scratch=scratch)
    assert written
    return open_volume(store, f"assets/{asset_id}")


def open_packed(packed, folder):
    """`packed` as an `OpenAtlas` whose store lies in `folder`."""
    store = open_store((folder / "store").as_uri())
    parts = []
    volumes = [(PartKind.TEMPLATE, one) for one in packed.templates] + [(PartKind.ANNOTATION, packed.annotation)]
    for number, (kind, one) in enumerate(volumes):
        stored = store_volume(store, f"asset{number}", one, folder / "scratch")
        if kind is PartKind.ANNOTATION:
            store.put_bytes(f"assets/asset{number}/{LABEL_INDEX}", index_to_bytes(index_labels(stored)))
        parts.append(AtlasPart(kind, one.name, "1", f"asset{number}", f"digest{number}", one.voxel_to_space_um))
    ontology = Ontology(packed.name, packed.ontology_version or "1", packed.regions)
    store.put_bytes(f"assets/tree/{TERMINOLOGY}", json.dumps(ontology_to_json(ontology)).encode())
    parts.append(AtlasPart(PartKind.TERMINOLOGY, "regions", "1", "tree", "tree"))
    atlas = Atlas(
        name=packed.name,
        version=packed.version,
        title=packed.title,
        title_zh=packed.title_zh,
        species=packed.species,
        space=packed.space,
        ontology=packed.name,
        licence=packed.licence,
        citation=packed.citation,
        source=packed.source,
        midline_um=packed.midline_um,
        parts=tuple(parts),
    )
    return OpenAtlas(Installed(atlas, "dataset", datetime.now(UTC)), store, folder / "cache")
