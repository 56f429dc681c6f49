"""The commands about atlases: install them, check them, ask them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulvinar.cli.options import NEGATIVE_PLACES, Json

atlas_app = typer.Typer(no_args_is_help=True, help="Reference atlases: install, check, ask.")


class ExportFormat(StrEnum):
    """What atlases are written as: BrainGlobe's third layout, which its programs read from release 3 on, or its
    second."""

    BRAINGLOBE = "brainglobe"
    BRAINGLOBE_2 = "brainglobe2"


Name = Annotated[str, typer.Argument(help="Name of an atlas, as allen_mouse_25um.")]
WantedRegion = Annotated[str, typer.Argument(help="Identifier, acronym or name, in English or Chinese.")]
PlacesAsked = Annotated[list[str], typer.Argument(help="Places x,y,z in micrometres of the atlas's space.")]


@atlas_app.command("list")
def list_them(
    known: Annotated[bool, typer.Option("--known", help="Those that can be installed, and where from.")] = False,
    json: Json = False,
) -> None:
    """List the atlases that are installed, with their regions, names and licences."""
    from pulvinar.cli import atlases

    if known:
        atlases.show_known(as_json=json)
    else:
        atlases.show_installed(as_json=json)


@atlas_app.command()
def install(
    name: Annotated[str, typer.Argument(help="Name of a known atlas, or of BrainGlobe's.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the source's files; of packages it isn't needed.")
    ] = None,
    keep_anchors: Annotated[
        bool, typer.Option("--keep-anchors", help="Leave the anchors of an older version as they are, marked stale.")
    ] = False,
    json: Json = False,
) -> None:
    """Install an atlas from its source's files, as a published dataset. Once more changes nothing.

    Where it replaces another version, the assets that lie in it are anchored anew.
    """
    from pulvinar.cli.atlases import install_named

    install_named(name, source, keep_anchors=keep_anchors, as_json=json)


@atlas_app.command()
def check(
    name: Annotated[str, typer.Argument(help="Name of an atlas; all without it.")] = "", json: Json = False
) -> None:
    """Check installed atlases: labels, regions, sides, surfaces, overlap. The exit code is 2 when one fails."""
    from pulvinar.cli.atlases import check_named

    check_named(name, as_json=json)


@atlas_app.command()
def regions(
    name: Name,
    search: Annotated[str, typer.Option(help="Words of a name, in English or Chinese.")] = "",
    below: Annotated[str, typer.Option(help="Only what lies below this region.")] = "",
    json: Json = False,
) -> None:
    """List the regions of an atlas, from the top of the tree down: all, those whose names have some words, or those
    below one."""
    from pulvinar.cli.atlases import show_regions

    show_regions(name, search, below, as_json=json)


@atlas_app.command()
def region(
    name: Name,
    region: WantedRegion,
    json: Json = False,
) -> None:
    """Show one region: its names, what holds it, its volume and place."""
    from pulvinar.cli.atlases import show_region

    show_region(name, region, as_json=json)


@atlas_app.command()
def mask(
    name: Name,
    region: WantedRegion,
    file: Annotated[Path, typer.Argument(help="Where to write it: .nii.gz, .tif, .npy or .ome.zarr.zip.")],
    level: Annotated[int, typer.Option(help="Resolution: 0 is the finest.")] = 0,
) -> None:
    """Write the mask of a region and all below it: 0 and 1, cut to its box."""
    from pulvinar.cli.atlases import write_mask

    write_mask(name, region, file, level)


@atlas_app.command()
def mesh(
    name: Name,
    region: WantedRegion,
    file: Annotated[Path, typer.Argument(help="Where to write it: .ply, .obj, .stl or .npz.")],
    level: Annotated[int, typer.Option(help="Level of detail: 0 is the finest, 2 the coarsest.")] = 0,
) -> None:
    """Write the surface of a region and all below it: x y z in micrometres of the atlas's space."""
    from pulvinar.cli.atlases import write_surface

    write_surface(name, region, file, level)


@atlas_app.command(context_settings=NEGATIVE_PLACES)
def mirror(name: Name, points: PlacesAsked, json: Json = False) -> None:
    """Write out where places lie on the other side, one a line: `atlas at` says in which region."""
    from pulvinar.cli.atlases import show_mirrored

    show_mirrored(name, points, as_json=json)


@atlas_app.command(context_settings=NEGATIVE_PLACES)
def at(name: Name, points: PlacesAsked, json: Json = False) -> None:
    """Say in which region places lie; outside, which is nearest and how far."""
    from pulvinar.cli.atlases import show_places

    show_places(name, points, as_json=json)


@atlas_app.command()
def export(
    name: Name,
    folder: Annotated[Path, typer.Argument(help="Where to write it; BrainGlobe's brainglobe_dir.")],
    layout: Annotated[
        ExportFormat,
        typer.Option("--format", help="brainglobe: read by brainglobe-atlasapi 3; brainglobe2: by release 2."),
    ] = ExportFormat.BRAINGLOBE,
    json: Json = False,
) -> None:
    """Write an atlas for other programs: voxels, regions and surfaces. Its licence goes with it."""
    from pulvinar.cli.atlases import export_named

    export_named(name, folder, layout=2 if layout is ExportFormat.BRAINGLOBE_2 else 3, as_json=json)
