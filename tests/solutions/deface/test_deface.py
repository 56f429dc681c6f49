"""Where the face is, that the brain is never in it, and what is left of real heads."""

import numpy as np
import pytest
from scipy import ndimage

from pulvinar.model.space import Window
from pulvinar.solutions.deface import Part, face_mask, measure
from pulvinar.solutions.deface.measure import HEADS, measure_head, template
from pulvinar.solutions.deface.removal import Defaced
from pulvinar.storage.sources import ArraySource

EYE, NOSE, CHIN, MOUTH = (-38, 66, 32), (-50, 95, 0), (-110, 70, 0), (-80, 85, 0)
EAR = (-30, -20, 82)
TOP, BACK, CEREBELLUM = (80, 0, 0), (10, -100, 0), (-40, -60, 0)
FRONTAL_POLE, TEMPORAL_POLE = (0, 66, 10), (-30, 18, 45)


def um(*places_mm):
    """Places (superior, anterior, right) of MNI152, from millimetres."""
    return np.array(places_mm, float) * 1000


def test_eyes_nose_mouth_and_chin_are_face_and_no_brain_is():
    assert face_mask(um(EYE, NOSE, CHIN, MOUTH)).all()
    assert not face_mask(um(TOP, BACK, CEREBELLUM, FRONTAL_POLE, TEMPORAL_POLE, EAR), Part.FACE | Part.EARS)[:5].any()


def test_ears_go_only_where_that_is_asked_for():
    both = um(EAR, (EAR[0], EAR[1], -EAR[2]))
    assert not face_mask(both).any()
    assert face_mask(both, Part.FACE | Part.EARS).all()
    assert not face_mask(um(NOSE), Part.EARS).any()


def test_the_surface_leaves_the_template_s_brain_but_for_its_rim():
    """The rest is kept away from the brain by distance: see the real heads below."""
    pytest.importorskip("nilearn")
    brain = template()
    index = np.argwhere(ndimage.binary_fill_holes(np.asarray(brain.voxels) > 0))
    matrix = np.array(brain.voxel_to_space_um)
    inside = face_mask(index @ matrix[:3, :3].T + matrix[:3, 3], Part.FACE | Part.EARS)
    assert 0 < inside.mean() < 0.005


def test_voxels_of_the_face_are_0_and_all_others_as_they_were():
    voxels = np.random.default_rng(0).integers(1, 900, (2, 1, 20, 24, 16)).astype(np.int16)
    mask = np.zeros((5, 6, 4), bool)
    mask[1:3, 4:, :] = True
    scale = lambda um: ((um, 0.0, 0.0, 0.0), (0.0, um, 0.0, 0.0), (0.0, 0.0, um, 0.0), (0.0, 0.0, 0.0, 1.0))  # noqa: E731
    made = Defaced(ArraySource(voxels), scale(500.0), mask, scale(2000.0))
    assert (made.shape, made.dtype) == (voxels.shape, voxels.dtype)
    whole = made.read(Window.whole(made.shape))
    changed = whole != voxels
    assert (whole[changed] == 0).all()
    assert changed.any(axis=(0, 1))[4:8, 18:22].all()
    assert not changed[..., :10, :].any()
    part = Window((1, 0, 3, 15, 2), (2, 1, 15, 24, 9))
    assert np.array_equal(made.read(part)[0, 0], whole[1, 0, 3:15, 15:24, 2:9])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name", ["t1_1mm", *(pytest.param(one, marks=pytest.mark.deep) for one in HEADS if one != "t1_1mm")]
)
def test_of_a_real_head_no_voxel_of_the_brain_is_changed(samples, sample, name):
    pytest.importorskip("picsl_greedy")
    pytest.importorskip("nilearn")
    found = measure_head(samples, sample(HEADS[name]))
    assert found.brain_voxels > 1_000_000
    assert found.changed == 0
    assert found.nearest_mm > 2
    assert found.face_removed > (0.85 if name == "t1_1mm" else 0.5)


def test_the_package_offers_its_measure():
    assert callable(measure)
