"""Atlases of BrainGlobe, from a folder or by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pulvinar.errors import Invalid, NotFound, Unavailable, UnreadableFile
from pulvinar.ingest.atlas_packers.brainglobe_layout import find_layout
from pulvinar.ingest.packing import AtlasSources, PackedAtlas, PackedVolume
from pulvinar.ingest.reader import Options
from pulvinar.model.atlas import atlas_from_json
from pulvinar.model.ontology import ontology_from_json
from pulvinar.model.record import Species
from pulvinar.model.space import Affine, Space, opposite
from pulvinar.model.volume import VolumeKind

_SPECIES = {
    "danio rerio": Species.ZEBRAFISH,
    "mus musculus": Species.MOUSE,
    "macaca": Species.MACAQUE,
    "homo sapiens": Species.HUMAN,
}


class BrainGlobePacker:
    """Any atlas of BrainGlobe of one of the four species, in its second or third layout.

    `atlas` is BrainGlobe's name with the resolution; "" for the only one of a folder.
    """

    name: ClassVar[str] = "brainglobe"
    title: ClassVar[str] = "An atlas of BrainGlobe"
    licence: ClassVar[str] = "that of the atlas: BrainGlobe's files don't say it, see the citation"
    redistributable: ClassVar[bool] = False
    where: ClassVar[str] = "https://brainglobe.info, by name with the package brainglobe-atlasapi"

    def __init__(self, atlas: str = "") -> None:
        self.atlas = atlas

    def fetch(self, folder: Path) -> None:
        """Download the atlas into `folder`.

        Raises `Invalid` without a name, `NotFound` when brainglobe-atlasapi isn't installed or knows no such atlas,
        `Unavailable` when the server can't be reached.
        """
        if not self.atlas:
            raise Invalid("no atlas is named", hint="brainglobe:allen_mouse_25um, or --from with a folder")
        _download(self.atlas, folder)

    def pack(self, sources: AtlasSources) -> PackedAtlas:
        """The atlas as its files say it. Raises `NotFound`, `UnreadableFile`, and `Invalid` for another species."""
        layout = find_layout(sources, self.atlas)
        said = layout.metadata
        try:
            species = _species(str(said["species"]))
            space, midline_um, affine = _geometry(said, species)
            citation, version = str(said["citation"]), str(said["version"])
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableFile(f"the metadata of {layout.name} are not complete: {error!r}") from error
        voxel_size_um = _triple(said["resolution"])
        options = Options(voxel_size_um=voxel_size_um, axes="zyx", orientation=space.orientation)

        def volume(name: str, file: str, kind: VolumeKind) -> PackedVolume:
            source, _, _ = sources.volume(file, Options(**{**vars(options), "kind": kind}))
            if source.shape[2:] != tuple(said["shape"]):
                raise UnreadableFile(f"{file} has shape {source.shape[2:]}, the metadata say {tuple(said['shape'])}")
            return PackedVolume(name, kind, source, voxel_size_um, affine, version)

        packed = PackedAtlas(
            name=layout.name,
            version=version,
            title=f"{said['name']}, {' x '.join(f'{length:g}' for length in voxel_size_um)} um (BrainGlobe)",
            title_zh="",
            species=species,
            space=space,
            licence=self.licence,
            citation=citation,
            source=str(said.get("atlas_link", "")),
            templates=tuple(volume(name, file, VolumeKind.IMAGE) for name, file in layout.references.items()),
            annotation=volume("annotation", layout.annotation, VolumeKind.LABELS),
            regions=layout.regions,
            ontology_version=version,
            midline_um=midline_um,
            findings=(f"orientation {said['orientation']!r} is taken at its word: the files don't prove it",),
        )
        return _as_it_was(packed, said["pulvinar"]) if "pulvinar" in said else packed


def _as_it_was(packed: PackedAtlas, own: Mapping[str, Any]) -> PackedAtlas:
    """An atlas that Pulvinar has written, with what BrainGlobe has no place for. Raises `Invalid`."""
    atlas = atlas_from_json({**own["atlas"], "parts": []})
    ontology = ontology_from_json(own["ontology"])
    return replace(
        packed,
        name=atlas.name,
        version=atlas.version,
        title=atlas.title,
        title_zh=atlas.title_zh,
        licence=atlas.licence,
        regions=ontology.regions,
        ontology_version=ontology.version,
        findings=("Pulvinar has written it: its space and names are taken from there",),
    )


def _species(text: str) -> Species:
    found = next((species for latin, species in _SPECIES.items() if latin in text.lower()), None)
    if found is None:
        raise Invalid(f"{text} is none of the species of this platform", hint=", ".join(sorted(Species)))
    return found


def _triple(values: Any) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x


def _geometry(said: Mapping[str, Any], species: Species) -> tuple[Space, float | None, Affine]:
    """The space, its middle and where the voxels lie: as Pulvinar has written them, else in BrainGlobe's own frame.

    That one begins at the outer corner of the first voxel; the letters of its orientation say where that corner is, so
    the axes rise to the other sides.
    """
    if "pulvinar" in said:
        own = said["pulvinar"]
        rows: Affine = tuple(tuple(float(value) for value in row) for row in own["voxel_to_space_um"])  # type: ignore[misc]
        atlas = atlas_from_json({**own["atlas"], "parts": []})
        return atlas.space, atlas.midline_um, rows
    size_um = _triple(said["resolution"])
    orientation = "".join(opposite(letter) for letter in str(said["orientation"]).upper())
    extent = _triple(n * size for n, size in zip(said["shape"], size_um, strict=True))
    frame = said.get("coordinate_space", {}).get("name", said["name"])
    space = Space(f"brainglobe_{frame}", species.value, orientation, extent_um=extent)
    side = next(axis for axis, letter in enumerate(orientation) if letter in "LR")
    midline_um = extent[side] / 2 if said["symmetric"] else None
    z, y, x = size_um
    return space, midline_um, ((z, 0.0, 0.0, z / 2), (0.0, y, 0.0, y / 2), (0.0, 0.0, x, x / 2), (0.0, 0.0, 0.0, 1.0))


class _Downloaded:
    """What tells of an atlas in a folder that nobody else has written to."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> tuple[str, ...]:
        """Every file."""
        return tuple(sorted(path.relative_to(self._root).as_posix() for path in self._root.rglob("*")))

    def bytes(self, name: str) -> bytes:
        """The content of one."""
        return (self._root / name).read_bytes()


