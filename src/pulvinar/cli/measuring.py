"""What the commands that measure do."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pulvinar.cli.places import place
from pulvinar.cli.show import print_json, print_table
from pulvinar.cli.verbs import opened
from pulvinar.model.text import to_cell

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pulvinar.catalogue.measuring import Measured
    from pulvinar.platform import Platform


def show_profile(asset: str, corners: Sequence[str], width_um: float, level: int | None, time: int, form: str) -> None:
    """`pulvinar measure line`."""
    import numpy as np

    from pulvinar.catalogue.line_profiles import line_profile

    places = np.stack([_zyx(one) for one in corners])
    with opened() as platform:
        found = line_profile(_measured(platform, asset), places, width_um=width_um, level=level, time=time)
    head = ["distance um", "x um", "y um", "z um", *found.channels]
    table = np.stack([found.distance_um, *found.zyx_um.T[::-1], *found.values], axis=1).tolist()
    _tell(head, [["" if value != value else value for value in row] for row in table], f"level {found.level}", form)


def show_box(asset: str, low: str, high: str, level: int | None, time: int, form: str) -> None:
    """`pulvinar measure box`."""
    from pulvinar.catalogue.box_statistics import box_statistics

    with opened() as platform:
        found = box_statistics(_measured(platform, asset), _zyx(low), _zyx(high), level=level, time=time)
    note = f"level {found.level}, {found.voxels} voxels, {found.volume_mm3:.6g} mm3"
    if found.labels:
        _tell(["label", "voxels", "mm3"], [[one.label, one.voxels, one.volume_mm3] for one in found.labels], note, form)
        return
    head = ["name", "count", "not_finite", "mean", "sd", "minimum", "median", "maximum"]
    _tell(head, [[getattr(one, name) for name in head] for one in found.channels], note, form)


def show_regions(
    name: str, names: Sequence[str], assets: tuple[str, str], level: int | None, *, alone: bool, form: str
) -> None:
    """`pulvinar measure regions`; `assets` are the image and the cells, "" for none."""
    from pulvinar.catalogue.assets import find_home
    from pulvinar.catalogue.region_statistics import cells_in_space, region_statistics

    image, cells = assets
    with opened() as platform:
        atlas = platform.atlas(name)
        places = None
        if cells:
            _, points = find_home(platform.database, platform.actor, cells)
            places = cells_in_space(platform.store, points, atlas.atlas)
        found = region_statistics(
            atlas,
            [atlas.region(one) for one in names],
            with_children=not alone,
            image=_measured(platform, image) if image else None,
            level=level,
            cells_um=places,
        )
    channels = [part.channel for part in found.rows[0].signal]
    head = ["region", "name", "voxels", "mm3", *(["cells", "cells/mm3"] if cells else [])]
    head += [f"{what} {channel}".strip() for channel in channels for what in ("mean", "sd")]
    rows = [
        [one.region.acronym, one.region.name, one.voxels, one.volume_mm3]
        + ([one.cells, one.cells_per_mm3] if cells else [])
        + [value for part in one.signal for value in (part.mean, part.sd)]
        for one in found.rows
    ]
    _tell(head, rows, "" if found.level is None else f"image at level {found.level}", form)


def _measured(platform: Platform, asset_id: str) -> Measured:
    from pulvinar.catalogue.assets import find_home, resolve
    from pulvinar.catalogue.measuring import open_measured

    home, _ = find_home(platform.database, platform.actor, asset_id)
    found = resolve(platform.database, platform.actor, home.digest, asset_id)
    budget = platform.settings.measure_budget_mb * 1_000_000
    return open_measured(platform.database, platform.store, platform.sources, platform.actor, found, budget)


def _zyx(text: str) -> npt.NDArray[np.float64]:
    import numpy as np

    return np.array(place(text)[::-1], np.float64)


def _tell(head: Sequence[str], rows: Iterable[Sequence[Any]], note: str, form: str) -> None:
    """A table: for people, for programs that read tables, or as JSON. What it is of stands on standard error."""
    if form == "json":
        print_json([dict(zip(head, row, strict=True)) for row in rows])
        return
    if form == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows(
            [to_cell(one) if isinstance(one, str) else one for one in row] for row in (head, *rows)
        )
    else:
        print_table([[_text(value) for value in row] for row in rows], head)
    if note:
        print(note, file=sys.stderr)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
