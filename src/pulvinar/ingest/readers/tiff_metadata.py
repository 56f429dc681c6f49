"""What a TIFF file says of its voxels, in the dialects that microscopes write: OME-XML, ImageJ, LSM, Micro-Manager.

Sources: the OME data model 2016-06 (`Pixels` and its default units), ImageJ's `TiffEncoder` (its description lists
`spacing`, `unit` and `finterval`; the resolution tags hold pixels a unit), TIFF 6.0 for the resolution tags.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any
from xml.etree import ElementTree

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Finding, Severity
from pulvinar.ingest.readers.frames import micrometres, positive, seconds
from pulvinar.ingest.readers.xml_text import parse_xml, tag
from pulvinar.model.volume import Channel

MOST_PLANES = 10_000_000
"""Of one image: more can't be listed in memory."""
_UM_PER_INCH = 25_400.0
_UM_PER_CM = 10_000.0


@dataclass(frozen=True)
class Said:
    """What one image of a file says: sides in micrometres by axis letter, where given."""

    dialect: str = ""
    sides_um: Mapping[str, float] = field(default_factory=dict)
    time_step_s: float | None = None
    channels: tuple[Channel, ...] = ()
    title: str = ""
    findings: tuple[Finding, ...] = ()
    header: Mapping[str, Any] = field(default_factory=dict)


def said_by(tif: Any, series: Any, number: int, name: str) -> Said:
    """What the open `tif` says of its image `number`; raises `UnreadableFile` for OME-XML that isn't XML."""
    if tif.is_ome:
        return said_by_ome(tif.ome_metadata or "", number, name)
    if tif.is_imagej:
        said = _imagej(tif.imagej_metadata or {}, series.keyframe)
        return replace(said, findings=(*said.findings, *_absent_images(tif.imagej_metadata or {}, series)))
    if tif.is_lsm:
        return _lsm(tif.lsm_metadata or {})
    if tif.is_micromanager:
        return _micromanager(tif.micromanager_metadata or {})
    return Said(findings=tuple(_untrusted(series.keyframe)))


def _absent_images(header: Mapping[str, Any], series: Any) -> list[Finding]:
    """A doubt when ImageJ's description speaks of more images than there are."""
    there = prod(size for axis, size in zip(series.axes, series.shape, strict=True) if axis not in "YXS")
    promised = positive(header.get("images"))
    if promised <= there:
        return []
    return [Finding(Severity.DOUBT, f"its description promises {promised:.0f} images, {there} are there")]


