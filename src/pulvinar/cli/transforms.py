"""What the commands about transforms do."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pulvinar.cli.places import place
from pulvinar.cli.show import print_json, print_table
from pulvinar.cli.verbs import means_of, opened
from pulvinar.errors import UnreadableFile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow

    from pulvinar.catalogue.transforms import Route
    from pulvinar.ingest.transform_install import TransformFiles


def add_files(handed: TransformFiles, *, as_json: bool) -> None:
    """`pulvinar transform add`."""
    from pulvinar.catalogue.transforms import stored_to_json
    from pulvinar.ingest.progress import TerminalProgress
    from pulvinar.ingest.transform_install import add_transform

    with opened() as platform:
        told = stored_to_json(add_transform(means_of(platform), handed, TerminalProgress()))
    if as_json:
        print_json(told)
        return
    for key, value in told.items():
        print(f"{key:22}{_word(value, 'unknown')}")
    print("assets that lie in an atlas by it: pulvinar anchor computes their anchors anew")


def show_transforms(*, as_json: bool) -> None:
    """`pulvinar transform list`."""
    from pulvinar.catalogue.transforms import list_transforms, stored_to_json

    with opened() as platform:
        found = list_transforms(platform.database, platform.store, platform.actor)
        rows = [stored_to_json(one) for one in found]
    if as_json:
        print_json(rows)
    elif rows:
        head = ["name", "source", "target", "kind", "invertible", "expected_error_um"]
        head += ["version", "licence", "dataset_id"]
        print_table([[_word(row[key]) for key in head] for row in rows], head)
    else:
        print("no transform is stored: pulvinar transform add brings one in")


def bring_points(source: str, target: str, texts: list[str], table: Path | None, *, as_json: bool) -> None:
    """`pulvinar transform points`. Raises `NotFound` where no path leads, `Invalid` for what is no place,
    `UnreadableFile` for what is no table of places."""
    import numpy as np

    from pulvinar.catalogue.transforms import find_route, leg_to_json, list_transforms, transform_points
    from pulvinar.model.space import Points

    read = _read(table) if table else None
    xyz = _columns(read, table) if read is not None and table else np.array([place(text) for text in texts])
    with opened() as platform:
        route = find_route(list_transforms(platform.database, platform.store, platform.actor), source, target)
        brought = transform_points(route, Points(route.transform.source, xyz[:, ::-1].copy()))
    found = brought.zyx_um[:, ::-1]
    if as_json:
        path = [leg_to_json(leg) for leg in route.legs]
        print_json({"points": found.tolist(), "expected_error_um": route.expected_error_um, "path": path})
        return
    _tell(route)
    if read is not None:
        _write(read, found)
    else:
        for row in found:
            print(",".join(f"{value:.3f}" for value in row))


def _word(value: object, unknown: str = "") -> str:
    """A value of a transform for a person."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return unknown if value is None else str(value)


def _tell(route: Route) -> None:
    for leg in route.legs:
        way = f"{leg.transform.source.name} -> {leg.transform.target.name}: {leg.stored.name}"
        error = _error(leg.transform.expected_error_um)
        print(f"{way}{', inverted' if leg.inverted else ''}, {error}", file=sys.stderr)
    print(f"expected error: {_error(route.expected_error_um)}", file=sys.stderr)


def _error(error_um: float | None) -> str:
    return "unknown" if error_um is None else f"{error_um:.1f} um"


def _read(path: Path) -> pyarrow.Table:
    import pyarrow
    from pyarrow import csv as arrow_csv

    try:
        # as text: what is not a place stays as it is written, 007 and 1.10
        kinds = dict.fromkeys(arrow_csv.open_csv(path).schema.names, pyarrow.string())
        converted = arrow_csv.ConvertOptions(column_types=kinds, strings_can_be_null=False)
        return arrow_csv.read_csv(path, convert_options=converted)
    except (OSError, pyarrow.ArrowException) as error:
        raise UnreadableFile(f"{path.name} is no table: {error}", hint="a CSV with a line of names on top") from error


def _columns(table: pyarrow.Table, path: Path) -> npt.NDArray[np.float64]:
    """The columns x, y and z, float64 (n, 3)."""
    import numpy as np
    import pyarrow
    import pyarrow.compute as pc

    try:
        parts = [pc.utf8_trim_whitespace(table.column(axis)).cast(pyarrow.float64()).to_numpy() for axis in "xyz"]
        return np.stack(parts, axis=1)
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableFile(
            f"{path.name} has no columns x, y and z of numbers: its columns are {', '.join(table.column_names)}",
            hint="name them x, y and z, micrometres, and leave rows without a place out",
        ) from error


def _write(table: pyarrow.Table, xyz: npt.NDArray[np.float64]) -> None:
    """The table on standard output, with the places instead of its own."""
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    for number, axis in enumerate("xyz"):
        columns[axis] = [f"{value:.3f}".rstrip("0").rstrip(".") for value in (xyz[:, number].round(3) + 0.0).tolist()]
    written = csv.writer(sys.stdout, lineterminator="\n")
    written.writerow(columns)
    written.writerows(zip(*columns.values(), strict=True))
