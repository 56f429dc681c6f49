"""Versions over their life: published, compared, withdrawn."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.comparison import Change, Comparison, compare
from pulvinar.catalogue.presence import check_presence
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.versions import get_version
from pulvinar.catalogue.withdrawals import withdraw, withdrawals
from pulvinar.web.api.schemas import VersionSummary, version_summary
from pulvinar.web.context import CurrentActor, CurrentPlatform, DatasetId, VersionNumber, refuse_other_sites
from pulvinar.web.limits import costly

router = APIRouter(prefix="/datasets/{dataset_id}", tags=["datasets"], dependencies=[Depends(refuse_other_sites)])

Before = Annotated[int, Query(ge=1, le=2**31 - 1, description="Number of the one version.")]
After = Annotated[int, Query(ge=1, le=2**31 - 1, description="Number of the other.")]


class WithdrawIn(BaseModel):
    """Why a version is withdrawn."""

    reason: str = Field(max_length=2000, description="Everybody reads it who may see the dataset.")
    replaced_by: str = Field(
        default="",
        max_length=512,
        description="Number of another version, identifier of a dataset, a DOI or an https:// address.",
    )


class WithdrawalOut(BaseModel):
    """The tombstone of a version."""

    version_id: str
    number: int
    digest: str
    title: str
    reason: str
    replaced_by: str
    withdrawn: datetime
    published: datetime | None
    doi: str


class FieldChangeOut(BaseModel):
    """A field of the record that differs; null where it had no value."""

    field: str
    change: Change
    before: Any
    after: Any


class AssetChangeOut(BaseModel):
    """An asset that differs; null where it wasn't there."""

    name: str
    kind: str
    change: Change
    before_bytes: int | None
    after_bytes: int | None


class ComparedFile(BaseModel):
    """A file as one version has it."""

    size_bytes: int
    sha256: str


class FileChangeOut(BaseModel):
    """A file that differs."""

    asset: str
    path: str
    change: Change
    before: ComparedFile | None
    after: ComparedFile | None


class ComparisonOut(BaseModel):
    """What differs between two versions."""

    before: VersionSummary
    after: VersionSummary
    fields: list[FieldChangeOut]
    assets: list[AssetChangeOut]
    unchanged_assets: int
    files: list[FileChangeOut] | None = Field(description="At most 1000; null where you may not read the data.")
    file_counts: dict[Change, int] | None


@router.post("/versions/{number}/publish")
def publish_version(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, number: VersionNumber
) -> VersionSummary:
    """Freeze a draft, once all of it is there: it never changes from then on. 409 where it is published already."""
    draft = get_version(platform.database, actor, dataset_id, number)
    check_presence(platform.database, actor, platform.store, draft)
    with UnitOfWork(platform.database, actor) as work:
        done = publish(work, draft.id)
    return version_summary(done)


@router.post("/versions/{number}/withdraw")
def withdraw_version(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, number: VersionNumber, said: WithdrawIn
) -> WithdrawalOut:
    """Give the bytes of a published version out no more. Its identifiers lead to a tombstone from then on."""
    with UnitOfWork(platform.database, actor) as work:
        withdraw(work, dataset_id, number, said.reason, replaced_by=said.replaced_by)
    found = withdrawals(platform.database, actor, dataset_id)
    return next(_withdrawal(one) for one in found if one.number == number)


@router.get("/withdrawals")
def list_withdrawals(platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId) -> list[WithdrawalOut]:
    """The tombstones of a dataset that you may see, of the newest version first."""
    return [_withdrawal(one) for one in withdrawals(platform.database, actor, dataset_id)]


@router.get("/compare", dependencies=[Depends(costly)])
def compare_versions(
    platform: CurrentPlatform, actor: CurrentActor, dataset_id: DatasetId, before: Before, after: After
) -> ComparisonOut:
    """What differs between two versions: in the record, by asset, and by file."""
    return comparison_out(compare(platform.database, actor, dataset_id, before, after))


def comparison_out(found: Comparison) -> ComparisonOut:
    """A comparison, as it is told to programs."""
    return ComparisonOut(
        before=version_summary(found.before),
        after=version_summary(found.after),
        fields=[FieldChangeOut(**vars(one)) for one in found.fields],
        assets=[AssetChangeOut(**vars(one)) for one in found.assets],
        unchanged_assets=found.unchanged_assets,
        files=None
        if found.files is None
        else [FileChangeOut.model_validate(one, from_attributes=True) for one in found.files],
        file_counts=None if found.file_counts is None else dict(found.file_counts),
    )


def _withdrawal(one: object) -> WithdrawalOut:
    return WithdrawalOut.model_validate(one, from_attributes=True)
