"""Mouse atlases in the space of the Allen common coordinate framework, version 3."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from pulvinar.atlases.spaces import CCFV3
from pulvinar.errors import UnreadableFile
from pulvinar.ingest.atlas_geometry import (
    LabelPlace,
    corner_affine,
    label_places,
    measured_orientation,
    orientation_of_affine,
    world_affine,
)
from pulvinar.ingest.atlas_packers.source_files import find_file, open_image, open_labels
from pulvinar.ingest.packing import AtlasSources, PackedAtlas, PackedVolume
from pulvinar.ingest.reader import Options
from pulvinar.model.ontology import Region, folded_name
from pulvinar.model.record import Species
from pulvinar.model.space import Affine
from pulvinar.model.transform import affine_rows
from pulvinar.model.volume import VolumeKind

_TEMPLATE = "average_template_200um.mnc"
_ALLEN_TERMS = "Allen Institute terms of use: non-commercial, with citation"
# the MINC files of the DSURQE set count from a point in the brain: where that is in the framework
_MINC_ORIGIN_UM = (5_300.0, 5_300.0, 5_700.0)
_ROOT, _UNIVERSE = 997, 0


class AllenMouse:
    """Allen CCFv3, annotation of 2017 at 25 um, with the ontology of 1,327 structures."""

    name: ClassVar[str] = "allen_mouse_25um"
    species: ClassVar[Species] = Species.MOUSE
    title: ClassVar[str] = "Allen Mouse Brain Common Coordinate Framework v3, 25 µm"
    licence: ClassVar[str] = _ALLEN_TERMS
    redistributable: ClassVar[bool] = False
    where: ClassVar[str] = (
        "the folder of ABA_25um_2017_annotation.tif.lzma and ABA_annotation_last.json (ClearMap2's Resources/Atlas), "
        "and, for the template, average_template_200um.mnc of the DSURQE set; or the atlas of BrainGlobe's name"
    )
    annotation: ClassVar[str] = "ABA_25um_2017_annotation.tif.lzma"
    voxel_um: ClassVar[float] = 25.0
    # olfactory bulb, cerebellum, isocortex, hypothalamus and what their labels are below
    landmarks: ClassVar[Mapping[str, int]] = {"A": 698, "P": 512, "S": 315, "I": 1097}

    def pack(self, sources: AtlasSources) -> PackedAtlas:
        """The atlas, with its orientation measured from where the olfactory areas, cerebellum, isocortex and
        hypothalamus lie."""
        regions = tuple(allen_regions(json.loads(sources.bytes(find_file(sources, "ABA_annotation_last.json")))))
        size = (self.voxel_um,) * 3
        annotation, _, _ = open_labels(sources, self.annotation, Options(voxel_size_um=size))
        places = label_places(annotation)
        stray = sorted(set(places) - {region.id for region in regions})
        orientation = measured_orientation(places, _landmark_labels(regions, self.landmarks))
        side = orientation.index("?")
        _, _, depth, height, width = annotation.shape
        lies = corner_affine(orientation.replace("?", "R"), (depth, height, width), size, CCFV3)
        findings = [
            f"the annotation's axes rise to {orientation} (measured; ? is left-right, which its symmetry can't tell: "
            "taken as rising to the right, as the framework says)",
            f"left and right halves have {_symmetry(places, annotation.shape[2 + side], side):.2f} voxels between them "
            "from the middle plane",
        ]
        if stray:
            findings.append(f"labels without a region: {stray[:10]}")
        templates = _average_template(sources)
        return PackedAtlas(
            name=self.name,
            version="2017",
            title=self.title,
            title_zh="艾伦小鼠脑通用坐标框架 v3，25 微米",
            species=self.species,
            space=CCFV3,
            licence=self.licence,
            citation=(
                "Wang Q et al. (2020) The Allen Mouse Brain Common Coordinate Framework: a 3D reference atlas. "
                "Cell 181:936-953, doi:10.1016/j.cell.2020.04.007"
            ),
            source=self.where,
            templates=templates,
            annotation=PackedVolume("annotation", VolumeKind.LABELS, annotation, size, lies, "2017"),
            regions=regions,
            ontology_version="2017",
            midline_um=CCFV3.extent_um[2] / 2 if CCFV3.extent_um else None,
            findings=tuple(findings),
        )


def allen_regions(told: Mapping[str, Any]) -> Iterator[Region]:
    """The structures from the root down: what is above it ("universe") is no anatomy."""
    waiting = list(told["msg"])
    while waiting:
        row = waiting.pop()
        waiting += reversed(row["children"])
        if row["id"] != _ROOT and row["parent_structure_id"] in (None, _UNIVERSE):
            continue
        yield Region(
            "allen_mouse",
            row["id"],
            row["acronym"],
            row["name"],
            None if row["id"] == _ROOT else row["parent_structure_id"],
            color=(row["color_hex_triplet"] or "808080").upper(),
        )


def _landmark_labels(regions: tuple[Region, ...], landmarks: Mapping[str, int]) -> dict[str, list[int]]:
    """The labels of each landmark and of all below it."""
    below: dict[int | None, list[int]] = {}
    for region in regions:
        below.setdefault(region.parent, []).append(region.id)
    found = {}
    for letter, top in landmarks.items():
        waiting, labels = [top], []
        while waiting:
            one = waiting.pop()
            labels.append(one)
            waiting += below.get(one, [])
        found[letter] = labels
    return found


def _symmetry(places: Mapping[int, LabelPlace], size: int, axis: int) -> float:
    """How far the mean of the labels' centres is from the middle of `axis`, in voxels."""
    weights = [place.count for place in places.values()]
    middle = np.average([place.center[axis] for place in places.values()], weights=weights)
    return float(abs(middle - (size - 1) / 2))


