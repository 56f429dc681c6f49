"""Measurements: an image along a line, the voxels of a box, regions of an atlas in figures. Each as JSON or as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from pulvinar.access.export_rules import check_leaving
from pulvinar.catalogue.assets import find_home, resolve
from pulvinar.catalogue.box_statistics import MOST_BINS, BoxStatistics, box_statistics, levels_in_box
from pulvinar.catalogue.line_profiles import MOST_CORNERS, LineProfile, line_profile
from pulvinar.catalogue.measuring import Measured, open_measured
from pulvinar.catalogue.region_statistics import MOST_REGIONS, RegionStatistics, cells_in_space, region_statistics
from pulvinar.catalogue.time_courses import TimeCourse, time_course
from pulvinar.model.access import Actor
from pulvinar.model.export_rule import Way
from pulvinar.platform import Platform
from pulvinar.web.api.atlases import AskedAtlas
from pulvinar.web.context import AssetId, CurrentActor, CurrentPlatform, VersionDigest
from pulvinar.web.downloads import csv_file
from pulvinar.web.limits import costly
from pulvinar.web.places import Place, read_place
from pulvinar.web.reads import count_as, reading_of

router = APIRouter(tags=["measurements"], dependencies=[Depends(costly)])

OF_ASSET = "/assets/{version_digest}/{asset_id}"
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


class Form(StrEnum):
    """As what a measurement is told."""

    JSON = "json"
    CSV = "csv"


WantedLevel = Annotated[
    int | None, Query(ge=0, le=64, description="Resolution: 0 is the finest. Without it, the finest that fits.")
]
Time = Annotated[int, Query(ge=0, le=2**31 - 1, description="Time point, from 0.")]
WantedForm = Annotated[Form, Query(alias="format", description="json or csv.")]


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ProfileOut(_Out):
    """The values of an image along a line."""

    level: int = Field(description="The level whose voxels were read.")
    width_um: float
    distance_um: list[float] = Field(description="From the first corner, along the line.")
    zyx_um: list[tuple[float, float, float]]
    channels: list[str]
    values: list[list[float | None]] = Field(description="One list a channel; null outside of the image.")


class TraceOut(_Out):
    """The values of an image over time at one place."""

    level: int = Field(description="The level whose voxels were read.")
    voxels: int = Field(description="How many voxels each value is a mean of.")
    zyx_um: tuple[float, float, float] = Field(description="The middle of the first of them.")
    timed: bool = Field(description="Whether times are seconds; else they are numbers of frames.")
    times: list[float]
    channels: list[str]
    values: list[list[float | None]] = Field(description="One list a channel; null for what is no number.")


class ChannelOut(_Out):
    """The finite values of one channel in a box."""

    name: str
    count: int
    not_finite: int
    mean: float | None
    sd: float | None = Field(description="Of the population.")
    minimum: float | None
    median: float | None
    maximum: float | None
    edges: list[float] = Field(description="Of the histogram's bins.")
    counts: list[int]


class LabelCountOut(_Out):
    """How many voxels of a box have one label."""

    label: int
    voxels: int
    volume_mm3: float


class BoxOut(_Out):
    """The voxels whose centres lie in a box."""

    level: int
    voxels: int
    volume_mm3: float
    channels: list[ChannelOut] = Field(description="Of an image.")
    labels: list[LabelCountOut] = Field(description="Of labels, the largest first.")


class LevelInBoxOut(_Out):
    """A cut-out of a box at one level."""

    level: int
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    size_bytes: int = Field(description="Without compression, of all channels and time points.")
    fits: bool = Field(description="Whether this server gives so much at once.")


class BoxLevelsOut(BaseModel):
    """What of a volume lies in a box, and whose it is."""

    dataset_id: str
    levels: list[LevelInBoxOut]


class SignalOut(_Out):
    """One channel of an image in a region."""

    channel: str
    voxels: int
    mean: float | None
    sd: float | None


class RegionRowOut(_Out):
    """One region in figures."""

    id: int
    acronym: str
    name: str
    name_zh: str
    color: str
    voxels: int
    volume_mm3: float
    signal: list[SignalOut]
    cells: int | None
    cells_per_mm3: float | None


class RegionStatisticsOut(BaseModel):
    """Regions in figures."""

    level: int | None = Field(description="The image's level that was read.")
    with_children: bool
    rows: list[RegionRowOut]


@router.get(f"{OF_ASSET}/profile", response_model=ProfileOut, responses=_CSV)
def get_profile(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    version_digest: VersionDigest,
    asset_id: AssetId,
    through: Annotated[
        list[Annotated[str, Field(max_length=100)]],
        Query(min_length=2, max_length=MOST_CORNERS, description="Corners of the line: z,y,x in micrometres."),
    ],
    width_um: Annotated[float, Query(ge=0, le=1e6, description="Diameter of the disc that is averaged.")] = 0.0,
    level: WantedLevel = None,
    time: Time = 0,
    form: WantedForm = Form.JSON,
) -> Any:
    """The values of an image along a line, of every channel, a voxel or less apart (trilinear)."""
    measured = _measured(request, platform, actor, version_digest, asset_id)
    corners = np.stack([read_place(one) for one in through])
    found = line_profile(measured, corners, width_um=width_um, level=level, time=time)
    if form is Form.CSV:
        return csv_file(f"profile of {measured.asset.name} level {found.level}.csv", *_profile_table(found))
    return ProfileOut(
        level=found.level,
        width_um=width_um,
        distance_um=found.distance_um.tolist(),
        zyx_um=[(z, y, x) for z, y, x in found.zyx_um.tolist()],
        channels=list(found.channels),
        values=[[value if known else None for value, known in _known(row)] for row in found.values],
    )


@router.get(f"{OF_ASSET}/trace", response_model=TraceOut, responses=_CSV)
def get_trace(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    version_digest: VersionDigest,
    asset_id: AssetId,
    at: Place,
    radius_um: Annotated[float, Query(ge=0, le=1e6, description="Radius of the ball that is averaged.")] = 0.0,
    level: WantedLevel = None,
    form: WantedForm = Form.JSON,
) -> Any:
    """The values of an image over time at one place: of the voxel there, or the mean of a ball."""
    measured = _measured(request, platform, actor, version_digest, asset_id)
    found = time_course(measured, read_place(at), radius_um=radius_um, level=level)
    if form is Form.CSV:
        return csv_file(f"trace of {measured.asset.name} level {found.level}.csv", *_trace_table(found))
    z, y, x = found.zyx_um.tolist()
    return TraceOut(
        level=found.level,
        voxels=found.voxels,
        zyx_um=(z, y, x),
        timed=found.timed,
        times=found.times.tolist(),
        channels=list(found.channels),
        values=[[value if known else None for value, known in _known(row)] for row in found.values],
    )


@router.get(f"{OF_ASSET}/statistics", response_model=BoxOut, responses=_CSV)
def get_box_statistics(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    version_digest: VersionDigest,
    asset_id: AssetId,
    low: Place,
    high: Place,
    level: WantedLevel = None,
    time: Time = 0,
    bins: Annotated[int, Query(ge=1, le=MOST_BINS, description="Bins of the histogram.")] = 64,
    form: WantedForm = Form.JSON,
) -> Any:
    """How many voxels have their centres in a box, their mean, spread, median and histogram; labels are counted."""
    measured = _measured(request, platform, actor, version_digest, asset_id)
    found = box_statistics(measured, read_place(low), read_place(high), level=level, time=time, bins=bins)
    if form is Form.CSV:
        return csv_file(f"box of {measured.asset.name} level {found.level}.csv", *_box_table(found))
    return BoxOut.model_validate(_plain(found))


@router.get(f"{OF_ASSET}/box")
def get_levels_in_box(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    version_digest: VersionDigest,
    asset_id: AssetId,
    low: Place,
    high: Place,
) -> BoxLevelsOut:
    """What a cut-out of a box would be at each level: its voxels, for `cutout`, and its size."""
    measured = _measured(request, platform, actor, version_digest, asset_id)
    home, _ = find_home(platform.database, actor, asset_id)
    budget = platform.settings.cutout_budget_mb * 1_000_000
    levels = levels_in_box(measured, read_place(low), read_place(high))
    told = [LevelInBoxOut(**vars(one), fits=one.size_bytes <= budget) for one in levels]
    return BoxLevelsOut(dataset_id=home.dataset_id, levels=told)


@router.get("/atlases/{name}/statistics", response_model=RegionStatisticsOut, responses=_CSV)
def get_region_statistics(
    request: Request,
    platform: CurrentPlatform,
    actor: CurrentActor,
    atlas: AskedAtlas,
    region: Annotated[
        list[Annotated[str, Field(max_length=200)]],
        Query(min_length=1, max_length=MOST_REGIONS, description="Identifier, acronym or name."),
    ],
    children: Annotated[bool, Query(description="With all that is below each region.")] = True,
    image: Annotated[str, Query(max_length=100, description="An image in the atlas's space, by its asset.")] = "",
    cells: Annotated[str, Query(max_length=100, description="Points in the atlas's space, by their asset.")] = "",
    level: WantedLevel = None,
    time: Time = 0,
    form: WantedForm = Form.JSON,
) -> Any:
    """Regions in figures: volume; mean and spread of an image in them; number and density of cells."""
    regions = [atlas.region(one) for one in region]
    measured = None
    if image:
        home, _ = find_home(platform.database, actor, image)
        measured = _measured(request, platform, actor, home.digest, image)
    places = None
    if cells:
        home, _ = find_home(platform.database, actor, cells)
        found = resolve(platform.database, actor, home.digest, cells)
        count_as(request, reading_of(actor, found))
        check_leaving(platform.database, actor, found.dataset_id, found.asset, Way.DOWNLOAD)
        places = cells_in_space(platform.store, found.asset, atlas.atlas)
    told = region_statistics(
        atlas, regions, with_children=children, image=measured, level=level, time=time, cells_um=places
    )
    if form is Form.CSV:
        return csv_file(f"regions of {atlas.atlas.name}.csv", *_region_table(told))
    rows = [RegionRowOut.model_validate({**vars(one.region), **vars(one)}) for one in told.rows]
    return RegionStatisticsOut(level=told.level, with_children=children, rows=rows)


def _measured(request: Request, platform: Platform, actor: Actor, version_digest: str, asset_id: str) -> Measured:
    found = resolve(platform.database, actor, version_digest, asset_id)
    count_as(request, reading_of(actor, found))
    budget = platform.settings.measure_budget_mb * 1_000_000
    return open_measured(platform.database, platform.store, platform.sources, actor, found, budget)


def _known(row: npt.NDArray[np.float64]) -> Iterable[tuple[float, bool]]:
    return zip(row.tolist(), np.isfinite(row).tolist(), strict=True)


def _plain(found: BoxStatistics) -> dict[str, Any]:
    channels = [{**vars(one), "edges": one.edges.tolist(), "counts": one.counts.tolist()} for one in found.channels]
    return {**vars(found), "channels": channels}


def _profile_table(found: LineProfile) -> tuple[list[str], Iterable[Sequence[Any]]]:
    head = ["distance_um", "z_um", "y_um", "x_um", *found.channels]
    columns = [found.distance_um, *found.zyx_um.T, *found.values]
    return head, (["" if value != value else value for value in row] for row in np.stack(columns, axis=1).tolist())


def _trace_table(found: TimeCourse) -> tuple[list[str], Iterable[Sequence[Any]]]:
    head = ["time_s" if found.timed else "frame", *found.channels]
    rows = np.stack([found.times, *found.values], axis=1).tolist()
    return head, (["" if value != value else value for value in row] for row in rows)


def _box_table(found: BoxStatistics) -> tuple[list[str], Iterable[Sequence[Any]]]:
    if found.labels:
        return ["label", "voxels", "volume_mm3"], ([one.label, one.voxels, one.volume_mm3] for one in found.labels)
    head = ["channel", "level", "voxels", "volume_mm3", "not_finite", "mean", "sd", "minimum", "median", "maximum"]
    return head, (
        [one.name, found.level, found.voxels, found.volume_mm3, *(getattr(one, name) for name in head[4:])]
        for one in found.channels
    )


def _region_table(found: RegionStatistics) -> tuple[list[str], Iterable[Sequence[Any]]]:
    channels = [one.channel for one in found.rows[0].signal]
    signal = [f"{what} {name}".strip() for name in channels for what in ("voxels of", "mean of", "sd of")]
    head = ["id", "acronym", "name", "name_zh", "voxels", "volume_mm3", "cells", "cells_per_mm3", *signal]
    return head, (
        [one.region.id, one.region.acronym, one.region.name, one.region.name_zh, one.voxels, one.volume_mm3]
        + [one.cells, one.cells_per_mm3]
        + [value for part in one.signal for value in (part.voxels, part.mean, part.sd)]
        for one in found.rows
    )
