"""The commands of the search: what they do, and what they print."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

from pulvinar.cli.show import print_json, print_table
from pulvinar.cli.verbs import opened
from pulvinar.errors import Invalid
from pulvinar.model.text import plain, short

if TYPE_CHECKING:
    from pulvinar.atlases.region_distance import RegionDistance
    from pulvinar.catalogue.hits import Hit
    from pulvinar.catalogue.result_manifest import ManifestFormat
    from pulvinar.catalogue.search_tools import RegionDistances
    from pulvinar.model.access import Actor
    from pulvinar.platform import Platform


def show_search(query: str, limit: int, *, manifest: ManifestFormat | None, as_json: bool) -> None:
    """`pulvinar search`."""
    from pulvinar.catalogue.query import parse
    from pulvinar.catalogue.query_nodes import QueryError

    try:
        parse(query)
        with opened() as platform:
            if manifest:
                _print_manifest(platform, query, manifest)
            else:
                _print_results(platform, query, limit, as_json=as_json)
    except QueryError as error:
        raise Invalid(f"{error.message}\n{error.pointer}", hint=error.hint) from error


def _print_manifest(platform: Platform, query: str, form: ManifestFormat) -> None:
    from pulvinar.catalogue.result_manifest import result_manifest, write_manifest

    settings = platform.settings
    files = result_manifest(platform.database, platform.actor, query, distances=_distances(platform))
    for piece in write_manifest(files, form, f"http://{settings.host}:{settings.port}"):
        sys.stdout.write(piece)


def _print_results(platform: Platform, query: str, limit: int, *, as_json: bool) -> None:
    from pulvinar.catalogue.asset_search import search_assets

    page = search_assets(platform.database, platform.actor, query, limit=limit, distances=_distances(platform))
    if as_json:
        print_json([_to_json(hit) for hit in page.items])
        return
    if page.items:
        print_table([_row(hit) for hit in page.items], ["dataset", "kind", "asset", "found by"])
    if page.next_cursor:
        print("... and more: --limit shows them")


def _distances(platform: Platform) -> RegionDistances:
    """How far places are from a region, for `within:300um of:region`."""
    from pulvinar.atlases.installed import grids_in, open_atlas
    from pulvinar.atlases.region_distance import region_distance
    from pulvinar.model.atlas import PartKind

    cache = grids_in(platform.settings.resolved_scratch())

    def told(actor: Actor, name: str, region_id: int) -> RegionDistance | None:
        opened = open_atlas(platform.database, platform.store, actor, name, cache=cache)
        return region_distance(opened.annotation, region_id) if opened.atlas.has(PartKind.ANNOTATION) else None

    return told


def run_reindex(*, as_json: bool) -> None:
    """`pulvinar reindex`."""
    from pulvinar.operations.reindex import rebuild_search

    with opened() as platform:
        count = rebuild_search(platform.database, platform.store)
    if as_json:
        print_json({"datasets": count})
    else:
        print(f"{count} datasets are indexed anew")


def _row(hit: Hit) -> list[str]:
    """One line of `pulvinar search`."""
    why = "; ".join(f"{one.where}: {short(one.found, 40)}" for one in hit.why[:3])
    return [hit.dataset_id, hit.asset.kind.value, plain(short(hit.asset.name, 60)), plain(why)]


def _to_json(hit: Hit) -> dict[str, Any]:
    """A result of a search as JSON values."""
    return {
        "dataset": hit.dataset_id,
        "version": hit.number,
        "title": hit.record.title,
        "asset": hit.asset.id,
        "name": hit.asset.name,
        "kind": hit.asset.kind.value,
        "size_bytes": hit.asset.size_bytes,
        "why": [dataclasses.asdict(one) for one in hit.why],
    }
