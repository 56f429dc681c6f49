"""What every reader must do, as a test class: a plugin's author subclasses it and gives some files.

    class TestMyReader(ReaderContract):
        reader = MyReader()

        def write_samples(self, folder):
            (folder / "a.mine").write_bytes(...)

pytest then runs each `test_` method in a folder of its own. Nothing here imports pytest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pulvinar.errors import PulvinarError
from pulvinar.ingest.answers import check_geometry
from pulvinar.ingest.matrices import stays_in_its_file
from pulvinar.ingest.reader import (
    ConnectivityData,
    FoundAsset,
    GeometryData,
    MeshData,
    Options,
    PointsData,
    Reader,
    SkeletonData,
    SourceFile,
    TableData,
    TimeSeriesData,
    TractsData,
    VolumeDescription,
)
from pulvinar.model.dataset import AssetKind
from pulvinar.model.space import Window
from pulvinar.model.volume import AXES

_HEAD = 4096
_STRANGERS: dict[str, bytes] = {
    "empty": b"",
    "zeros.bin": bytes(10_000),
    "text.txt": b"It was the best of times; it was the worst of times.\n" * 40,
    "noise.bin": np.random.default_rng(7).bytes(10_000),
    "one_byte": b"\x1f",
    "half.gz": b"\x1f\x8b\x08\x00",
    "list.json": b'{"axes": ["z", "y", "x"], "values": [1, 2, 3]}\n',
}
_KINDS: dict[type[GeometryData], AssetKind] = {
    SkeletonData: AssetKind.SKELETON,
    MeshData: AssetKind.MESH,
    PointsData: AssetKind.POINTS,
    TableData: AssetKind.TABLE,
    TimeSeriesData: AssetKind.TIME_SERIES,
    ConnectivityData: AssetKind.CONNECTIVITY,
    TractsData: AssetKind.TRACTS,
}
_WINDOWS = 12
_DAMAGES = 24


class ReaderContract:
    """The promises of `Reader`. `options` are those that the samples need to be read."""

    reader: ClassVar[Reader]
    options: ClassVar[Options] = Options()

    def write_samples(self, folder: Path) -> None:
        """Put files of the reader's format into `folder`, each a few hundred kilobytes at most."""
        raise NotImplementedError

    def test_it_has_a_name_and_a_priority(self) -> None:
        """A reader has no state: another instance is made without arguments."""
        again = type(self.reader)()
        assert again.name == self.reader.name, "the name is the class's"
        assert self.reader.name.isidentifier(), "the name is one word"
        assert isinstance(again.priority, int), "the priority is a whole number"

    def test_it_passes_over_other_formats_in_silence(self, tmp_path: Path) -> None:
        """Files that are not of its format are neither found nor an error."""
        for name, content in _STRANGERS.items():
            (tmp_path / name).write_bytes(content)
        assert list(self.reader.find(source_files(tmp_path), self.options)) == []

    def test_it_finds_its_own(self, tmp_path: Path) -> None:
        """Every asset names its reader, a key of its own, and files of the submission; twice the same."""
        found = self._found(tmp_path)
        names = {file.name for file in source_files(tmp_path)}
        assert found, "the samples hold at least one asset"
        assert len({asset.key for asset in found}) == len(found), "keys are unique"
        for asset in found:
            assert asset.reader == self.reader.name, "an asset names its reader"
            assert asset.name, "an asset has a name"
            assert asset.files, "an asset has files"
            assert set(asset.files) <= names, "an asset's files are the submission's"
            assert (asset.volume is not None) == (asset.kind is AssetKind.VOLUME), "volumes are described, others not"
        assert found == self._found(tmp_path, write=False), "the same files give the same assets"

    def test_what_it_says_of_a_file_is_plain_json(self, tmp_path: Path) -> None:
        """Metadata and findings cross to another process as text."""
        for asset in self._found(tmp_path):
            assert json.loads(json.dumps(asset.metadata, allow_nan=False)) == asset.metadata
            json.dumps(asdict(asset), allow_nan=False)
            for finding in asset.findings:
                assert finding.message, "a finding says something"
                assert not finding.flag or finding.flag.startswith("--"), "a flag is written as on the command line"

    def test_it_is_found_by_content_not_by_name(self, tmp_path: Path) -> None:
        """A file without its ending is still known (unless it needs a second file beside it)."""
        found = self._found(tmp_path / "named")
        bare = tmp_path / "bare"
        bare.mkdir()
        single = [asset for asset in found if len(asset.files) == 1]
        for index, asset in enumerate(single):
            (bare / f"file_{index}").write_bytes((tmp_path / "named" / asset.files[0]).read_bytes())
        again = list(self.reader.find(source_files(bare), self.options))
        assert {asset.files[0] for asset in again} == {f"file_{index}" for index in range(len(single))}

    def test_volumes_are_described_as_the_model_needs(self, tmp_path: Path) -> None:
        """Shapes have five axes, sizes are positive, blocks fit."""
        for asset in self._found(tmp_path):
            if asset.volume is not None:
                _check_description(asset.volume)

    def test_any_window_is_a_part_of_the_whole(self, tmp_path: Path) -> None:
        """Windows of any size and place hold the values that the whole has there, also where blocks are cut."""
        for asset, read in self._volumes(tmp_path):
            assert asset.volume is not None
            whole = read(Window.whole(asset.volume.shape))
            for window in _windows(asset.volume):
                assert np.array_equal(read(window), whole[window.slices], equal_nan=whole.dtype.kind == "f"), window

    def test_it_fills_what_it_is_given(self, tmp_path: Path) -> None:
        """`out` may be a view with strides; every voxel of it is written and none beside it."""
        for asset, _ in self._volumes(tmp_path):
            assert asset.volume is not None
            scratch = tmp_path / "strided"
            scratch.mkdir(exist_ok=True)
            opened = self.reader.open_volume(asset, tmp_path, self.options, scratch)
            shape = asset.volume.shape
            plain, wide = np.zeros(shape, asset.volume.dtype), np.zeros([n + 2 for n in shape], asset.volume.dtype)
            view = wide[tuple(slice(1, -1) for _ in shape)]
            opened.read_into(Window.whole(shape), plain)
            opened.read_into(Window.whole(shape), view)
            opened.close()
            assert np.array_equal(plain, view, equal_nan=plain.dtype.kind == "f")
            view[...] = 0
            assert not wide.any(), "nothing is written beside the view"
            _empty(scratch)

    def test_geometry_is_sound(self, tmp_path: Path) -> None:
        """Skeletons are forests with parents first, faces name vertices, columns are equally long."""
        for asset in self._found(tmp_path):
            if asset.kind is not AssetKind.VOLUME:
                with _closing(self.reader.read_geometry(asset, tmp_path, self.options)) as data:
                    _check_geometry(data, asset)

    def test_a_submission_is_left_as_it_is(self, tmp_path: Path) -> None:
        """Reading changes no file, and puts none beside them."""
        self._found(tmp_path)
        before = {path: path.read_bytes() for path in _files(tmp_path)}
        self._read_all(tmp_path)
        assert {path: path.read_bytes() for path in _files(tmp_path)} == before

    def test_a_file_cut_short_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        """Half a file is refused with a message that names it, or gives what is whole: nothing else is raised."""
        self._found(tmp_path)
        whole = {path: path.read_bytes() for path in _files(tmp_path)}
        for path, content in whole.items():
            for part in (0.02, 0.3, 0.7, 0.98):
                path.write_bytes(content[: int(len(content) * part)])
                self._read_or_refuse(tmp_path, path.name)
            path.write_bytes(content)

    def test_a_damaged_file_is_never_a_surprise(self, tmp_path: Path) -> None:
        """Bytes changed anywhere raise one of the platform's errors, or none; never a crash of the reader's own."""
        self._found(tmp_path)
        generator = np.random.default_rng(11)
        for path in _files(tmp_path):
            content = path.read_bytes()
            for turn in range(_DAMAGES):
                damaged = bytearray(content)
                # headers decide, so half of the damage goes there
                reach = min(len(damaged), 600) if turn % 2 else len(damaged)
                for position in generator.integers(0, max(reach, 1), size=4).tolist():
                    if damaged:
                        damaged[position] = int(generator.integers(0, 256))
                path.write_bytes(damaged)
                self._read_or_refuse(tmp_path, path.name)
            path.write_bytes(content)

    def _found(self, folder: Path, *, write: bool = True) -> list[FoundAsset]:
        folder.mkdir(exist_ok=True)
        if write:
            self.write_samples(folder)
        return list(self.reader.find(source_files(folder), self.options))

    def _volumes(self, folder: Path) -> Iterator[tuple[FoundAsset, Callable[[Window], npt.NDArray[Any]]]]:
        for index, asset in enumerate(self._found(folder)):
            if asset.volume is None:
                continue
            scratch = folder.parent / f"{folder.name}-scratch-{index}"
            scratch.mkdir(exist_ok=True)
            opened = self.reader.open_volume(asset, folder, self.options, scratch)
            dtype = asset.volume.dtype

            def read(window: Window, opened: Any = opened, dtype: str = dtype) -> npt.NDArray[Any]:
                out = np.zeros(window.shape, dtype)
                opened.read_into(window, out)
                return out

            yield asset, read
            opened.close()
            _empty(scratch)

    def _read_or_refuse(self, folder: Path, name: str) -> None:
        refusal = ""
        try:
            self._read_all(folder)
        except PulvinarError as error:
            refusal = error.message or "nothing"
        assert refusal != "nothing", f"a refusal of {name} says why"

    def _read_all(self, folder: Path) -> None:
        for asset in self.reader.find(source_files(folder), self.options):
            if asset.volume is None:
                with _closing(self.reader.read_geometry(asset, folder, self.options)):
                    continue
            scratch = folder.parent / f"{folder.name}-scratch"
            scratch.mkdir(exist_ok=True)
            opened = self.reader.open_volume(asset, folder, self.options, scratch)
            try:
                window = next(_windows(asset.volume))
                opened.read_into(window, np.empty(window.shape, asset.volume.dtype))
            finally:
                opened.close()
                _empty(scratch)


