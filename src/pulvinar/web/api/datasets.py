"""Datasets and their versions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from pulvinar.catalogue import datasets, version_manifest, versions
from pulvinar.catalogue.metadata_formats import FORMATS, FormatName, write_text
from pulvinar.ingest.conformance import check, checked_version, conformance_to_json
from pulvinar.model.record import Species
from pulvinar.web.api.schemas import DatasetOut, PageOut, VersionOut, VersionSummary, dataset_out, version_out
from pulvinar.web.api.schemas import version_summary as summary_out
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, VersionNumber, WantedVersion
from pulvinar.web.findings import in_chinese

router = APIRouter(prefix="/datasets", tags=["datasets"])

METADATA: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            known.media_type: {"schema": {"type": "string" if known.media_type.endswith("/xml") else "object"}}
            for known in FORMATS.values()
        }
    }
}

Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many datasets a page has at most.")]
Words = Annotated[str, Query(max_length=200, description="Words to search for, in Chinese or English.")]


@router.get("")
def list_datasets(
    platform: CurrentPlatform,
    actor: CurrentActor,
    cursor: Cursor = None,
    limit: Limit = 24,
    species: Annotated[Species | None, Query(description="Only datasets of this species.")] = None,
    q: Words = "",
) -> PageOut[DatasetOut]:
    """The datasets that you may see, newest first."""
    page = datasets.list_datasets(platform.database, actor, cursor=cursor, limit=limit, species=species, query=q)
    return PageOut(items=[dataset_out(dataset) for dataset in page.items], next_cursor=page.next_cursor)


@router.get("/{dataset_id}")
def get_dataset(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> DatasetOut:
    """One dataset, with the record of its newest version."""
    return dataset_out(datasets.get_dataset(platform.database, actor, dataset_id))


@router.get("/{dataset_id}/versions")
def list_versions(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> list[VersionSummary]:
    """Every version that you may see, newest first."""
    return [summary_out(version) for version in versions.list_versions(platform.database, actor, dataset_id)]


@router.get("/{dataset_id}/versions/{number}")
def get_version(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, number: VersionNumber
) -> VersionOut:
    """One version, with its assets."""
    return version_out(versions.get_version(platform.database, actor, dataset_id, number))


@router.get("/{dataset_id}/versions/{number}/manifest")
def get_manifest(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, number: VersionNumber
) -> dict[str, Any]:
    """Every object of a version with path, size and SHA-256; the version's digest covers all of it."""
    version = versions.get_version(platform.database, actor, dataset_id, number)
    return version_manifest.manifest(platform.database, actor, version.id)


@router.get("/{dataset_id}/metadata", response_class=Response, responses=METADATA)
def get_metadata(
    platform: CurrentPlatform,
    actor: CurrentActor,
    dataset_id: DatasetId,
    format: Annotated[FormatName, Query(description="In whose words.")] = FormatName.PULVINAR,  # noqa: A002
    version: WantedVersion = None,
) -> Response:
    """What the data are, in the words of another standard, as a file.

    BIDS is one object with an entry a file; a published version always answers the same.
    """
    found = versions.get_version(platform.database, actor, dataset_id, version)
    known = FORMATS[format]
    name = f"{dataset_id}-v{found.number}.{known.suffix}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "private, no-cache"}
    return Response(write_text(found, format), media_type=known.media_type, headers=headers)


@router.get("/{dataset_id}/conformance")
def get_conformance(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, version: WantedVersion = None
) -> dict[str, Any]:
    """Which rules of the profile a version meets, and of each other one what fails and the remedy, also in Chinese."""
    found = versions.get_version(platform.database, actor, dataset_id, version)
    return conformance_to_json(check(checked_version(found, in_chinese)))
