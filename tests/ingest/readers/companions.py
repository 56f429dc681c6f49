"""OME-TIFF sets with a companion, as the specification has them: the XML by hand, the TIFF files by tifffile."""

import numpy as np
import tifffile

PLANES = np.random.default_rng(12).integers(0, 60_000, (2, 3, 4, 20, 30)).astype("u2")
"""Axes t, c, z, y, x."""
SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
BINARY_ONLY = f'<?xml version="1.0"?><OME xmlns="{SCHEMA}"><BinaryOnly MetadataFile="{{}}" UUID="urn:uuid:1"/></OME>'


def companion_xml(planes, order="XYZCT", **sizes):
    """`planes`: the `TiffData` elements; `sizes` overrule those of `PLANES`."""
    t, c, z, y, x = PLANES.shape
    attributes = {"SizeT": t, "SizeC": c, "SizeZ": z, "SizeY": y, "SizeX": x, "DimensionOrder": order} | sizes
    said = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    channels = "".join(f'<Channel ID="Channel:0:{n}" Name="stain {n}" SamplesPerPixel="1"/>' for n in range(c))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{SCHEMA}"><Image ID="Image:0" Name="a fish">'
        f'<Pixels ID="Pixels:0" Type="uint16" PhysicalSizeX="0.5" PhysicalSizeY="0.6" PhysicalSizeZ="2" '
        f'TimeIncrement="3" {said}>{channels}{planes}</Pixels></Image></OME>'
    )


def tiff_data(name, page=None, count=None, **first):
    said = {"IFD": page, "PlaneCount": count} | {f"First{letter}": number for letter, number in first.items()}
    words = " ".join(f'{key}="{value}"' for key, value in said.items() if value is not None)
    return f'<TiffData {words}><UUID FileName="{name}">urn:uuid:{name}</UUID></TiffData>'


def write_companion(folder, order="XYZCT", **tiff):
    """One TIFF file a time point and channel, whose pages are the planes along z."""
    planes = ""
    for t, c in np.ndindex(PLANES.shape[:2]):
        name = f"t{t}c{c}.ome.tif"
        with tifffile.TiffWriter(folder / name) as writer:
            for z in range(PLANES.shape[2]):
                text = BINARY_ONLY.format("set.companion.ome") if z == 0 else None
                writer.write(PLANES[t, c, z], description=text, metadata=None, contiguous=False, **tiff)
        planes += "".join(tiff_data(name, z, 1, Z=z, C=c, T=t) for z in range(PLANES.shape[2]))
    (folder / "set.companion.ome").write_text(companion_xml(planes, order))