def _download(atlas: str, folder: Path) -> None:
    try:
        from brainglobe_atlasapi import BrainGlobeAtlas
        from brainglobe_atlasapi.descriptors import remote_url_s3
        from brainglobe_atlasapi.utils import check_s3_status
    except ImportError as error:
        raise NotFound(
            "the package brainglobe-atlasapi is not installed", hint="pip install 'pulvinar[brainglobe]'"
        ) from error
    config = folder / "brainglobe.conf"
    # without a file of its own it would write one into the person's home
    config.touch()
    try:
        # asked first: without it a name that can't be looked up is called unknown
        check_s3_status()
        found = BrainGlobeAtlas(atlas, brainglobe_dir=folder, check_latest=False, config_dir=config)
        # it has brought the descriptions alone; the voxels of this resolution come file by file, never into memory
        layout = find_layout(_Downloaded(found.root_dir), atlas)
        for place in (layout.annotation, *layout.references.values()):
            found.fs.get(remote_url_s3.format(f"{place}/"), str(found.root_dir / place), recursive=True)
    except (ConnectionError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise NotFound(f"BrainGlobe has no atlas {atlas}", hint="see `brainglobe list`") from error
        raise Unavailable(
            "BrainGlobe's server can't be reached from here",
            hint="download the atlas where it can (`brainglobe install`), bring the folder here, and say --from",
        ) from error
    except ValueError as error:
        raise NotFound(f"BrainGlobe has no atlas {atlas}", hint="see `brainglobe list`") from error
