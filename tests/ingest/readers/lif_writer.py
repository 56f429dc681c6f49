"""LIF files of version 2 by the description of the format: a header of XML, then blocks of voxels."""

import struct

import numpy as np

DIMENSIONS = {"x": 1, "y": 2, "z": 3, "t": 4, "l": 5, "m": 10}
LENGTHS_M = {"x": 5e-7, "y": 5e-7, "z": 2e-6, "t": 3.0, "l": 1e-8, "m": 0}
"""From one element to the next."""
IMAGE = (
    '<Element Name="{name}"><Data><Image><ImageDescription><Channels>{channels}</Channels><Dimensions>{dimensions}'
    '</Dimensions></ImageDescription></Image></Data><Memory Size="{size}" MemoryBlockID="{block}"/></Element>'
)
CHANNEL = (
    '<ChannelDescription DataType="{kind}" ChannelTag="0" Resolution="{bits}" NameOfMeasuredQuantity="" Min="0" '
    'Max="1" Unit="" LUTName="{lut}" IsLUTInverted="0" BytesInc="{step}" BitInc="0"/>'
)
DIMENSION = (
    '<DimensionDescription DimID="{number}" NumberOfElements="{count}" Origin="0" Length="{length}" '
    'Unit="{unit}" BytesInc="{step}" BitInc="0"/>'
)


def text(words):
    return struct.pack("<I", len(words)) + words.encode("utf-16-le")


def describe(name, block, data, axes, luts):
    """The XML of an image whose array `data` has the `axes`, slowest first, of "tczyxml"."""
    steps = dict(zip(axes, data.strides, strict=True))
    dimensions = "".join(
        DIMENSION.format(
            number=DIMENSIONS[axis],
            count=count,
            length=LENGTHS_M[axis] * (count - 1),
            unit="s" if axis == "t" else "m",
            step=steps[axis],
        )
        for axis, count in sorted(zip(axes, data.shape, strict=True), key=lambda pair: DIMENSIONS.get(pair[0], 0))
        if axis != "c"
    )
    count = data.shape[axes.index("c")] if "c" in axes else 1
    about = {"kind": int(data.dtype.kind == "f"), "bits": 8 * data.itemsize}
    channels = "".join(CHANNEL.format(**about, lut=luts[c], step=c * steps.get("c", 0)) for c in range(count))
    return IMAGE.format(name=name, block=block, channels=channels, dimensions=dimensions, size=data.nbytes)


def write_lif(path, images, luts=("Green", "Red", "Gray"), change=lambda xml: xml):
    """`images`: name to (array, axes); `change` may spoil the XML."""
    arrays = {name: (np.ascontiguousarray(data), axes) for name, (data, axes) in images.items()}
    elements = "".join(
        describe(name, f"MemBlock_{index}", data, axes, luts)
        for index, (name, (data, axes)) in enumerate(arrays.items())
    )
    xml = change(
        '<LMSDataContainerHeader Version="2"><Element Name="project"><Data><Experiment/></Data>'
        f"<Children>{elements}</Children></Element></LMSDataContainerHeader>"
    )
    parts = [struct.pack("<IIB", 0x70, 2 * len(xml) + 5, 0x2A), text(xml)]
    for index, (data, _) in enumerate(arrays.values()):
        block = text(f"MemBlock_{index}")
        parts += [struct.pack("<IIBQB", 0x70, 10 + len(block), 0x2A, data.nbytes, 0x2A), block, data.tobytes()]
    path.write_bytes(b"".join(parts))
