"""NWB files written by pynwb, as laboratories write them."""

from datetime import UTC, datetime

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.base import Images
from pynwb.behavior import SpatialSeries
from pynwb.ecephys import ElectricalSeries
from pynwb.file import Subject
from pynwb.icephys import CurrentClampSeries
from pynwb.image import GrayscaleImage, ImageSeries
from pynwb.misc import AnnotationSeries
from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries, TwoPhotonSeries

RNG = np.random.default_rng(5)
MASKS = np.zeros((3, 8, 6), "f4")
MASKS[0, 1:3, 2:5] = 1
MASKS[1, 4, 1] = 0.5
MASKS[2, 6:8, 0:2] = [[1, 3], [1, 3]]


def new_file(subject=None, **more):
    about = {
        "session_description": "a mouse runs",
        "identifier": "file-1",
        "session_start_time": datetime(2026, 3, 4, tzinfo=UTC),
        "experimenter": ["Lovelace, Ada", "Cajal, Santiago"],
        "lab": "Lab of Lines",
        "institution": "Institute",
        "keywords": ["running"],
        "experiment_description": "it runs in the dark",
    }
    file = NWBFile(**(about | more))
    mouse = {"subject_id": "mouse-7", "species": "Mus musculus", "sex": "F", "age": "P60D", "genotype": "Thy1-GCaMP6s"}
    file.subject = Subject(**(subject or mouse))
    return file


def add_electrodes(file):
    device = file.create_device("probe", description="a probe of four")
    shank = file.create_electrode_group("shank", "the shank", "V1", device)
    for row in range(4):
        file.add_electrode(x=100.0 + row, y=200.0 + 2 * row, z=300.0, location="V1", group=shank)
    region = file.create_electrode_table_region([0, 2, 3], "three of them")
    raw = ElectricalSeries(
        "raw", RNG.integers(-900, 900, (50, 3)).astype("i2"), region, starting_time=2.0, rate=1000.0,
        conversion=1.95e-7, offset=0.001, channel_conversion=[1.0, 2.0, 0.5],
    )  # fmt: skip
    file.add_acquisition(raw)


def add_imaging(file, spacing=(0.5, 0.25), mask="image"):
    device = file.create_device("microscope")
    channel = OpticalChannel("green", "green", 520.0)
    plane = file.create_imaging_plane(
        optical_channel=channel, name="plane", description="a plane", device=device, excitation_lambda=920.0,
        indicator="GCaMP6s", location="V1", grid_spacing=spacing, grid_spacing_unit="micrometers",
        origin_coords=[10.0, 20.0], origin_coords_unit="micrometers",
    )  # fmt: skip
    frames = H5DataIO(RNG.integers(0, 4000, (7, 8, 6)).astype("u2"), compression="gzip", chunks=(2, 8, 6))
    file.add_acquisition(TwoPhotonSeries(name="movie", data=frames, imaging_plane=plane, rate=15.0, unit="n.a."))
    module = file.create_processing_module("ophys", "light")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    cells = segmentation.create_plane_segmentation("the cells", plane, "cells")
    for one in MASKS:
        if mask == "image":
            cells.add_roi(image_mask=one)
        else:
            cells.add_roi(pixel_mask=[(x, y, one[x, y]) for x, y in zip(*np.nonzero(one), strict=True)])
    cells.add_column("iscell", "whether it is one", data=[True, False, True])
    region = cells.create_roi_table_region("all", region=[2, 0, 1])
    times = np.cumsum(RNG.random(20) + 0.01)
    traces = RoiResponseSeries("traces", RNG.random((20, 3)), "dF/F", region, timestamps=times)
    module.add(Fluorescence(roi_response_series=traces))
    module.add(Images("summary", [GrayscaleImage("mean", RNG.random((8, 6)))]))


def add_tables(file):
    file.add_trial_column("choice", "where it went")
    for start, choice in ((0.0, "left"), (2.5, "right"), (5.0, "left")):
        file.add_trial(start_time=start, stop_time=start + 1.0, choice=choice)
    file.add_unit_column("quality", "how good")
    for spikes, quality in (([0.1, 0.2, 0.7], 0.9), ([], 0.1), ([0.4, 3.0], 0.5)):
        file.add_unit(spike_times=spikes, quality=quality)


def add_behaviour(file):
    times = np.array([0.0, 0.1, 0.25, 0.3])
    place = SpatialSeries("place", RNG.random((4, 2)), timestamps=times, reference_frame="the corner", unit="meters")
    file.add_acquisition(place)
    # pynwb links the times of another series
    speed = TimeSeries("speed", np.array([1, 2, 3, 4], "i4"), "cm/s", timestamps=place, conversion=0.5)
    file.add_acquisition(speed)
    file.add_acquisition(TimeSeries("backwards", np.arange(4.0), "V", timestamps=np.array([0.0, 2.0, 1.0, 3.0])))
    file.add_acquisition(AnnotationSeries("notes", ["start", "water"], timestamps=[0.5, 0.6]))
    film = ImageSeries("film", external_file=["../film.avi"], format="external", timestamps=[0.0, 0.1], unit="n.a.")
    file.add_acquisition(film)


def add_sweeps(file, count=12, frames=40):
    device = file.create_device("amplifier")
    electrodes = [
        file.create_icephys_electrode(name=f"electrode{one}", description="a pipette", device=device) for one in (0, 1)
    ]
    for number in range(count):
        long = frames if number % 3 else frames + 5
        sweep = CurrentClampSeries(
            f"sweep_{number:03d}", RNG.integers(-90, 90, long).astype("i2"), electrode=electrodes[number % 2], gain=2.0,
            starting_time=number * 1.0, rate=500.0, conversion=0.001 * (1 + number % 2), sweep_number=number,
        )  # fmt: skip
        file.add_acquisition(sweep)


def write(file, path):
    with NWBHDF5IO(str(path), "w") as out:
        # the specification, which files may carry, is half a megabyte
        out.write(file, cache_spec=False)
    return path


def write_everything(path):
    file = new_file()
    for add in (add_electrodes, add_imaging, add_tables, add_behaviour, add_sweeps):
        add(file)
    return write(file, path)
