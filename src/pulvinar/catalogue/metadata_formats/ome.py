"""OME-XML (2016-06): a version as one document of metadata only, one Image a volume.

Source: the OME data model 2016-06. What it has a place for stands there; the whole record stands beside it in a
MapAnnotation, a pair a field, under the name of the record's schema. Volumes of 64-bit integers have no Image: the
model has no such pixels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from pulvinar.catalogue.metadata_formats.parts import Document, names_of, object_of
from pulvinar.catalogue.record_schema import schema_id
from pulvinar.errors import Invalid
from pulvinar.model.dataset import Asset, AssetKind, Version
from pulvinar.model.record import record_to_json
from pulvinar.model.record_migrations import SCHEMA_VERSION
from pulvinar.model.volume import Volume, volume_from_json

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_SCHEMA = f"{NAMESPACE} http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd"
KEEPS = ("*",)
_TYPES = {
    **{name: name for name in ("int8", "int16", "int32", "uint8", "uint16", "uint32")},
    "float32": "float",
    "float64": "double",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(version: Version) -> str:
    """A version as OME-XML."""
    record = version.record
    root = Element("OME", {"xmlns": NAMESPACE, "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"})
    root.set("xsi:schemaLocation", _SCHEMA)
    rights = SubElement(root, "Rights")
    if record.lab:
        SubElement(rights, "RightsHolder").text = _clean(record.lab)
    SubElement(rights, "RightsHeld").text = _clean(record.licence)
    images = [*_images(version)]
    dataset = SubElement(root, "Dataset", {"ID": "Dataset:0", "Name": _clean(record.title)})
    if record.description:
        SubElement(dataset, "Description").text = _clean(record.description)
    for index in range(len(images)):
        SubElement(dataset, "ImageRef", {"ID": f"Image:{index}"})
    SubElement(dataset, "AnnotationRef", {"ID": "Annotation:0"})
    for index, person in enumerate(record.contributors):
        family, given = names_of(person)
        said = {"FirstName": given, "LastName": family, "Institution": person.affiliation}
        known = {name: _clean(value) for name, value in said.items() if value}
        SubElement(root, "Experimenter", {"ID": f"Experimenter:{index}", **known})
    if record.acquisition.instrument:
        instrument = SubElement(root, "Instrument", {"ID": "Instrument:0"})
        SubElement(instrument, "Microscope", {"Model": _clean(record.acquisition.instrument)})
    for index, (asset, volume) in enumerate(images):
        _add_image(root, index, asset, volume, version)
    _add_record(SubElement(root, "StructuredAnnotations"), record_to_json(record))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _clean(text: str) -> str:
    """`text` without the letters that XML can't hold."""
    return _NOT_XML.sub("\ufffd", text)


def _images(version: Version) -> Iterator[tuple[Asset, Volume]]:
    for asset in version.assets:
        if asset.kind is AssetKind.VOLUME and asset.details.get("volume"):
            volume = volume_from_json(asset.details["volume"])
            if volume.dtype in _TYPES:
                yield asset, volume


def _add_image(root: Element, index: int, asset: Asset, volume: Volume, version: Version) -> None:
    acquisition = version.record.acquisition
    image = SubElement(root, "Image", {"ID": f"Image:{index}", "Name": _clean(asset.name)})
    if len(acquisition.date) == len("YYYY-MM-DD"):
        SubElement(image, "AcquisitionDate").text = f"{acquisition.date}T00:00:00"
    if acquisition.instrument:
        SubElement(image, "InstrumentRef", {"ID": "Instrument:0"})
    t, c, z, y, x = volume.shape
    sides = dict(zip("ZYX", volume.voxel_size_um, strict=True))
    pixels = SubElement(
        image,
        "Pixels",
        {
            "ID": f"Pixels:{index}",
            "DimensionOrder": "XYZCT",
            "Type": _TYPES[volume.dtype],
            **{f"Size{axis}": str(size) for axis, size in zip("XYZCT", (x, y, z, c, t), strict=True)},
            **{f"PhysicalSize{axis}": repr(float(side)) for axis, side in sides.items()},
            **({"TimeIncrement": repr(float(volume.time_step_s))} if volume.time_step_s else {}),
        },
    )
    for number, channel in enumerate(volume.channels):
        said = {"ID": f"Channel:{index}:{number}", "Name": _clean(channel.name), "SamplesPerPixel": "1"}
        SubElement(pixels, "Channel", said)
    SubElement(pixels, "MetadataOnly")


