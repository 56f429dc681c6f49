"""Letters that are written into an image are seen; a head is not taken for letters."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pulvinar.ingest.people.writing import has_writing


def slice_of_a_head(rng):
    y, x = np.indices((256, 256))
    inside = ((y - 128) / 100) ** 2 + ((x - 128) / 80) ** 2 < 1
    return np.where(inside, rng.integers(100, 900, (256, 256)), rng.integers(0, 20, (256, 256))).astype(np.uint16)


@pytest.mark.parametrize("size", [12, 20, 32])
def test_a_name_in_the_corner_is_seen(size):
    plane = slice_of_a_head(np.random.default_rng(0))
    drawn = Image.new("1", (256, 256))
    ImageDraw.Draw(drawn).text((4, 4), "DOE JANE 1951", fill=1, font_size=size)
    plane[np.array(drawn)] = 4095
    assert has_writing(plane)


def test_noise_and_a_head_are_not_writing():
    rng = np.random.default_rng(1)
    assert not any(has_writing(slice_of_a_head(rng)) for _ in range(20))
    assert not has_writing(np.zeros((64, 64), np.uint16))
    assert not has_writing(np.ones((2, 2), np.uint16))


@pytest.mark.parametrize("name", ["human/dicom_struct_T1_384slices.tar.gz", "human/dicom_func_1block_dicoms.tar.gz"])
def test_copies_of_real_series_are_clean_and_read_as_before(sample, tmp_path, name):
    from pulvinar.ingest.inspection import inspect
    from pulvinar.ingest.people.deidentify import deidentify
    from pulvinar.ingest.people.pseudonyms import Pseudonyms
    from pulvinar.ingest.reader import Options
    from pulvinar.ingest.sandbox import Limits

    scratch, limits = tmp_path / "scratch", Limits()
    made = deidentify(sample(name), tmp_path / "out", Pseudonyms(b"k" * 32), scratch=scratch, limits=limits)
    assert made.files > 300
    assert made.writing == ()
    before, after = (
        [(one.volume.shape, one.volume.voxel_size_um, one.volume.affine_um) for one in inspected.assets]
        for inspected in (
            inspect(path, Options(), scratch=scratch, limits=limits) for path in (sample(name), tmp_path / "out")
        )
    )
    assert before == after