def source_files(folder: Path) -> list[SourceFile]:
    """The regular files below `folder` as a submission's, sorted by name."""
    found = []
    for path in _files(folder):
        with path.open("rb") as file:
            head = file.read(_HEAD)
        found.append(SourceFile(path, path.relative_to(folder).as_posix(), path.stat().st_size, head))
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _empty(folder: Path) -> None:
    for path in _files(folder):
        path.unlink()


def _windows(volume: VolumeDescription) -> Iterator[Window]:
    """A few windows: the first block, single voxels at both ends, and random ones."""
    shape = volume.shape
    yield Window((0, 0, 0, 0, 0), tuple(min(pair) for pair in zip(shape, volume.block_shape, strict=True)))  # type: ignore[arg-type]
    yield Window(tuple(n - 1 for n in shape), shape)  # type: ignore[arg-type]
    generator = np.random.default_rng(3)
    for _ in range(_WINDOWS):
        start = [int(generator.integers(0, n)) for n in shape]
        stop = [int(generator.integers(a + 1, n + 1)) for a, n in zip(start, shape, strict=True)]
        yield Window(tuple(start), tuple(stop))  # type: ignore[arg-type]


def _check_description(volume: VolumeDescription) -> None:
    assert len(volume.shape) == len(volume.block_shape) == len(AXES), "shapes have the axes t, c, z, y, x"
    assert all(0 < block <= size for block, size in zip(volume.block_shape, volume.shape, strict=True)), "blocks fit"
    assert np.dtype(volume.dtype).name == volume.dtype, "the dtype is a numpy name in native byte order"
    assert np.dtype(volume.dtype).kind in "iuf", "voxels are whole or real numbers"
    assert len(volume.channels) in (0, volume.shape[1]), "channels are all named, or none"
    if volume.voxel_size_um is not None:
        assert all(np.isfinite(size) and size > 0 for size in volume.voxel_size_um), "voxel sizes are positive"
    if volume.affine_um is not None:
        matrix = np.asarray(volume.affine_um)
        assert matrix.shape == (4, 4), "the map is four rows of four"
        assert np.isfinite(matrix).all(), "the map is finite"
        assert abs(np.linalg.det(matrix[:3, :3])) > 0, "the map can be turned round"
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        assert volume.voxel_size_um is not None, "a map comes with a voxel size"
        assert np.allclose(lengths, volume.voxel_size_um, rtol=1e-4), "map and voxel size agree"