def _add_record(annotations: Element, record: Document) -> None:
    annotation = SubElement(
        annotations, "MapAnnotation", {"ID": "Annotation:0", "Namespace": schema_id(SCHEMA_VERSION)}
    )
    value = SubElement(annotation, "Value")
    for path, said in _flat(record):
        # escapes for all but ASCII: what XML can't hold comes back too
        SubElement(value, "M", {"K": path}).text = json.dumps(said)


def _flat(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        elif value not in ("", None, []):
            yield f"{above}{name}", value


def recognises(document: Any) -> bool:
    """Whether `document` is OME-XML, as text."""
    return isinstance(document, str) and "<OME" in document[:4096] and "openmicroscopy.org" in document[:4096]


def read(document: Any) -> Document:
    """What OME-XML says of a dataset, in the fields of a record: ours whole, another's where it has the same.

    Raises `Invalid` for what isn't XML or defines entities.
    """
    root = _parsed(str(document))
    for annotation in _all(root, "MapAnnotation"):
        namespace = annotation.get("Namespace", "")
        if namespace.startswith("urn:pulvinar:record:"):
            return _ours(annotation)
    return _foreign(root)


def _parsed(text: str) -> Element:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Invalid("the OME-XML defines entities, which no microscope writes", hint="take the DOCTYPE out")
    try:
        return ElementTree.fromstring(text.encode())
    except ElementTree.ParseError as error:
        raise Invalid(f"the OME-XML is damaged: {error}", hint="repair it, or export it anew") from error


def _all(root: Element, tag: str) -> list[Element]:
    return [node for node in root.iter() if node.tag.rpartition("}")[2] == tag]


def _ours(annotation: Element) -> Document:
    made: Document = {}
    for pair in _all(annotation, "M"):
        *above, last = pair.get("K", "").split(".")
        holder = made
        for name in above:
            inner = holder.setdefault(name, {})
            if not isinstance(inner, dict):
                raise Invalid(f"the OME-XML says {pair.get('K')!r} of what is no group", hint="export it anew")
            holder = inner
        try:
            holder[last] = json.loads(pair.text or "null")
        except ValueError:
            raise Invalid(f"the OME-XML has no JSON for {pair.get('K')!r}", hint="export it anew") from None
    return made


def _foreign(root: Element) -> Document:
    """What another program's OME-XML says: names, people, instrument, date."""
    named = [*_all(root, "Dataset"), *_all(root, "Image")]
    people = [" ".join(filter(None, (one.get("FirstName"), one.get("LastName")))) for one in _all(root, "Experimenter")]
    scopes = [" ".join(filter(None, (one.get("Manufacturer"), one.get("Model")))) for one in _all(root, "Microscope")]
    described = [node.text for node in _all(root, "Description") if node.text]
    dates = [(node.text or "")[:10] for node in _all(root, "AcquisitionDate")]
    made = {
        "title": next((name for one in named if (name := one.get("Name"))), ""),
        "description": next(iter(described), ""),
        "licence": next((node.text or "" for node in _all(root, "RightsHeld")), ""),
        "lab": next((node.text or "" for node in _all(root, "RightsHolder")), ""),
        "contributors": [{"name": name} for name in people if name],
        "acquisition": {"instrument": next(iter(scopes), ""), "date": next(iter(dates), "")},
    }
    return {key: value for key, value in object_of(made).items() if value}
