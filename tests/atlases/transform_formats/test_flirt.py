import numpy as np
import pytest

from pulvinar.atlases.transform_formats import Ends, ImageGrid, read_flirt
from pulvinar.atlases.transforms import apply
from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.model.space import Points, Space

INPUT, REFERENCE = Space("input", "human", "SAR"), Space("reference", "human", "SAR")
MATRIX = "1.02 0.05 -0.03 2.5\n-0.04 0.97 0.06 -1.5\n0.02 -0.07 1.04 3\n0 0 0 1\n"


def images(input_side, reference_side):
    """Two images whose x axes rise to the right (1) or to the left (-1)."""
    one = ((1500.0, 0, 0, -9000), (0, 2000.0, 0, 3000), (0, 0, input_side * 1000.0, -5000), (0, 0, 0, 1))
    other = ((0, 0, 750.0, 9000), (1250.0, 0, 0, -3000), (0, reference_side * 500.0, 0, -5000), (0, 0, 0, 1))
    return ImageGrid((13, 12, 11), one), ImageGrid((9, 8, 7), other)


@pytest.mark.parametrize(
    ("input_side", "reference_side", "expected_mm"),
    [
        (1, 1, (-6.91, 12.63, 7.33)),
        (1, -1, (-3.09, 12.63, 15.17)),
        (-1, 1, (-6.51, 12.43, 17.53)),
        (-1, -1, (-3.49, 12.43, 4.97)),
    ],
)
def test_a_point_goes_where_fsl_says(input_side, reference_side, expected_mm, tmp_path):
    """Where the point (1, 2, 3) mm goes was asked of FSL's own library, fslpy 3.29."""
    path = tmp_path / "flirt.mat"
    path.write_text(MATRIX)
    transform = read_flirt(path, Ends(INPUT, REFERENCE), *images(input_side, reference_side))
    found = apply(transform, Points(INPUT, np.array([[3000.0, 2000.0, 1000.0]])))
    assert found.space == REFERENCE
    np.testing.assert_allclose(found.zyx_um[0, ::-1] / 1000, expected_mm, atol=1e-4)


def test_what_is_no_matrix_or_no_image_is_refused(tmp_path):
    path = tmp_path / "flirt.mat"
    path.write_text(MATRIX[:30])
    with pytest.raises(UnreadableFile, match=r"flirt\.mat is not four rows"):
        read_flirt(path, Ends(INPUT, REFERENCE), *images(1, 1))
    with pytest.raises(Invalid, match="flat"):
        ImageGrid((2, 2, 2), ((0.0,) * 4,) * 3 + ((0, 0, 0, 1),))
