"""HDF5 as Imaris and BigDataViewer write it, by the descriptions of these formats and with h5py alone."""

import h5py
import numpy as np

IMARIS = np.random.default_rng(6).integers(0, 60_000, (2, 3, 5, 20, 30)).astype("u2")
"""Axes t, c, z, y, x."""
SETUPS = np.random.default_rng(8).integers(0, 65_000, (2, 2, 2, 6, 20, 30)).astype("u2")
"""Axes t, c, tile, z, y, x: many values are beyond what a number with a sign holds."""
SETUP = """<ViewSetup><id>{id}</id><name>view {id}</name><size>{size}</size>
<voxelSize><unit>{unit}</unit><size>0.5 0.6 2.0</size></voxelSize>
<attributes><illumination>0</illumination><channel>{channel}</channel><tile>{tile}</tile></attributes></ViewSetup>"""
XML = """<?xml version="1.0" encoding="UTF-8"?>
<SpimData version="0.2"><BasePath type="relative">.</BasePath><SequenceDescription>
<ImageLoader format="bdv.hdf5"><hdf5 type="relative">{file}</hdf5></ImageLoader>
<ViewSetups>{setups}<Attributes name="channel"><Channel><id>0</id><name>GFP</name></Channel>
<Channel><id>1</id><name>1</name></Channel></Attributes></ViewSetups></SequenceDescription></SpimData>"""


def write_bigdataviewer(folder, voxels=SETUPS, *, file="a.h5", xml=True, unit="um", named="a.h5", chunk=(4, 10, 15)):
    """Setups are channels of tiles, channel slowest; values are stored as if they had a sign."""
    times, channels, tiles = voxels.shape[:3]
    size = " ".join(map(str, voxels.shape[:2:-1]))
    setups = ""
    with h5py.File(folder / file, "w") as opened:
        for setup in range(channels * tiles):
            channel, tile = divmod(setup, tiles)
            setups += SETUP.format(id=setup, channel=channel, tile=tile, unit=unit, size=size)
            opened[f"s{setup:02d}/resolutions"] = np.array([[1.0, 1, 1], [2, 2, 1]])
            opened[f"s{setup:02d}/subdivisions"] = np.array([[16, 16, 4], [16, 16, 4]])
            for t in range(times):
                for level, step in enumerate((1, 2)):
                    stored = voxels[t, channel, tile, :, ::step, ::step].view("i2")
                    path = f"t{t:05d}/s{setup:02d}/{level}/cells"
                    chunks = tuple(min(pair) for pair in zip(stored.shape, chunk, strict=True))
                    opened.create_dataset(path, data=stored, chunks=chunks, compression=4)
    if xml:
        (folder / "a.xml").write_text(XML.format(file=named, setups=setups))


def letters(group, **attributes):
    """Attributes as Imaris writes them: arrays of single letters."""
    for name, value in attributes.items():
        group.attrs[name] = np.frombuffer(str(value).encode(), "S1")


def write_imaris(path, voxels=IMARIS, *, pad=8, unit="um", packing=4, minutes=2):
    """A file of two resolutions, padded to whole chunks along each axis."""
    times, channels, *sizes = voxels.shape
    with h5py.File(path, "w") as file:
        letters(file, ImarisDataSet="ImarisDataSet", ImarisVersion="5.5.0", DataSetDirectoryName="DataSet")
        file.attrs["NumberOfDataSets"] = np.uint32(1)
        for t, c in np.ndindex(times, channels):
            for level, step in enumerate((1, 2)):
                stored = voxels[t, c, :, ::step, ::step]
                group = file.create_group(f"DataSet/ResolutionLevel {level}/TimePoint {t}/Channel {c}")
                letters(group, **{f"ImageSize{a}": n for a, n in zip("ZYX", stored.shape, strict=True)})
                room = np.zeros([-(-n // pad) * pad for n in stored.shape], voxels.dtype)
                room[tuple(map(slice, stored.shape))] = stored
                group.create_dataset("Data", data=room, chunks=(pad,) * 3, compression=packing)
        info = file.create_group("DataSetInfo")
        image = info.create_group("Image")
        letters(image, Unit=unit, Name="a fish", RecordingDate="2024-05-06 07:08:09.000")
        letters(image, **dict(zip("ZYX", sizes, strict=True)))
        letters(image, **{f"ExtMin{axis}": -10 for axis in range(3)})
        extents = zip(sizes[::-1], (0.5, 0.5, 2), strict=True)
        letters(image, **{f"ExtMax{axis}": -10 + count * step for axis, (count, step) in enumerate(extents)})
        for c in range(channels):
            channel = info.create_group(f"Channel {c}")
            name = "(name not specified)" if c == 1 else f"stain {c}"
            letters(channel, Name=name, Color="0.000 1.000 0.502", LSMEmissionWavelength=500 + c)
        time = info.create_group("TimeInfo")
        letters(time, **{f"TimePoint{t + 1}": f"2024-05-06 07:{8 + t * minutes:02d}:09.000" for t in range(times)})
