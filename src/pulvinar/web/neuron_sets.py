"""Sets of neurons as one source of Neuroglancer's skeletons, below `/data/neurons/<atlas>/<set>/`.

A set is named by what it is asked for: `ends-<region>`, `soma-<region>`, `dataset-<id>`, `collection-<id>`, `all`, or
`search-<question>`, the question in base64url without padding. What the actor may not read is not in it.

A neuron has one number for ever, made from its asset's identifier; its segment is that number times 4, plus the form:
0 exactly as it was traced, 1 its overview, 2 for a crowd. `segments/info` names the exact ones, for every reader of the
format; a viewer with thousands on its screen asks for the others.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from pulvinar.atlases.installed import OpenAtlas, find_atlas
from pulvinar.catalogue.anchors import Span
from pulvinar.catalogue.asset_search import search_assets
from pulvinar.catalogue.collections import get_collection
from pulvinar.catalogue.neuron_sets import NeuronFilter, SetNeuron, facts_of, neurons_of_set, reading_of_neuron
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest.skeletons import skeleton_info
from pulvinar.model.access import Actor
from pulvinar.model.dataset import AssetKind
from pulvinar.platform import Platform
from pulvinar.web.opened_atlases import opened_atlas, region_distances
from pulvinar.web.reads import Reading
from pulvinar.web.recent import Recent

FORMS = ("", "overview", "crowd")
"""What the forms are called in an asset's details, by their numbers; the exact one is always there."""
ROOT = "neurons"
_KEY = re.compile(r"all|(ends|soma)-(-?[0-9]{1,19})|(dataset|collection|search)-([A-Za-z0-9_-]{1,1000})")
_LIFETIME_S = 60.0
"""So long is remembered which neurons are in a set, and what a search finds: whether one may be read is asked anew."""
_MOST_FOUND = 5_000
_NM_PER_UM = 1000.0


class Fragment(NamedTuple):
    """What lies at an address: bytes, whether the same will lie there for ever, and whether reading it is counted."""

    data: bytes
    lasts: bool
    reading: Reading | None = None


@dataclass(frozen=True)
class NeuronSet:
    """A set as an actor sees it now. `span`: the region that it was asked for by."""

    neurons: Mapping[int, SetNeuron]
    span: Span | None


def number_of(asset_id: str) -> int:
    """The number of a neuron in every set: 48 bits, so that with its form a script still counts it exactly."""
    return int.from_bytes(hashlib.sha256(asset_id.encode()).digest()[:6], "big")


def search_key(question: str) -> str:
    """The key of the set that a question finds."""
    return "search-" + base64.urlsafe_b64encode(question.encode()).decode().rstrip("=")


def searched(key: str) -> str:
    """The question of such a key. Raises `Invalid`."""
    text = key.partition("-")[2]
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Invalid(f"{key!r} holds no question", hint="base64url of its UTF-8") from error


