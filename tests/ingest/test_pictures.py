import io

import numpy as np
from PIL import Image

from pulvinar.ingest.pictures import SECTION_PIXELS, label_colours, volume_pictures
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid import plan_levels

RAS = ((1000.0, 0, 0, 0), (0, 1000.0, 0, 0), (0, 0, 1000.0, 0), (0, 0, 0, 1.0))


class Held:
    def __init__(self, array):
        self.array = array

    def read(self, level, window):
        return self.array[window.slices]


def pictures_of(array, voxel_size_um=(1.0, 1.0, 1.0), affine=None, kind=VolumeKind.IMAGE, colors=("FFFFFF",)):
    levels = plan_levels(array.shape, voxel_size_um, array.dtype, kind)[:1]
    channels = tuple(Channel(color, color) for color in colors)
    volume = Volume(kind, array.dtype.name, levels, channels, affine)
    windows = [(0.0, 255.0)] * array.shape[1]
    made = volume_pictures(Held(array), volume, windows)
    return {path: np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for path, data in made.items()}


def test_sections_have_true_proportions():
    array = np.full((1, 1, 10, 40, 80), 200, np.uint8)
    made = pictures_of(array, (8.0, 2.0, 2.0))
    assert made["quality/section-z.webp"].shape[:2] == (SECTION_PIXELS // 2, SECTION_PIXELS)
    assert made["quality/section-y.webp"].shape[:2] == (SECTION_PIXELS // 2, SECTION_PIXELS)
    assert made["quality/section-x.webp"].shape[:2] == (SECTION_PIXELS, SECTION_PIXELS)
    height, width = made["quality/thumbnail.webp"].shape[:2]
    assert height == width


def test_up_is_superior_and_right_is_the_subjects_right_whatever_the_files_order():
    """One bright corner (superior, right) of a coronal section, for an array in RAS and for the same turned round."""
    array = np.zeros((1, 1, 20, 20, 20), np.uint8)
    array[..., 12:, :, 14:] = 255
    straight = pictures_of(array, affine=RAS)["quality/section-y.webp"]
    size = straight.shape[0]
    assert straight[size // 8, -size // 8].mean() > 200
    assert straight[-size // 8, size // 8].mean() < 50
    turned = np.ascontiguousarray(array[..., ::-1, :, ::-1])
    backwards = ((-1000.0, 0, 0, 0), (0, 1000.0, 0, 0), (0, 0, -1000.0, 0), (0, 0, 0, 1.0))
    assert np.array_equal(pictures_of(turned, affine=backwards)["quality/section-y.webp"], straight)
    swapped = np.ascontiguousarray(array.transpose(0, 1, 4, 3, 2))
    across = ((0, 0, 1000.0, 0), (0, 1000.0, 0, 0), (1000.0, 0, 0, 0), (0, 0, 0, 1.0))
    assert np.array_equal(pictures_of(swapped, affine=across)["quality/section-y.webp"], straight)


def test_without_an_orientation_rows_and_columns_are_the_arrays():
    array = np.zeros((1, 1, 4, 20, 20), np.uint8)
    array[..., :5, :5] = 255
    section = pictures_of(array)["quality/section-z.webp"]
    assert section[20, 20].mean() > 200
    assert section[-20, -20].mean() < 50


def test_a_label_has_the_same_colour_everywhere_and_zero_is_black():
    first = label_colours(np.array([[0, 5], [7, 2**40]]))
    second = label_colours(np.array([7, 5, 0]))
    assert np.array_equal(first[1, 0], second[0])
    assert np.array_equal(first[0, 1], second[1])
    assert first[0, 0].tolist() == [0, 0, 0]
    assert len({tuple(color) for color in label_colours(np.arange(1, 200)).tolist()}) > 190
    assert label_colours(np.array([5]), {5: "102030"}).tolist() == [[16, 32, 48]]


def test_channels_are_added_up_in_their_colours():
    array = np.zeros((1, 2, 4, 20, 20), np.uint8)
    array[:, 0, ..., :10] = 255
    array[:, 1] = 255
    section = pictures_of(array, colors=("FF0000", "0000FF"))["quality/section-z.webp"]
    left, right = section[300, 100], section[300, 540]
    assert left[0] > 200
    assert left[2] > 200
    assert right[0] < 50
    assert right[2] > 200
