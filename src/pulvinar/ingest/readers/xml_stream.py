"""XML from outside, parsed as a stream: no entity is declared, no other file is named that would be opened.

expat itself reads no external document; entities that a file declares for itself are what could grow without end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from xml.parsers import expat

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.readers.streams import unpacked

_PIECE = 1 << 20
_MOST_BYTES = 4 << 30
_DEEPEST = 100_000


def first_element(head: bytes) -> str:
    """The name of the first element of a document whose first bytes these are, without its prefix; "" for no XML."""
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return ""
    found = re.search(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)", head)
    return found[1].decode("ascii", "replace") if found else ""


class Handler(Protocol):
    """What is told of a document, in its order; names are without their namespace's prefix.

    What it raises other than the platform's errors must be no `ValueError`.
    """

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """A part of the text of the innermost element that is open."""


def parse_xml(path: Path, name: str, handler: Handler) -> None:
    """Tell `handler` what the file (unpacked) says; raises `UnreadableFile`, naming the line, where it is no XML."""
    with unpacked(path, name) as stream:
        parse_pieces(lambda: stream.read(_PIECE), name, handler)


def parse_pieces(next_piece: Callable[[], bytes], name: str, handler: Handler) -> None:
    """As `parse_xml`, of what `next_piece` gives until it gives nothing."""
    parser = expat.ParserCreate()
    _attach(parser, name, handler)
    total = 0
    try:
        while piece := next_piece():
            total += len(piece)
            if total > _MOST_BYTES:
                raise TooLarge(f"{name} is more than {_MOST_BYTES} bytes of XML", hint="save it in a binary form")
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        # the last two: an encoding that is not known
        line = parser.CurrentLineNumber
        raise UnreadableFile(
            f"{name}, line {line}: it is no XML: {error}", hint="copy the file again, or export it again"
        ) from error


def _attach(parser: expat.XMLParserType, name: str, handler: Handler) -> None:
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise UnreadableFile(f"{name}: its elements lie {depth} deep in each other", hint="export it again")
        handler.start(tag.rsplit(":", 1)[-1], attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        handler.end(tag.rsplit(":", 1)[-1])

    def refuse(entity: str, *_: object) -> None:
        raise UnreadableFile(
            f"{name}: it declares the entity {entity[:40]!r}, which no such file needs", hint="export it again"
        )

    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = handler.text
    parser.EntityDeclHandler = refuse
