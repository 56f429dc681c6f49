"""ND2 files of version 3: chunks, a map of them at the end, and metadata in the binary form of NIS-Elements."""

import struct
import zlib

import numpy as np

MAGIC = b"\xda\xce\xbe\x0a"
NAME_BYTES = 4072
"""Frames begin at whole pages: their chunk's name is as long as that takes."""


def record(name, value):
    """One value with its name; a dictionary is a level of further ones, a list one of levels without names."""
    words = (name + "\0").encode("utf-16-le")
    head = lambda kind: bytes([kind, len(words) // 2]) + words  # noqa: E731
    if isinstance(value, bool):
        return head(1) + bytes([value])
    if isinstance(value, int):
        return head(3) + struct.pack("<I", value)
    if isinstance(value, float):
        return head(6) + struct.pack("<d", value)
    if isinstance(value, str):
        return head(8) + (value + "\0").encode("utf-16-le")
    if isinstance(value, bytes):
        return head(9) + struct.pack("<Q", len(value)) + value
    pairs = [("", item) for item in value] if isinstance(value, list) else value.items()
    items = [record(*pair) for pair in pairs]
    body = b"".join(items)
    start = len(head(11)) + 12
    return head(11) + struct.pack("<IQ", len(items), start + len(body)) + body + bytes(8 * len(items))


def loops_of(axes, counts):
    """The experiment: one loop in another, slowest first."""
    inner = None
    for axis, count in reversed(list(zip(axes, counts, strict=True))):
        if axis == "t":
            kind, about = 1, {"uiCount": count, "dStart": 0.0, "dPeriod": 2500.0, "dDuration": 0.0}
        elif axis == "z":
            kind, about = 4, {"uiCount": count, "dZStep": 2.0, "dZLow": 0.0, "dZHigh": 2.0 * (count - 1)}
        else:
            points = [{"dPosX": 1.0 * n, "dPosY": 0.0, "dPosZ": 0.0, "dPosName": f"well {n}"} for n in range(count)]
            kind, about = 2, {"uiCount": count, "Points": points}
        loop = {"eType": kind, "uLoopPars": about, "pItemValid": bytes([1] * count)}
        inner = loop | ({"ppNextLevelEx": [inner]} if inner else {})
    return inner


def write_nd2(path, data, axes="tz", *, packed=False, pad=0, calibrated=True, skip=(), change=None, packing=bytes):
    """`data` has the `axes` of loops ("t", "z", "p"), then rows, columns and channels; `change` may spoil the
    attributes, `skip` leaves frames out, `pad` adds bytes to each row, `packing` packs the attributes."""
    *counts, rows, columns, channels = data.shape
    frames = np.ascontiguousarray(data).reshape(-1, rows, columns * channels)
    attributes = {
        "uiWidth": columns, "uiWidthBytes": columns * channels * data.itemsize + pad, "uiHeight": rows,
        "uiComp": channels, "uiBpcInMemory": 8 * data.itemsize, "uiBpcSignificant": 8 * data.itemsize,
        "uiSequenceCount": len(frames), "eCompression": 0 if packed else 2,
    } | (change or {})  # fmt: skip
    probe = {"uiCompCount": 1, "pFluorescentProbe": {"m_sName": "a dye"}}
    planes = {f"a{c}": probe | {"sDescription": f"stain {c}", "uiColor": 255 << 8 * c} for c in range(channels)}
    metadata = {"bCalibrated": calibrated, "dCalibration": 0.5}
    metadata["sPicturePlanes"] = {"uiCount": channels, "sPlaneNew": planes}
    chunks = {
        "ImageAttributesLV!": packing(record("SLxImageAttributes", attributes)),
        "ImageMetadataSeqLV|0!": record("SLxPictureMetadata", metadata),
    }
    if axes:
        chunks["ImageMetadataLV!"] = record("SLxExperiment", loops_of(axes, counts))
    for number, frame in enumerate(frames):
        if number not in skip:
            pixels = b"".join(row.tobytes() + b"\xee" * pad for row in frame)
            chunks[f"ImageDataSeq|{number}!"] = bytes(8) + (zlib.compress(pixels) if packed else pixels)
    _write(path, chunks)


def _write(path, chunks):
    signature = b"Ver3.0".ljust(64, b"\0")
    parts, places, at = [], {}, 0

    def add(name, content, length):
        nonlocal at
        parts.append(struct.pack("<4sIQ", MAGIC, length, len(content)) + name.ljust(length, b"\0") + content)
        place, at = at, at + len(parts[-1])
        return place

    add(b"ND2 FILE SIGNATURE CHUNK NAME01!", signature, 32)
    for name, content in chunks.items():
        places[name] = (add(name.encode(), content, NAME_BYTES), len(content))
    listed = b"".join(name.encode() + struct.pack("<QQ", *place) for name, place in places.items())
    end = b"ND2 CHUNK MAP SIGNATURE 0000001!"
    start = at
    add(b"ND2 FILEMAP SIGNATURE NAME 0001!", listed + end + struct.pack("<Q", start), 32)
    path.write_bytes(b"".join(parts))