@contextmanager
def _closing(data: GeometryData) -> Iterator[GeometryData]:
    try:
        yield data
    finally:
        if (matrix := stays_in_its_file(data)) is not None:
            matrix.close()


def _check_geometry(data: GeometryData, asset: FoundAsset) -> None:
    assert _KINDS[type(data)] is asset.kind, "what is read is of the kind that was found"
    check_geometry(data)
    if isinstance(data, SkeletonData):
        _check_skeleton(data)
    elif isinstance(data, MeshData):
        assert data.zyx_um.dtype == np.float64, "vertices are float64"
        assert np.isfinite(data.zyx_um).all(), "vertices are finite"
        assert data.faces.dtype == np.uint32, "faces are uint32"
        assert int(data.faces.max(initial=0)) < len(data.zyx_um), "faces name vertices"
    if isinstance(data, TimeSeriesData):
        assert (np.diff(data.times_s) > 0).all(), "times rise"
    elif isinstance(data, TractsData):
        assert np.isfinite(data.zyx_um).all(), "places are finite"
    if not isinstance(data, SkeletonData | ConnectivityData):
        _check_columns(data)


def _check_skeleton(data: SkeletonData) -> None:
    count = len(data.zyx_um)
    arrays = {"zyx_um": "f8", "radius_um": "f4", "parent": "i8", "type_code": "i2", "node_id": "i8"}
    for name, dtype in arrays.items():
        array = getattr(data, name)
        assert len(array) == count, f"{name} has one entry a node"
        assert array.dtype == np.dtype(dtype), f"{name} is {dtype}"
    assert data.zyx_um.shape == (count, 3), "places have three columns"
    assert np.isfinite(data.zyx_um).all(), "places are finite"
    assert (data.parent < np.arange(count)).all(), "parents come before children"
    assert (data.parent >= -1).all(), "a root's parent is -1"
    assert not (data.radius_um <= 0).any(), "a radius is positive, or NaN"


def _check_columns(data: PointsData | TableData | MeshData | TimeSeriesData | TractsData) -> None:
    for name, column in data.columns.items():
        if not isinstance(column, np.ndarray):
            assert str(column.type) == "large_string", f"{name} is text"
            assert not column.null_count, f"{name} is nowhere missing"
            continue
        assert column.dtype in (np.int64, np.float64, np.bool_, np.object_), f"{name} has one of four dtypes"
        assert column.dtype != np.object_ or all(isinstance(value, str) for value in column), f"{name} is text"
