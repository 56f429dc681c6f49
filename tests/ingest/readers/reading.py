"""What the tests of all readers do: find the one asset of a file, and read it whole."""

import numpy as np

from pulvinar.ingest.reader import Options
from pulvinar.ingest.reader_contract import source_files
from pulvinar.model.space import Window


def find_one(reader, folder, options=None):
    (asset,) = reader.find(source_files(folder), options or Options())
    return asset


def read_voxels(reader, folder, scratch, options=None):
    """The asset's voxels (t, c, z, y, x)."""
    options = options or Options()
    asset = find_one(reader, folder, options)
    scratch.mkdir(exist_ok=True)
    opened = reader.open_volume(asset, folder, options, scratch)
    out = np.zeros(asset.volume.shape, asset.volume.dtype)
    opened.read_into(Window.whole(out.shape), out)
    opened.close()
    for path in scratch.iterdir():
        path.unlink()
    return out


def read_geometry(reader, folder, options=None):
    options = options or Options()
    return reader.read_geometry(find_one(reader, folder, options), folder, options)


def flags(asset):
    """The flags of its findings, by severity."""
    return {(finding.severity.value, finding.flag) for finding in asset.findings}


def said(asset):
    """All that its findings say."""
    return " | ".join(finding.message for finding in asset.findings)