def _average_template(sources: AtlasSources) -> tuple[PackedVolume, ...]:
    """The average of 1,675 brains at 200 um, where the sources have it."""
    if not any(name.endswith(_TEMPLATE) for name in sources.names()):
        return ()
    voxels, size, affine = open_image(sources, _TEMPLATE)
    return (PackedVolume("average template", VolumeKind.IMAGE, voxels, size, _from_minc(affine), "2015"),)


def _from_minc(affine: Affine) -> Affine:
    """A MINC file's world (superior, anterior, right of its origin) as the framework (from its corner)."""
    matrix = np.array(world_affine(affine, CCFV3))
    matrix[:3, 3] += _MINC_ORIGIN_UM
    return affine_rows(matrix)


class DsurqeMouse:
    """The DSURQE atlas of the mouse brain in MRI, 336 labels with sides, in the framework at 200 um."""

    name: ClassVar[str] = "dsurqe_mouse_200um"
    species: ClassVar[Species] = Species.MOUSE
    title: ClassVar[str] = "DSURQE mouse MRI atlas in Allen CCFv3 space, 200 µm"
    licence: ClassVar[str] = "terms of the Mouse Imaging Centre (not checked); files from a GPL-3.0 repository"
    redistributable: ClassVar[bool] = False
    where: ClassVar[str] = (
        "the folder of DSURQE_CCFv3_labels_200um.mnc, DSURQE_CCFv3_average_200um.mnc, DSURQE_tree.json and "
        "DSURQE_40micron_R_mapping_long.csv (AMBA/data of MouseHumanTranscriptomicSimilarity)"
    )

    def pack(self, sources: AtlasSources) -> PackedAtlas:
        """The atlas, with its sides and orientation measured from the labels that the mapping calls left and right."""
        tree = json.loads(sources.bytes(find_file(sources, "DSURQE_tree.json")))
        regions = tuple(_dsurqe_regions(_top(tree)))
        labels, size, affine = open_labels(sources, "DSURQE_CCFv3_labels_200um.mnc")
        mapping = sources.bytes(find_file(sources, "DSURQE_40micron_R_mapping_long.csv")).decode("utf-8")
        measured = measured_orientation(label_places(labels), _dsurqe_landmarks(mapping, regions))
        stated = orientation_of_affine(affine)
        if measured != stated:
            raise UnreadableFile(
                f"the labels lie {measured} by anatomy and {stated} by their header", hint="is it the source's file?"
            )
        voxels, template_size, template_affine = open_image(sources, "DSURQE_CCFv3_average_200um.mnc")
        template = PackedVolume(
            "MRI average", VolumeKind.IMAGE, voxels, template_size, _from_minc(template_affine), "2018"
        )
        return PackedAtlas(
            name=self.name,
            version="2018",
            title=self.title,
            title_zh="DSURQE 小鼠磁共振图谱（艾伦 CCFv3 空间），200 微米",
            species=self.species,
            space=CCFV3,
            licence=self.licence,
            citation=(
                "Dorr AE et al. (2008) High resolution three-dimensional brain atlas using an average magnetic "
                "resonance image of 40 adult C57Bl/6J mice. NeuroImage 42:60-69; and the atlases that DSURQE joins"
            ),
            source=self.where,
            templates=(template,),
            annotation=PackedVolume("annotation", VolumeKind.LABELS, labels, size, _from_minc(affine), "2018"),
            regions=regions,
            ontology_version="2018",
            midline_um=_MINC_ORIGIN_UM[2],
            findings=(f"the voxels' axes rise to {measured}: measured, and as their header says",),
        )


def _top(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    top: Mapping[str, Any] = tree["msg"][0]
    return top


def _dsurqe_regions(top: Mapping[str, Any]) -> Iterator[Region]:
    """Nodes with a label of their own keep its number; those above get numbers from 1,000 on, in the tree's order.

    The tree repeats some structures under their own name: a node called like the one above it is left out, and what is
    below it hangs on that one. Names that are still given twice say under what they lie.
    """
    number = 1_000
    taken: set[tuple[str, str]] = set()
    waiting: list[tuple[Mapping[str, Any], Region | None]] = [(top, None)]
    while waiting:
        node, above = waiting.pop()
        children = node["children"]
        below = list(children.values()) if isinstance(children, dict) else children
        name, side = node["name"] if above else "DSURQE brain", node.get("side", "")
        if above is not None and below and folded_name(name) == folded_name(above.name):
            waiting += [(child, above) for child in reversed(below)]
            continue
        if (folded_name(name), side) in taken and above is not None:
            name = f"{name} ({above.name})"
        taken.add((folded_name(name), side))
        said = node.get("Structure", "")
        region = Region(
            "dsurqe",
            number if below else int(node["label"]),
            node["acronym"],
            name,
            above.id if above else None,
            color=node["color_hex_triplet"].lstrip("#").upper(),
            side=side if side in ("left", "right") else "",
            synonyms=(said,) if said and said != name else (),
        )
        number += bool(below)
        yield region
        waiting += [(child, region) for child in reversed(below)]


def _dsurqe_landmarks(mapping: str, regions: tuple[Region, ...]) -> dict[str, list[int]]:
    rows = list(csv.DictReader(mapping.splitlines()))
    found = {
        letter: [int(row["Label"]) for row in rows if row["Hemisphere"] == side]
        for letter, side in (("L", "left"), ("R", "right"))
    }
    by_name = {region.name: region.id for region in regions}
    for letter, name in (("A", "Olfactory areas"), ("P", "Cerebellum"), ("S", "Isocortex"), ("I", "Hypothalamus")):
        found |= _landmark_labels(regions, {letter: by_name[name]}) if name in by_name else {}
    return found
