"""Install one atlas from a folder of its source's files, check it, and say what it has: a process of its own.

`python -m benchmarks._one_atlas NAME FOLDER OUT`; without files of its own in FOLDER an atlas of packages fetches them.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from pulvinar.cli import settle_process

settle_process()

from pulvinar.atlases.installed import OpenAtlas, grids_in  # noqa: E402
from pulvinar.atlases.region_meshes import regions_with_surface  # noqa: E402
from pulvinar.cli.verbs import means_of  # noqa: E402
from pulvinar.ingest.atlas_checks import check_atlas  # noqa: E402
from pulvinar.ingest.atlas_install import install_atlas  # noqa: E402
from pulvinar.ingest.atlas_packers import packer  # noqa: E402
from pulvinar.ingest.atlas_sources import FolderSources  # noqa: E402
from pulvinar.model.atlas import PartKind  # noqa: E402
from pulvinar.platform import Platform, open_platform  # noqa: E402
from pulvinar.settings import load_settings  # noqa: E402


def main(name: str, folder: Path, home: Path) -> None:
    """Print a line of JSON."""
    platform = open_platform(load_settings(environment={}, home=home))
    try:
        print(json.dumps(_figures(platform, name, folder)))
    finally:
        platform.close()


def _figures(platform: Platform, name: str, folder: Path) -> dict[str, Any]:
    means, started = means_of(platform), time.perf_counter()
    with FolderSources(folder, scratch=means.scratch, limits=means.limits) as sources:
        installed = install_atlas(means, packer(name).pack(sources))
    installed_s = time.perf_counter() - started
    atlas = OpenAtlas(installed, platform.store, grids_in(platform.settings.resolved_scratch()))
    found = check_atlas(atlas, lambda one: _surfaces(platform, one))
    regions = atlas.ontology.regions if atlas.atlas.has(PartKind.TERMINOLOGY) else ()
    return {
        "regions": len(regions),
        "labels": len(atlas.annotation.index.labels) if atlas.atlas.has(PartKind.ANNOTATION) else 0,
        "surfaces": len(_surfaces(platform, atlas)) if atlas.atlas.has(PartKind.MESHES) else 0,
        "english": sum(bool(one.name) for one in regions),
        "chinese": sum(bool(one.name_zh) for one in regions),
        "licence": atlas.atlas.licence,
        "passed": sum(one.passed is True for one in found),
        "failed": [f"{one.name}: {one.found}" for one in found if one.passed is False],
        "install_s": installed_s,
        "check_s": time.perf_counter() - started - installed_s,
    }


def _surfaces(platform: Platform, atlas: OpenAtlas) -> frozenset[int]:
    """The regions whose surface is in the store."""
    return regions_with_surface(platform.store, f"assets/{atlas.atlas.part(PartKind.MESHES).asset_id}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
