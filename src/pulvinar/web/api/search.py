"""One search over text, anatomy and place; every file of what it finds; and what could be written next."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from pulvinar.catalogue import asset_search, result_manifest
from pulvinar.catalogue import suggest as suggesting
from pulvinar.catalogue.hits import Hit
from pulvinar.catalogue.query import LONGEST
from pulvinar.catalogue.result_manifest import MEDIA_TYPES, ManifestFormat
from pulvinar.model.record import Species
from pulvinar.web.api.datasets import Cursor
from pulvinar.web.api.schemas import AssetOut, PageOut, asset_out
from pulvinar.web.context import CurrentActor, CurrentPlatform
from pulvinar.web.downloads import disposition
from pulvinar.web.limits import costly
from pulvinar.web.opened_atlases import region_distances

router = APIRouter(prefix="/search", tags=["search"], dependencies=[Depends(costly)])

Question = Annotated[
    str, Query(max_length=LONGEST, description="A question in the language of searches, in Chinese or English.")
]
FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {"schema": {"type": "string"}} for kind in sorted(set(MEDIA_TYPES.values()))}}
}


class WhyOut(BaseModel):
    """Why something was found."""

    where: str = Field(description="name, title, text, region, soma, end, or the field that says it.")
    asked: str
    found: str = Field(description="What is there; of a region the one below what was asked for, or that one itself.")
    found_zh: str
    homologue: bool = Field(description="It lies in a region of another species that is like the one asked for.")


class HitOut(BaseModel):
    """An asset that a search found."""

    dataset_id: str
    version: int
    title: str
    species: Species
    licence: str
    why: list[WhyOut]
    asset: AssetOut


class FacetOut(BaseModel):
    """One value that some of the results have."""

    value: str
    count: int
    query: str = Field(description="What to add to the question to have only these; empty when nothing asks for it.")
    label_en: str
    label_zh: str


class SearchOut(PageOut[HitOut]):
    """One page of what a search found."""

    count: int | None = Field(description="How many there are; null when facets were not asked for.")
    capped: bool = Field(description="There are more than `count`; facets are of that many, the newest.")
    facets: dict[str, list[FacetOut]]


class SuggestionOut(BaseModel):
    """One way to go on."""

    query: str = Field(description="The whole question with it.")
    kind: str
    label_en: str
    label_zh: str


@router.get("")
def search(
    platform: CurrentPlatform,
    actor: CurrentActor,
    q: Question = "",
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200, description="How many assets a page has at most.")] = 24,
    facets: Annotated[bool, Query(description="Also count the results, and what they are.")] = False,
) -> SearchOut:
    """The assets that a question finds of what you may see, the best first.

    A question that can't be understood is refused with the character `at` which it goes wrong.
    """
    page = asset_search.search_assets(
        platform.database,
        actor,
        q,
        cursor=cursor,
        limit=limit,
        facets=facets,
        distances=region_distances(platform),
    )
    return SearchOut(
        items=[_hit_out(hit) for hit in page.items],
        next_cursor=page.next_cursor,
        count=page.count,
        capped=page.capped,
        facets={
            name: [FacetOut.model_validate(one, from_attributes=True) for one in values]
            for name, values in page.facets.items()
        },
    )


@router.get("/manifest", response_class=StreamingResponse, responses=FILES)
def get_search_manifest(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    q: Question = "",
    format: Annotated[ManifestFormat, Query(description="In which form.")] = ManifestFormat.JSONL,  # noqa: A002
) -> StreamingResponse:
    """Every stored file of what a question finds, with address, size and SHA-256, for wget, aria2 and others."""
    files = result_manifest.result_manifest(platform.database, actor, q, distances=region_distances(platform))
    pieces = result_manifest.write_manifest(files, format, str(request.base_url).rstrip("/"))
    headers = {"content-disposition": disposition(f"pulvinar-files.{_SUFFIXES[format]}"), "cache-control": "no-store"}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[format], headers=headers)


_SUFFIXES = {
    ManifestFormat.JSONL: "jsonl",
    ManifestFormat.CSV: "csv",
    ManifestFormat.URLS: "txt",
    ManifestFormat.ARIA2: "aria2.txt",
    ManifestFormat.METALINK: "meta4",
    ManifestFormat.SHA256: "sha256",
}


@router.get("/suggest")
def suggest(
    platform: CurrentPlatform,
    actor: CurrentActor,
    q: Question = "",
    limit: Annotated[int, Query(ge=1, le=50, description="How many at most.")] = 10,
) -> list[SuggestionOut]:
    """Ways to complete the end of a question: fields, terms and names of regions, in both languages."""
    found = suggesting.suggest(platform.database, actor, q, limit=limit)
    return [SuggestionOut.model_validate(one, from_attributes=True) for one in found]


def _hit_out(hit: Hit) -> HitOut:
    return HitOut(
        dataset_id=hit.dataset_id,
        version=hit.number,
        title=hit.record.title,
        species=hit.record.species,
        licence=hit.record.licence,
        why=[WhyOut.model_validate(one, from_attributes=True) for one in hit.why],
        asset=asset_out(hit.asset, hit.version_digest),
    )
