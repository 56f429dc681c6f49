"""Packers: how the files of a public source become an atlas, one module for those that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from pulvinar.errors import NotFound
from pulvinar.ingest.atlas_packers.brainglobe import BrainGlobePacker
from pulvinar.ingest.packing import Packer

_MODULES = ("mouse", "macaque", "zebrafish", "human")


@cache
def packers() -> Mapping[str, type[Packer]]:
    """Every packer by the name of its atlas, in the order in which species are listed."""
    modules = [import_module(f"{__name__}.{module}") for module in _MODULES]
    kinds = (value for module in modules for value in vars(module).values() if isinstance(value, type))
    return {vars(kind)["name"]: kind for kind in kinds if "name" in vars(kind) and hasattr(kind, "pack")}


def packer(name: str) -> Packer | BrainGlobePacker:
    """The packer of the atlas `name`, or of any of BrainGlobe's: "brainglobe:allen_mouse_25um", or "brainglobe" for the
    only one of a folder. Raises `NotFound`, naming those that there are."""
    source, _, atlas = name.partition(":")
    if source == BrainGlobePacker.name:
        return BrainGlobePacker(atlas)
    kinds = packers()
    if name not in kinds:
        raise NotFound(f"there is no packer for the atlas {name!r}", hint=f"known: {', '.join(kinds)}, brainglobe:NAME")
    return kinds[name]()
