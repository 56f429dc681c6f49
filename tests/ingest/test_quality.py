import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pulvinar.errors import Corrupt
from pulvinar.ingest.quality import QualityObserver, display_window, quality_findings, quality_to_json
from pulvinar.ingest.reader import Severity
from pulvinar.model.space import Window
from pulvinar.model.volume import Channel, Volume, VolumeKind
from pulvinar.storage.pyramid import plan_levels


class Held:
    """A volume in memory that is read as a stored one is."""

    def __init__(self, array):
        self.array = array

    def read(self, level, window):
        assert level == 0
        return self.array[window.slices]


def volume_of(array):
    levels = plan_levels(array.shape, (1.0, 1.0, 1.0), array.dtype, VolumeKind.IMAGE)
    channels = tuple(Channel(str(index)) for index in range(array.shape[1]))
    return Volume(VolumeKind.IMAGE, array.dtype.name, levels, channels)


def windows_of(shape, depth):
    for start in range(0, shape[2], depth):
        yield Window((0, 0, start, 0, 0), (*shape[:2], min(start + depth, shape[2]), *shape[3:]))


def figures_of(array, depth=4, channel=0):
    observer = QualityObserver(array.shape, array.dtype.name)
    for window in windows_of(array.shape, depth):
        observer(window, array[window.slices])
    return observer.figures(channel, volume_of(array), Held(array))


@settings(max_examples=40, deadline=None)
@given(arrays.arrays("uint16", (2, 2, 9, 5, 6)), st.integers(1, 9))
def test_the_figures_do_not_depend_on_how_the_volume_was_cut(array, depth):
    for channel in range(2):
        mine = array[:, channel]
        figures = figures_of(array, depth, channel)
        assert (figures.minimum, figures.maximum) == (mine.min(), mine.max())
        assert figures.empty_planes == sum(plane.min() == plane.max() for plane in mine.reshape(-1, 30))
        assert figures.sampled == mine.size
        assert figures.percentiles["50"] == np.percentile(mine, 50)


def test_a_restart_in_the_middle_gives_the_same_figures():
    array = np.random.default_rng(0).integers(0, 65536, (1, 1, 12, 20, 30)).astype("uint16")
    array[0, 0, :, 3, 4] = 65535
    first, second = (QualityObserver(array.shape, "uint16") for _ in range(2))
    cut = list(windows_of(array.shape, 3))
    for window in cut[:3]:
        first(window, array[window.slices])
    kept = first.pending()
    assert first.pending() == {}
    second.restore(kept)
    for window in cut[2:]:  # the third is seen once more
        second(window, array[window.slices])
    volume, stored = volume_of(array), Held(array)
    assert second.figures(0, volume, stored) == figures_of(array, 3)
    assert second.figures(0, volume, stored).saturated == pytest.approx(np.mean(array == 65535))


def test_stored_figures_of_another_volume_are_refused():
    observer = QualityObserver((1, 1, 4, 5, 6), "uint8")
    with pytest.raises(Corrupt):
        observer.restore({"0,0,9,0,0": b"no figures"})
    with pytest.raises(Corrupt):
        observer.restore({"nonsense": b""})


@pytest.mark.parametrize(("top", "saturated"), [(4095, True), (4000, False), (255, True)])
def test_saturation_is_counted_at_the_full_scale_of_a_detector(top, saturated):
    array = np.random.default_rng(0).integers(0, 200, (1, 1, 4, 10, 10)).astype("uint16")
    array[0, 0, 1, :5] = top
    assert figures_of(array).saturated == (pytest.approx(50 / 400) if saturated else 0.0)


def test_a_dropped_plane_is_told_from_an_empty_margin():
    array = np.random.default_rng(0).integers(1, 200, (1, 1, 10, 8, 8)).astype("uint8")
    array[0, 0, :2] = 0
    array[0, 0, 9] = 0
    array[0, 0, 5] = 17
    figures = figures_of(array)
    assert figures.empty_planes == 4
    assert figures.empty_inside == ((0, 5),)


