"""Where the parts of a BrainGlobe atlas lie in a folder, and what its files say of them.

Two layouts are in use. In the second, an atlas is one folder with `metadata.json`, `structures.json`,
`annotation.tiff`, `reference.tiff`, more references as `NAME.tiff`, and `meshes/ID.obj`. In the third, the parts have
versions of their own below one root: `atlases/NAME/VERSION/manifest.json` names a terminology (CSV), an annotation set
and templates (OME-Zarr with a level for each resolution). Source: brainglobe-atlasapi 2.3 and 3.0 (BSD-3-Clause).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

from pulvinar.errors import Invalid, NotFound, UnreadableFile
from pulvinar.model.ontology import Region


class Files(Protocol):
    """What of `AtlasSources` is needed to find out what there is."""

    def names(self) -> tuple[str, ...]:
        """Every file."""

    def bytes(self, name: str) -> bytes:
        """The content of a small one."""


@dataclass(frozen=True)
class BrainGlobeLayout:
    """One atlas of a folder. `name` has the resolution in it, as BrainGlobe's names do: "mpin_zfish_1um"; `metadata` is
    its manifest; volumes are named as `AtlasSources.volume` takes them.

    `references` are the templates by name, the first of them the one that the annotation was drawn on.
    """

    name: str
    metadata: Mapping[str, Any]
    regions: tuple[Region, ...]
    annotation: str
    references: Mapping[str, str]


def find_layout(sources: Files, name: str = "") -> BrainGlobeLayout:
    """The atlas called `name` ("" when there is one alone), in its newest version.

    Raises `NotFound` when there is none, or none of that name; `Invalid` when a name is needed; `UnreadableFile` for
    files that don't say what they must.
    """
    found: dict[str, str] = {}
    for file in _manifests(sources.names()):
        found[_name_of(sources, file)] = file
    if not found:
        raise NotFound(
            "there is no BrainGlobe atlas in the source",
            hint="give the folder that has metadata.json and structures.json, or the one that has atlases/",
        )
    if not name and len(found) > 1:
        raise Invalid(f"the source has several atlases: {', '.join(found)}", hint="name one: brainglobe:NAME")
    name = name or next(iter(found))
    chosen = found.get(name)
    if chosen is None:
        raise NotFound(f"the source has no atlas {name}", hint=f"it has {', '.join(found)}")
    try:
        second = chosen.endswith("metadata.json")
        return _second(sources, name, chosen) if second else _third(sources, name, chosen)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UnreadableFile(f"{chosen} does not describe a BrainGlobe atlas: {error!r}") from error


def _manifests(names: Sequence[str]) -> list[str]:
    """The files that begin an atlas, of an atlas's versions the newest last."""
    there = set(names)
    second = [
        name
        for name in names
        if PurePosixPath(name).name == "metadata.json" and _beside(name, "structures.json") in there
    ]
    third = [name for name in names if PurePosixPath(name).match("atlases/*/*/manifest.json")]
    return second + sorted(third, key=lambda name: [int(n) for n in name.split("/")[-2].split("_") if n.isdecimal()])


def _name_of(sources: Files, manifest: str) -> str:
    if manifest.endswith("manifest.json"):
        return manifest.split("/")[-3]
    metadata = _json(sources, manifest)
    folder = re.fullmatch(r"(.+_[\d.]+(?:nm|um|mm))_v[\d.]+", manifest.rpartition("/")[0].rpartition("/")[2])
    if folder:
        return folder[1]
    try:
        return f"{metadata['name']}_{metadata['resolution'][0]:g}um"
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UnreadableFile(f"{manifest} says no name and resolution: {error!r}") from error


def _second(sources: Files, name: str, manifest: str) -> BrainGlobeLayout:
    metadata = _json(sources, manifest)
    regions = tuple(_structures(metadata["name"], _json(sources, _beside(manifest, "structures.json"))))
    references = {"reference": _beside(manifest, "reference.tiff")}
    for other in metadata.get("additional_references", []):
        references[other] = _beside(manifest, f"{other}.tiff")
    return BrainGlobeLayout(name, metadata, regions, _beside(manifest, "annotation.tiff"), references)


def _third(sources: Files, name: str, manifest: str) -> BrainGlobeLayout:
    metadata = _json(sources, manifest)
    root = manifest.rpartition("atlases/")[0]
    size_mm = [length / 1000 for length in metadata["resolution"]]
    annotation = metadata["annotation_set"]

    def level(part: Mapping[str, Any], zarr: str) -> str:
        return _level(sources, f"{root}{part['location'].strip('/')}/{zarr}", size_mm)

    references = {"reference": level(annotation["template"], "template.ome.zarr")}
    for part in metadata.get("additional_references", []):
        references[part["name"]] = level(part, "template.ome.zarr")
    terminology = f"{root}{metadata['terminology']['location'].strip('/')}/terminology.csv"
    regions = tuple(_terminology(metadata["name"], sources.bytes(terminology).decode("utf-8")))
    return BrainGlobeLayout(name, metadata, regions, level(annotation, "annotations_compressed.ome.zarr"), references)


def _level(sources: Files, zarr: str, size_mm: Sequence[float]) -> str:
    """The array of an OME-Zarr whose voxels have that size: of the others, a download has no chunks."""
    said = _json(sources, f"{zarr}/zarr.json")["attributes"]["ome"]["multiscales"][0]["datasets"]
    for dataset in said:
        scale = next(one["scale"] for one in dataset["coordinateTransformations"] if one["type"] == "scale")
        if all(abs(a - b) <= 1e-3 * b for a, b in zip(scale[-3:], size_mm, strict=True)):
            return f"{zarr}/{dataset['path']}"
    raise UnreadableFile(f"{zarr} has no level of {' x '.join(f'{1000 * mm:g}' for mm in size_mm)} um")


def _structures(ontology: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Region]:
    for row in rows:
        path = [int(one) for one in row["structure_id_path"]]
        color = "".join(f"{int(part):02X}" for part in row["rgb_triplet"])
        parent = path[-2] if len(path) > 1 else None
        yield Region(ontology, int(row["id"]), str(row["acronym"]), str(row["name"]), parent, color=color)


def _terminology(ontology: str, text: str) -> Iterator[Region]:
    """The regions of a terminology, under the values that the annotation has for them."""
    rows = list(csv.DictReader(text.splitlines()))
    values = {int(row["identifier"]): int(float(row["annotation_value"] or row["identifier"])) for row in rows}
    for row in rows:
        # the parent's own column can't hold every number
        path = [int(one) for one in row["root_identifier_path"].strip("[]").split(",")]
        yield Region(
            ontology,
            values[path[-1]],
            row["abbreviation"],
            row["name"],
            values[path[-2]] if len(path) > 1 else None,
            color=row["color_hex_triplet"].lstrip("#").upper(),
        )


def _json(sources: Files, name: str) -> Any:
    try:
        return json.loads(sources.bytes(name))
    except ValueError as error:
        raise UnreadableFile(f"{name} is no JSON: {error}") from error


def _beside(name: str, other: str) -> str:
    return f"{name.rpartition('/')[0]}/{other}".lstrip("/")
