"""XML inside of other files, parsed without what could reach out of it or grow without end."""

from __future__ import annotations

from xml.etree import ElementTree

from pulvinar.errors import UnreadableFile

_LARGEST_XML = 256 << 20


def parse_xml(xml: str, name: str, what: str) -> ElementTree.Element:
    """The root of `xml`, which `what` names ("OME-XML"); raises `UnreadableFile`, naming the file `name`."""
    if len(xml) > _LARGEST_XML:
        raise UnreadableFile(f"{name}: its {what} has {len(xml)} characters")
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise UnreadableFile(f"{name}: its {what} defines entities, which no microscope writes")
    try:
        # as text, whatever encoding its first line names
        return ElementTree.fromstring(xml.encode("utf-8", "replace").decode())
    except ElementTree.ParseError as error:
        raise UnreadableFile(f"{name}: its {what} is damaged: {error}", hint="repair it, or copy it again") from error


def tag(node: ElementTree.Element) -> str:
    """The element's name without its namespace."""
    return node.tag.rpartition("}")[2]
