"""The table of formats: what was compared equal, and how fast a file is read beside the plain library alone.

Ours reads through the locked-up reader process, by blocks of as many planes as an ingest reads at once; the plain
library reads the same file whole. Both do so in a process that has everything imported and has read nothing before, so
that both get their memory from the system; both find the file in the page cache; the best of the rounds counts for
each. Every real sample of a format is compared with an independent reading of it, voxel by voxel or node by node, and
so is the large file.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from tests.ingest.sources import (
    DICOM,
    GEOMETRY,
    PARTS,
    SAMPLES,
    SEVERAL,
    VOLUMES,
    assert_same_voxels,
    format_of,
    manifest,
    of_several,
)

from benchmarks._formats import FORMATS, Format
from benchmarks._formats.timing import plain_seconds
from benchmarks._report import machine, report
from pulvinar.ingest.large_matrices import layout_of, shards_of
from pulvinar.ingest.matrices import stays_in_its_file
from pulvinar.ingest.reader import FoundAsset, Matrix, Options
from pulvinar.ingest.sandbox import Limits, ReaderHost
from pulvinar.ingest.submission import open_submission
from pulvinar.model.space import Window

WORK = Path(".bench").absolute() / "formats"
RATIO, BLOCK_BYTES = 0.7, 14 << 20
_LIMITS = Limits(cpu_s=3600)


def main() -> int:
    """Compare and time every format; 0 when all is equal and fast enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="*", help="formats of this name or pattern")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-samples", action="store_true", help="only time: leave the real samples out")
    chosen = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    print(machine(), flush=True)
    print(f"  {'format':22} {'samples':>7} {'values':>13} {'MB':>6} {'ours':>7} {'plain':>7}  ratio", flush=True)
    formats = [one for one in FORMATS if fnmatch(one.name, chosen.only)]
    if chosen.no_samples:
        formats = [replace(one, samples="") for one in formats]
    ratios = {one.name: _row(one, chosen.rounds) for one in formats}
    shutil.rmtree(WORK)
    slowest = min(ratios, key=lambda name: ratios[name])
    figure = f"{len(ratios)} formats equal, slowest {slowest} {ratios[slowest]:.2f}x its plain reader"
    return report("formats", figure, f">= {RATIO}x", passed=ratios[slowest] >= RATIO)


def _row(one: Format, rounds: int) -> float:
    """Print the row of a format; our speed as a share of the plain library's. What isn't equal raises."""
    folder = WORK / "files"
    folder.mkdir(parents=True)
    path = one.make(folder)
    size = sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    samples, values = _same_samples(one.samples) if one.samples else (0, 0)
    values += _read(path, one.options, _same(one, path))
    ours, plain = [], []
    for _ in range(rounds):
        ours.append(_read(path, one.options, _timed))
        plain.append(plain_seconds(one.name, path))
    speeds = [size / 1e6 / min(seconds) for seconds in (ours, plain)]
    ratio = speeds[0] / speeds[1]
    print(
        f"  {one.name:22} {samples:7} {values:13,} {size / 1e6:6.0f} {speeds[0]:7.0f} {speeds[1]:7.0f}  {ratio:5.2f}x "
        f"{one.by}",
        flush=True,
    )
    shutil.rmtree(folder)
    return ratio


def _read(path: Path, options: Options, use: Callable[[ReaderHost, Sequence[FoundAsset], Path], Any]) -> Any:
    """What `use` gives of the assets of a file, folder or archive; it gets the folder too, in which their files lie."""
    scratch = WORK / "scratch"
    (scratch / "reading").mkdir(parents=True)
    try:
        with (
            open_submission(path, scratch, _LIMITS) as submission,
            ReaderHost(
                submission.root,
                scratch=scratch / "reading",
                limits=_LIMITS,
                options=options,
                readable=submission.readable,
            ) as host,
        ):
            return use(host, host.find(submission.files), submission.root)
    finally:
        shutil.rmtree(scratch)


def _timed(host: ReaderHost, assets: Sequence[FoundAsset], root: Path) -> float:
    """Seconds from the opening to the last block."""
    start = time.perf_counter()
    for asset in assets:
        if asset.volume is None:
            data = host.read_geometry(asset)
            if (matrix := stays_in_its_file(data)) is not None:
                _pass_over(data, matrix, lambda place, values: None)
        else:
            _blocks(host, asset, lambda place, voxels: None)
    return time.perf_counter() - start


