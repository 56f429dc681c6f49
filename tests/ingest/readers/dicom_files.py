"""DICOM files for tests, written element by element with pydicom; what reads them independently is SimpleITK's GDCM."""

import struct

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

SERIES = "1.2.826.0.1.3680043.8.498.1"
AXES = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def image(number=1, z=0.0, pixels=None, **elements):
    """One MR image at the height `z`; elements by keyword, None leaves one out."""
    pixels = np.arange(20, dtype="u2").reshape(4, 5) if pixels is None else np.asarray(pixels)
    said = Dataset()
    said.SOPClassUID, said.SOPInstanceUID = MRImageStorage, generate_uid(entropy_srcs=[SERIES, str(number), str(z)])
    said.SeriesInstanceUID, said.InstanceNumber, said.Modality = SERIES, number, "MR"
    said.SeriesDescription, said.SeriesNumber = "t1 mprage", 3
    said.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    said.ImagePositionPatient, said.ImageOrientationPatient = [0.0, 0.0, z], list(AXES)
    said.PixelSpacing, said.SliceThickness = [2.0, 1.5], 3.0
    said.Rows, said.Columns = pixels.shape[:2]
    said.SamplesPerPixel, said.PhotometricInterpretation = 1, "MONOCHROME2"
    said.BitsAllocated = said.BitsStored = pixels.dtype.itemsize * 8
    said.HighBit, said.PixelRepresentation = said.BitsStored - 1, int(pixels.dtype.kind == "i")
    for word, value in elements.items():
        if value is None:
            delattr(said, word)
        else:
            setattr(said, word, value)
    said.PixelData = pixels.tobytes()
    said["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    return said


def save(path, said, syntax=ExplicitVRLittleEndian, *, frames=None):
    """Write an image, its pixels replaced by the compressed `frames` where they are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if frames is not None:
        said.PixelData = encapsulate(frames)
        said["PixelData"].VR = "OB"
        said["PixelData"].is_undefined_length = True
    said.file_meta = FileMetaDataset()
    said.file_meta.TransferSyntaxUID = UID(syntax)
    said.file_meta.MediaStorageSOPClassUID = said.SOPClassUID
    said.file_meta.MediaStorageSOPInstanceUID = said.SOPInstanceUID
    said.save_as(path, enforce_file_format=True)
    return path


def series(folder, count=5, *, voxels=None, **elements):
    """A pile of `count` slices 3 mm apart, z rising; gives the voxels (z, y, x)."""
    if voxels is None:
        voxels = np.random.default_rng(4).integers(0, 4000, (count, 4, 5)).astype("u2")
    for number, plane in enumerate(voxels, 1):
        save(folder / f"IM{number:04}", image(number, 3.0 * (number - 1), plane, **elements))
    return voxels


def volumes(folder, count=4, slices=3, *, temporal=True, **elements):
    """`count` volumes over time, numbered slice by slice, as Philips does; gives the voxels (t, z, y, x)."""
    voxels = np.random.default_rng(5).integers(0, 4000, (count, slices, 4, 5)).astype("u2")
    for z in range(slices):
        for t in range(count):
            number = z * count + t + 1
            said = image(number, 3.0 * z, voxels[t, z], RepetitionTime=2000.0, **elements)
            if temporal:
                said.TemporalPositionIdentifier, said.NumberOfTemporalPositions = t + 1, count
            save(folder / f"MR.{number}", said)
    return voxels


def enhanced(voxels, **elements):
    """An enhanced file of the frames (t, z, y, x), each described by its own functional groups."""
    t, z, rows, columns = voxels.shape
    said = image(1, 0.0, voxels.reshape(t * z * rows, columns), **elements)
    said.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    said.Rows, said.NumberOfFrames = rows, t * z
    for word in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(said, word)
    shared = Dataset()
    shared.PixelMeasuresSequence = [_said(PixelSpacing=[2.0, 1.5], SliceThickness=3.0)]
    shared.PlaneOrientationSequence = [_said(ImageOrientationPatient=list(AXES))]
    shared.MRTimingAndRelatedParametersSequence = [_said(RepetitionTime=1500.0)]
    said.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for time in range(t):
        for place in range(z):
            group = Dataset()
            group.PlanePositionSequence = [_said(ImagePositionPatient=[1.0, 2.0, 3.0 * place])]
            group.FrameContentSequence = [_said(TemporalPositionIndex=time + 1, InStackPositionNumber=place + 1)]
            groups.append(group)
    said.PerFrameFunctionalGroupsSequence = groups
    return said


def _said(**elements):
    said = Dataset()
    for word, value in elements.items():
        setattr(said, word, value)
    return said


def mosaic(voxels, number=1, **elements):
    """Slices (z, y, x) in one picture, with the header of Siemens that says how many and where to."""
    count, rows, columns = voxels.shape
    across = int(np.ceil(np.sqrt(count)))
    picture = np.zeros((across * rows, across * columns), voxels.dtype)
    for index, plane in enumerate(voxels):
        top, left = index // across * rows, index % across * columns
        picture[top : top + rows, left : left + columns] = plane
    said = image(number, 0.0, picture, ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"], **elements)
    said.SpacingBetweenSlices, said.RepetitionTime = 3.3, 1200.0
    block = said.private_block(0x29, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", csa(count, (rows, columns)))
    return said


def csa(slices, matrix, normal=(0.0, 0.0, 1.0)):
    """Siemens' header, version 2: three elements."""
    tags = [_csa_tag("NumberOfImagesInMosaic", "US", [str(slices)]), _csa_tag("SliceNormalVector", "FD", normal)]
    tags.append(_csa_tag("AcquisitionMatrixText", "SH", ["*".join(map(str, matrix))]))
    return b"SV10\4\3\2\1" + struct.pack("<2I", len(tags), 77) + b"".join(tags)


def _csa_tag(name, vr, values):
    items = b""
    for value in [*values, *[""] * (6 - len(values))]:
        text = str(value).encode()
        items += struct.pack("<4i", len(text), len(text), 77, len(text)) + text + b"\0" * (-len(text) % 4)
    return struct.pack("<64si4siii", name.encode(), len(values), vr.encode(), 0, 6, 77) + items