def chain_doubts(tif: Any) -> list[Finding]:
    """A doubt when the last page that was found names another: one that is damaged, or was found before."""
    form, file, last = tif.tiff, tif.filehandle, tif.pages[-1]
    with suppress(struct.error, ValueError, OSError):
        file.seek(last.offset)
        (count,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
        file.seek(last.offset + form.tagnosize + count * form.tagsize)
        (following,) = struct.unpack(form.offsetformat, file.read(form.offsetsize))
        if not following:
            return []
    text = f"the chain of its pages breaks off behind page {len(tif.pages)}: what follows may be lost"
    return [Finding(Severity.DOUBT, text)]


def ome_files(xml: str, name: str) -> tuple[str, ...]:
    """The names of the files over which an OME-TIFF is spread, as its XML has them."""
    found = (node.get("FileName") or "" for node in parse_xml(xml, name, "OME-XML").iter() if tag(node) == "UUID")
    return tuple(dict.fromkeys(file for file in found if file))


def check_ome_planes(xml: str, name: str) -> None:
    """Raise `UnreadableFile` for OME-XML that declares more planes than can be listed."""
    for node in parse_xml(xml, name, "OME-XML").iter():
        if tag(node) == "Pixels":
            sizes = [positive(node.get(f"Size{letter}", "1")) for letter in "TCZ"]
            if math.prod(sizes) > MOST_PLANES:
                said = " x ".join(node.get(f"Size{letter}", "1")[:40] for letter in "TCZ")
                raise UnreadableFile(
                    f"{name}: its OME-XML declares {said} planes (t, c, z), {MOST_PLANES} are read",
                    hint="repair its ImageDescription",
                )


def said_by_ome(xml: str, number: int, name: str) -> Said:
    """What OME-XML says of its image `number`; raises `UnreadableFile` for what isn't XML."""
    root = parse_xml(xml, name, "OME-XML")
    images = [node for node in root if tag(node) == "Image"]
    if number >= len(images):
        return Said("OME", findings=tuple(_elsewhere(root)))
    pixels = next((node for node in images[number] if tag(node) == "Pixels"), None)
    if pixels is None:
        return Said("OME", title=images[number].get("Name") or "")
    sides, findings = {}, []
    for letter in "zyx":
        size, unit = pixels.get(f"PhysicalSize{letter.upper()}"), pixels.get(f"PhysicalSize{letter.upper()}Unit", "µm")
        if size is None:
            continue
        worth = micrometres(unit)
        if worth is None or not positive(size):
            text = f"its OME-XML gives the side {letter} as {size} {unit}, which is no length"
            findings.append(Finding(Severity.DOUBT, text, "--voxel-size"))
        else:
            sides[letter] = _rounded(positive(size) * worth)
    step, unit = pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")
    worth = seconds(unit)
    return Said(
        "OME",
        sides,
        positive(step) * (worth or 0) or None,
        tuple(_ome_channels(pixels)),
        images[number].get("Name") or "",
        tuple(findings),
    )


def _elsewhere(root: ElementTree.Element) -> Iterator[Finding]:
    """A doubt about a file whose metadata lies in another one, which isn't here."""
    for node in root:
        if tag(node) == "BinaryOnly":
            other = node.get("MetadataFile", "")[:200]
            text = f"its OME metadata lies in the file {other!r}, which is not here or does not describe it"
            yield Finding(Severity.DOUBT, text)


def _ome_channels(pixels: ElementTree.Element) -> list[Channel]:
    found = []
    for index, node in enumerate(child for child in pixels if tag(child) == "Channel"):
        wave = node.get("EmissionWavelength")
        name = node.get("Name") or node.get("Fluor") or (f"{positive(wave):g} nm" if positive(wave) else "")
        given = node.get("Color")
        # a signed 32-bit RGBA; -1 is white
        color = f"{(int(given) & 0xFFFFFFFF) >> 8:06X}" if given and re.fullmatch(r"-?\d{1,11}", given) else ""
        count = node.get("SamplesPerPixel", "1")
        copies = int(count) if count.isdigit() and int(count) <= 16 else 1
        name = name or f"channel {index}"
        found += [Channel(f"{name} {part}" if copies > 1 else name, color) for part in range(copies)]
    return found


def _imagej(header: Mapping[str, Any], page: Any) -> Said:
    unit = str(header.get("unit", "")).encode("latin-1", "replace").decode("unicode_escape", "replace")
    worth = micrometres(unit)
    sides, findings = {}, []
    if worth is not None:
        for letter, tag in (("x", "XResolution"), ("y", "YResolution")):
            density = _density(page, tag)
            if density:
                sides[letter] = _rounded(worth / density)
        if positive(header.get("spacing")):
            sides["z"] = _rounded(positive(header["spacing"]) * worth)
    elif unit.strip() not in ("", "pixel", "pixels"):
        findings.append(Finding(Severity.NOTE, f"its unit of length is {unit[:40]!r}, which is none", "--voxel-size"))
    step = header.get("finterval")
    return Said(
        "ImageJ",
        sides,
        positive(step) or None,
        findings=tuple(findings),
        header={key: header[key] for key in ("unit", "spacing", "mode", "Info") if _plain(header.get(key))},
    )


def _lsm(header: Mapping[str, Any]) -> Said:
    sides = {
        letter: _rounded(positive(header[f"VoxelSize{letter.upper()}"]) * 1e6)
        for letter in "zyx"
        if positive(header.get(f"VoxelSize{letter.upper()}"))
    }
    step = header.get("TimeIntervall")
    return Said("LSM", sides, positive(step) or None)


def _micromanager(header: Mapping[str, Any]) -> Said:
    summary = header.get("Summary") or {}
    side, deep = summary.get("PixelSize_um") or summary.get("PixelSizeUm"), summary.get("z-step_um")
    sides = {letter: positive(side) for letter in "yx" if positive(side)}
    if positive(deep):
        sides["z"] = positive(deep)
    step = summary.get("Interval_ms")
    names = summary.get("ChNames")
    channels = tuple(Channel(str(one), "") for one in names) if isinstance(names, list) else ()
    return Said("Micro-Manager", sides, positive(step) / 1000 or None, channels)


def _untrusted(page: Any) -> list[Finding]:
    """The resolution tags of a file that no microscope's program described: most hold a printer's or screen's value."""
    unit = page.tags.valueof("ResolutionUnit", 2)
    worth = {2: _UM_PER_INCH, 3: _UM_PER_CM}.get(int(unit) if unit is not None else 2)
    density = _density(page, "XResolution")
    if not worth or not density or density <= 1:
        return []
    text = f"its resolution tag says {worth / density:.4g} µm a pixel; it is not believed, as most programs invent it"
    return [Finding(Severity.NOTE, text, "--voxel-size")]


def _density(page: Any, tag: str) -> float:
    """Pixels a unit, 0 where the tag isn't there."""
    value = page.tags.valueof(tag)
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return 0.0
    return float(value[0]) / float(value[1])


def _rounded(side_um: float) -> float:
    """To float32's precision, which headers have."""
    return float(f"{side_um:.7g}")


def _plain(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) < 10_000)