def test_what_is_no_number_is_counted_and_left_out():
    array = np.random.default_rng(0).normal(0, 1, (1, 1, 4, 8, 8)).astype("float32")
    array[0, 0, 2, :4] = np.nan
    array[0, 0, 3] = np.nan
    figures = figures_of(array, 1)
    assert figures.not_a_number == 96
    assert figures.maximum == np.nanmax(array)
    assert np.isfinite(figures.window).all()


def test_infinities_are_counted_and_left_out():
    array = np.random.default_rng(0).normal(0, 1, (1, 1, 4, 8, 8)).astype("float32")
    array[0, 0, 1, 0, :3] = np.inf, -np.inf, np.nan
    array[0, 0, 3] = np.inf
    finite = array[np.isfinite(array)]
    figures = figures_of(array, 1)
    assert (figures.infinite, figures.not_a_number) == (66, 1)
    assert (figures.minimum, figures.maximum) == (finite.min(), finite.max())
    assert figures.sampled == finite.size


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_volume_without_a_number_has_no_figures_and_is_still_json(value):
    figures = figures_of(np.full((1, 1, 4, 8, 8), value, np.float32))
    assert (figures.minimum, figures.maximum, figures.percentiles, figures.empty_planes) == (None, None, {}, 4)
    json.dumps(quality_to_json([figures], VolumeKind.IMAGE), allow_nan=False)


def test_figures_from_before_infinities_were_counted_are_taken_up():
    array = np.ones((1, 1, 1, 4, 4), np.float32)
    packed = io.BytesIO()
    np.savez(packed, low=array[..., 0, 0], high=array[..., 0, 0], counts=np.full((2, 1, 1, 1), 3))
    observer = QualityObserver(array.shape, "float32")
    observer.restore({"0,0,0,0,0": packed.getvalue()})
    figures = observer.figures(0, volume_of(array), Held(array))
    assert (figures.not_a_number, figures.infinite) == (3, 0)


def findings_of(array, kind=VolumeKind.IMAGE):
    volume = replace(volume_of(array), kind=kind)
    figures = [figures_of(array, channel=channel) for channel in range(array.shape[1])]
    return [(item.severity, item.message) for item in quality_findings(figures, volume)]


def test_a_dropped_plane_and_cut_off_brightness_are_said_of_their_channel():
    array = np.random.default_rng(0).integers(1, 200, (1, 2, 12, 20, 20)).astype("uint16")
    assert findings_of(array) == []
    array[0, 1, [2, 5]] = 0
    array[0, 0, 3, :1, :9] = 4095
    assert findings_of(array) == [
        (Severity.NOTE, "0.19% of the voxels of channel 0 are as bright as the detector can tell: "
         "differences are lost"),
        (Severity.DOUBT, "planes without an image between planes with one of channel 1, "
         "perhaps lost while recording: z 2, 5"),
    ]  # fmt: skip
    array[0, 0, 3, :1, 3:9] = 7
    assert [severity for severity, _ in findings_of(array)] == [Severity.DOUBT]
    assert findings_of(array, VolumeKind.LABELS) == []


def test_planes_of_a_series_are_said_with_their_time_and_not_all_of_them():
    array = np.random.default_rng(0).normal(0, 1, (2, 1, 12, 8, 8)).astype("float32")
    array[1, 0, 2:10] = 0
    array[0, 0, 0, 0, :3] = np.nan, np.nan, np.inf
    (severity, planes), (_, missing), (_, infinite) = findings_of(array)
    assert severity is Severity.DOUBT
    assert ": z 2 at time 1, z 3 at time 1," in planes
    assert planes.endswith(" and 3 more")
    assert missing == "of the voxels, 2 are not a number: the figures leave them out"
    assert infinite == "of the voxels, 1 are infinite: the figures leave them out"


def test_the_display_range_ignores_an_empty_field_and_single_bright_voxels():
    sample = np.zeros(1_000_000, np.uint16)
    sample[:50_000] = np.random.default_rng(0).normal(1000, 100, 50_000)
    sample[:20] = 65_000
    low, high = display_window(sample, (0.0, 65_000.0))
    assert low == 0
    assert 1100 < high < 3000


@pytest.mark.parametrize("value", [0, 7])
def test_a_volume_of_one_value_still_has_a_range(value):
    low, high = display_window(np.full(100, value, np.uint8), (value, value))
    assert high > low
