"""Every kernel against a plain numpy reference."""

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pulvinar.model.volume import VolumeKind
from pulvinar.storage.downsample import downsample

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float32", "float64")
FACTORS = st.tuples(*[st.sampled_from((1, 2))] * 3)
SHAPES = st.tuples(st.integers(1, 2), st.integers(1, 2), *[st.integers(1, 7)] * 3)
Array = npt.NDArray[Any]


def parts(array: Array, factors: tuple[int, int, int]) -> list[tuple[Array, tuple[slice, ...]]]:
    """Each voxel of a window of `factors`, and which of the result's voxels have it."""
    found = []
    for offsets in product(*(range(f) for f in factors)):
        part = array[(..., *(slice(o, None, f) for o, f in zip(offsets, factors, strict=True)))]
        found.append((part, tuple(slice(n) for n in part.shape)))
    return found


def reference(array: Array, factors: tuple[int, int, int], kind: VolumeKind) -> Array:
    shape = (*array.shape[:2], *(-(-n // f) for n, f in zip(array.shape[2:], factors, strict=True)))
    if kind is VolumeKind.LABELS:
        return reference_mode(array, factors, shape)
    if array.dtype.kind == "f":
        total, count = np.zeros(shape), np.zeros(shape, int)
        for part, where in parts(array, factors):
            total[where] += np.where(np.isnan(part), 0.0, part.astype(float))
            count[where] += ~np.isnan(part)
        with np.errstate(invalid="ignore"):
            return (total / count).astype(array.dtype)
    exact: Any = object if array.dtype.itemsize == 8 else np.int64
    whole, number = np.zeros(shape, exact), np.zeros(shape, exact)
    for part, where in parts(array, factors):
        whole[where] += part.astype(exact)
        number[where] += 1
    return ((2 * whole + number) // (2 * number)).astype(array.dtype)


def reference_mode(array: Array, factors: tuple[int, int, int], shape: tuple[int, ...]) -> Array:
    out = np.zeros(shape, array.dtype)
    for place in np.ndindex(*shape):
        corner = [i * f for i, f in zip(place[2:], factors, strict=True)]
        box = array[(*place[:2], *(slice(a, a + f) for a, f in zip(corner, factors, strict=True)))]
        counts = Counter(box.view(f"u{array.dtype.itemsize}").ravel().tolist())
        best = min(counts, key=lambda value: (-counts[value], value == 0, value))
        out[place] = np.array([best], f"u{array.dtype.itemsize}").view(array.dtype)[0]
    return out


@given(st.data(), st.sampled_from(INTEGERS), SHAPES, FACTORS)
@settings(max_examples=150, deadline=None)
def test_a_mean_of_integers_is_rounded_half_up_and_exact(data, dtype, shape, factors):
    array = data.draw(npst.arrays(dtype, shape))
    found = downsample(array, factors, VolumeKind.IMAGE)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, reference(array, factors, VolumeKind.IMAGE))


@given(st.data(), st.sampled_from(FLOATS), SHAPES, FACTORS)
@settings(max_examples=80, deadline=None)
def test_a_mean_of_floats_leaves_nan_out(data, dtype, shape, factors):
    width = 32 if dtype == "float32" else 64
    numbers = st.floats(-(2.0**100), 2.0**100, width=width) | st.just(np.nan)
    array = data.draw(npst.arrays(dtype, shape, elements=numbers, fill=st.nothing()))
    found = downsample(array, factors, VolumeKind.IMAGE)
    np.testing.assert_array_equal(found, reference(array, factors, VolumeKind.IMAGE))


@given(st.data(), st.sampled_from((*INTEGERS, "float32")), SHAPES, FACTORS)
@settings(max_examples=100, deadline=None)
def test_labels_are_counted_and_never_averaged(data, dtype, shape, factors):
    few = st.sampled_from([0, 1, 2, 100])
    array = data.draw(npst.arrays(dtype, shape, elements=few, fill=st.nothing()))
    found = downsample(array, factors, VolumeKind.LABELS)
    np.testing.assert_array_equal(found, reference(array, factors, VolumeKind.LABELS))


@pytest.mark.parametrize("label", [2**64 - 1, 2**53 + 1, 0xDEADBEEFCAFE])
def test_64_bit_ids_survive(label):
    array = np.full((1, 1, 3, 3, 3), label, np.uint64)
    array[..., 0] = label - 2
    found = downsample(array, (2, 2, 1), VolumeKind.LABELS)
    assert set(found.ravel().tolist()) == {label, label - 2}


def test_a_label_wins_a_tie_with_background():
    array = np.array([0, 7, 0, 7, 9, 7, 9, 7], np.uint16).reshape(1, 1, 2, 2, 2)
    assert downsample(array, (2, 2, 1), VolumeKind.LABELS).ravel().tolist() == [9, 7]
