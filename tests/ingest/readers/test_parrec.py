import gzip
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from nibabel.testing import data_path
from tests.ingest.readers.reading import find_one, flags, read_voxels
from tests.ingest.readers.windowed import opened, windows

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.parrec import ParRecReader

READER = ParRecReader()
SERIES, SCALED = "phantom_EPI_asc_CLEAR_2_1", "phantom_varscale"


def handed_in(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    for ending in ("PAR", "REC"):
        shutil.copy(Path(data_path) / f"{name}.{ending}", folder)
    return folder


def as_nibabel_has_it(folder: Path, name: str):
    image = nib.load(folder / f"{name}.PAR", scaling="dv", strict_sort=True)
    values = np.asarray(image.dataobj)
    return image, values.reshape(*values.shape, *[1] * (4 - values.ndim)).transpose(3, 2, 1, 0)[:, None]


@pytest.mark.parametrize("name", [SERIES, SCALED])
def test_values_places_and_times_are_those_of_nibabel(tmp_path, name):
    folder = handed_in(tmp_path / "in", name)
    image, expected = as_nibabel_has_it(folder, name)
    assert np.allclose(read_voxels(READER, folder, tmp_path / "scratch"), expected, rtol=1e-6)
    volume = find_one(READER, folder).volume
    for corner in ([0, 0, 0], [n - 1 for n in volume.shape[2:]]):
        world = np.array(volume.affine_um) @ [*corner, 1]
        assert np.allclose(world[2::-1], (image.affine @ [*corner[::-1], 1])[:3] * 1000, atol=1)
    assert volume.shape == expected.shape
    assert volume.time_step_s == pytest.approx(2.0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(window=windows((3, 1, 9, 64, 64)))
def test_any_window_is_a_slice_of_the_voxels(tmp_path_factory, window):
    folder = handed_in(tmp_path_factory.mktemp("parrec") / "in", SERIES)
    _, expected = as_nibabel_has_it(folder, SERIES)
    with opened(READER, folder, folder.parent / "scratch") as read:
        assert np.allclose(read(window), expected[window.slices], rtol=1e-6)


def test_a_packed_file_gives_the_same(tmp_path):
    folder = handed_in(tmp_path / "in", SERIES)
    plain = read_voxels(READER, folder, tmp_path / "one")
    data = folder / f"{SERIES}.REC"
    (folder / f"{SERIES}.REC.gz").write_bytes(gzip.compress(data.read_bytes()))
    data.unlink()
    assert np.array_equal(read_voxels(READER, folder, tmp_path / "two"), plain)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no planes", "phantom_EPI_asc_CLEAR_2_1.REC is not in the submission"),
        ("short", "is truncated"),
        ("fewer lines", "no whole PAR header"),
        ("no number", "is no number|no whole PAR header"),
    ],
)
def test_what_is_broken_is_refused_by_name(tmp_path, what, said):
    folder = handed_in(tmp_path / "in", SERIES)
    data, header = folder / f"{SERIES}.REC", folder / f"{SERIES}.PAR"
    lines = header.read_text("latin-1").splitlines()
    rows = [number for number, line in enumerate(lines) if line.strip() and line[0] not in "#."]
    if what == "no planes":
        data.unlink()
    elif what == "short":
        data.write_bytes(data.read_bytes()[:-9])
    elif what == "fewer lines":
        del lines[rows[4]]
    else:
        words = lines[rows[0]].split()
        words[12] = "nan"
        lines[rows[0]] = " ".join(words)
    header.write_text("\n".join(lines) + "\n", "latin-1")
    with pytest.raises(UnreadableFile, match=said):
        find_one(READER, folder)


def test_a_given_time_step_overrules_the_header(tmp_path):
    folder = handed_in(tmp_path / "in", SERIES)
    found = find_one(READER, folder, Options(time_step_s=3.0))
    assert found.volume.time_step_s == 3.0
    assert flags(found) == set()