class NeuronSets:
    """Answers what lies below an atlas's sets. Its calls wait: use them in a thread."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known: Recent[tuple[Actor, str, str], tuple[float, NeuronSet]] = Recent(64)
        self._found: Recent[tuple[Actor, str], tuple[float, frozenset[str]]] = Recent(64)
        self._lock, self._asking = Lock(), Lock()

    def of(self, actor: Actor, atlas: OpenAtlas, key: str) -> NeuronSet:
        """The neurons of a set that `actor` may read. Raises `NotFound` for a set that can't be, or may not be seen."""
        found = self._ask(actor, atlas, key)
        with self._lock:
            self._known.put((actor, atlas.atlas.name, key), (time.monotonic() + _LIFETIME_S, found))
        return found

    def read(self, actor: Actor, atlas_name: str, key: str, path: str) -> Fragment:
        """What lies at `path` of a set: `info`, `segments/info`, or a segment. Raises `NotFound`."""
        if path in ("info", "segments/info"):
            atlas = opened_atlas(self._platform, find_atlas(self._platform.database, actor, atlas_name))
            found = self.of(actor, atlas, key)
            told = skeleton_info("radius", "type") if path == "info" else self._properties(atlas, found)
            return Fragment(_json(told), lasts=False)
        number, form = divmod(int(path), 4) if re.fullmatch("[0-9]{1,16}", path) else (-1, 0)
        neuron = self._remembered(actor, atlas_name, key).neurons.get(number)
        counted = reading_of_neuron(self._platform.database, actor, neuron) if neuron else None
        if neuron is None or counted is None or form >= len(FORMS):
            raise NotFound(f"the set {key!r} has no {path!r}")
        stored = segment_of(neuron.details, form)
        data = self._platform.store.read(f"{neuron.prefix}/{neuron.details['precomputed']}/{stored}")
        rows = neuron.details.get("to_world_um")
        reading = Reading(actor.id, neuron.asset_id, neuron.dataset_id) if counted else None
        return Fragment(_moved(data, rows) if rows is not None else data, lasts=not counted, reading=reading)

    def _remembered(self, actor: Actor, atlas_name: str, key: str) -> NeuronSet:
        """The set as it was told a moment ago: of thousands of segments each asks for it."""
        with self._asking:
            with self._lock:
                held = self._known.get((actor, atlas_name, key))
            if held is not None and held[0] > time.monotonic():
                return held[1]
            return self.of(
                actor, opened_atlas(self._platform, find_atlas(self._platform.database, actor, atlas_name)), key
            )

    def _ask(self, actor: Actor, atlas: OpenAtlas, key: str) -> NeuronSet:
        parts = _KEY.fullmatch(key)
        if not parts:
            raise NotFound(f"{key!r} names no set of neurons", hint="ends-<region>, soma-<region>, dataset-<id>, ...")
        kind, region, other, value = parts.groups()
        span = atlas.ontology.span(atlas.region(region).id) if region else None
        wanted = NeuronFilter()
        if kind:
            wanted = NeuronFilter(soma=span) if kind == "soma" else NeuronFilter(end=span)
        elif other == "dataset":
            wanted = NeuronFilter(datasets=frozenset([value]))
        elif other == "collection":
            _, datasets = get_collection(self._platform.database, actor, value)
            wanted = NeuronFilter(datasets=frozenset(one.id for one in datasets))
        elif other == "search":
            wanted = NeuronFilter(assets=self._search(actor, searched(key)))
        listed = neurons_of_set(self._platform.database, actor, atlas.atlas.name, wanted)
        space = atlas.atlas.space.name
        here = (one for one in listed if one.details.get("space", {}).get("name", space) == space)
        return NeuronSet({number_of(one.asset_id): one for one in here}, span)

    def _search(self, actor: Actor, question: str) -> frozenset[str]:
        held = self._found.get((actor, question))
        if held is not None and held[0] > time.monotonic():
            return held[1]
        found: set[str] = set()
        cursor: str | None = None
        while len(found) < _MOST_FOUND:
            page = search_assets(
                self._platform.database,
                actor,
                question,
                cursor=cursor,
                limit=200,
                distances=region_distances(self._platform),
            )
            found.update(hit.asset.id for hit in page.items if hit.asset.kind is AssetKind.SKELETON)
            cursor = page.next_cursor
            if cursor is None:
                break
        self._found.put((actor, question), (time.monotonic() + _LIFETIME_S, frozenset(found)))
        return frozenset(found)

    def _properties(self, atlas: OpenAtlas, found: NeuronSet) -> dict[str, Any]:
        """Neuroglancer's segment properties: names, titles, acronyms as tags, and what a viewer colours by."""
        ids = [one.asset_id for one in found.neurons.values()]
        facts = facts_of(self._platform.database, atlas.atlas.name, ids, found.span)
        told = [facts[one] for one in ids]
        acronyms = [_acronym(atlas, one.soma) for one in told]
        tags = sorted(set(acronyms) - {""})
        place = {tag: index for index, tag in enumerate(tags)}
        lengths = [float(one.details.get("length_um") or 0.0) for one in found.neurons.values()]
        return {
            "@type": "neuroglancer_segment_properties",
            "inline": {
                "ids": [str(number * 4) for number in found.neurons],
                "properties": [
                    {"id": "label", "type": "label", "values": [one.name for one in found.neurons.values()]},
                    {"id": "dataset", "type": "description", "values": [one.title for one in found.neurons.values()]},
                    {"id": "tags", "type": "tags", "tags": tags, "values": [[place[a]] if a else [] for a in acronyms]},
                    _numbers("soma", "uint32", [one.soma or 0 for one in told]),
                    _numbers("target", "uint32", [one.target or 0 for one in told]),
                    _numbers("length_um", "float32", lengths),
                    _numbers("strength_um", "float32", [one.strength_um or 0.0 for one in told]),
                ],
            },
        }


def segment_of(details: Mapping[str, Any], form: int) -> int:
    """The stored segment that serves as a form: the nearest that is there, towards the exact one."""
    return next((int(details[name]["segment"]) for name in FORMS[form:0:-1] if name in details), 1)


def forms_of(neurons: Sequence[SetNeuron]) -> list[tuple[float, int]]:
    """Of each form how far it strays at most, in micrometres, and how many nodes all have in it together."""
    found = []
    for form, name in enumerate(FORMS):
        tolerance, nodes = 0.0, 0
        for one in neurons:
            used = next((said for said in FORMS[form:0:-1] if said in one.details), "")
            nodes += int(one.details[used]["count"] if used else one.details.get("count", 0))
            tolerance = max(tolerance, float(one.details[name]["tolerance_um"])) if used == name != "" else tolerance
        found.append((tolerance, nodes))
    return found


def _numbers(name: str, kind: str, values: list[Any]) -> dict[str, Any]:
    return {"id": name, "type": "number", "data_type": kind, "values": values}


def _acronym(atlas: OpenAtlas, region_id: int | None) -> str:
    if region_id is None or region_id not in atlas.ontology:
        return ""
    region = atlas.ontology.region(region_id)
    return (region.acronym or region.name).replace(" ", "_")


def _moved(data: bytes, rows: Sequence[Sequence[float]]) -> bytes:
    """A skeleton in nanometres (x, y, z), brought by an affine of micrometres (z, y, x) to where its layer lies."""
    count = int(np.frombuffer(data, "<u4", 1)[0])
    places = np.frombuffer(data, "<f4", count * 3, 8).reshape(-1, 3)[:, ::-1].astype(np.float64)
    matrix = np.asarray(rows, np.float64)[:3]
    moved = places @ matrix[:, :3].T + matrix[:, 3] * _NM_PER_UM
    return data[:8] + moved[:, ::-1].astype("<f4").tobytes() + data[8 + count * 12 :]


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