def _pass_over(data: Any, matrix: Matrix, use: Callable[[tuple[slice, slice], np.ndarray], None]) -> None:
    """Read a matrix that was left in its file shard by shard, as it is stored."""
    with closing(matrix):
        for rows, columns, values in shards_of(matrix, layout_of(data)):
            use((rows, columns), values)


def _read_whole(host: ReaderHost, asset: FoundAsset) -> Any:
    """What is no volume, with all its values."""
    data = host.read_geometry(asset)
    if (matrix := stays_in_its_file(data)) is None:
        return data
    whole = np.empty(matrix.shape, matrix.dtype)
    _pass_over(data, matrix, whole.__setitem__)
    return replace(data, values=whole)  # type: ignore[arg-type]


def _blocks(host: ReaderHost, asset: FoundAsset, use: Callable[[slice, np.ndarray], None]) -> None:
    with host.open_volume(asset) as source:
        t, c, z, y, x = source.shape
        planes = max(1, BLOCK_BYTES // (t * c * y * x * source.dtype.itemsize))
        for first in range(0, z, planes):
            last = min(first + planes, z)
            voxels = source.read(Window((0, 0, first, 0, 0), (t, c, last, y, x)))
            use(slice(first, last), voxels)
            source.release(voxels)


def _same(one: Format, path: Path) -> Callable[[ReaderHost, Sequence[FoundAsset], Path], int]:
    """Asserts that the large file is read as it is, and gives how many voxels or numbers are equal."""

    def same(host: ReaderHost, assets: Sequence[FoundAsset], root: Path) -> int:
        if assets[0].volume is not None:
            (asset,) = assets
            return _same_volume(host, asset, one.plain(path))
        assert one.same is not None
        found = [_read_whole(host, asset) for asset in assets]
        one.same(found[0] if len(found) == 1 else found, path)
        return sum(map(_count, found))

    return same


def _same_volume(host: ReaderHost, asset: FoundAsset, expected: np.ndarray) -> int:
    _blocks(host, asset, lambda place, voxels: assert_same_voxels(voxels, expected[:, :, place]))
    assert asset.volume is not None
    assert asset.volume.shape == expected.shape
    return int(np.prod(expected.shape))


def _count(data: Any) -> int:
    """Values of signals, cells of a table or matrix, else places."""
    if hasattr(data, "values"):
        return int(data.values.size)
    columns = getattr(data, "columns", {})
    if columns and not hasattr(data, "faces") and not hasattr(data, "first"):
        return sum(map(len, columns.values()))
    return len(data.zyx_um)


def _same_samples(reader: str) -> tuple[int, int]:
    """How many real samples of a reader there are, and how many voxels, nodes or rows of them are equal."""
    if reader == "dicom":
        names = [name for name in DICOM if (SAMPLES / name).is_file()]
    elif ends := [end for end, (of, _) in SEVERAL.items() if of == reader]:
        names = [name for name in of_several() if name.endswith(ends[0]) and (SAMPLES / name).is_file()]
    else:
        names = [name for name in manifest() if format_of(name) == reader and (SAMPLES / name).is_file()]
        names = [name for name in names if not name.endswith((".tif.gz", ".tif.lzma"))]
    return len(names), sum(_read(SAMPLES / name, Options(), _against(SAMPLES / name, reader)) for name in names)


def _against(path: Path, reader: str) -> Callable[[ReaderHost, Sequence[FoundAsset], Path], int]:
    def same(host: ReaderHost, assets: Sequence[FoundAsset], root: Path) -> int:
        if path.suffix in SEVERAL:
            found = [_read_whole(host, asset) for asset in assets]
            SEVERAL[path.suffix][1](found, path)
            return sum(map(_count, found))
        return sum(same_asset(host, asset, root) for asset in assets)

    def same_asset(host: ReaderHost, asset: FoundAsset, root: Path) -> int:
        file = root / asset.files[0]
        if asset.volume is not None:
            return _same_volume(
                host, asset, PARTS[reader](file, asset.key) if reader in PARTS else VOLUMES[reader](file)
            )
        data = _read_whole(host, asset)
        GEOMETRY[reader](data, file)
        return _count(data)

    return same


if __name__ == "__main__":
    sys.exit(main())
