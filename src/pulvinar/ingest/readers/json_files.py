"""JSON documents from outside: of a bounded size, without numbers that JSON doesn't know."""

from __future__ import annotations

import json
import math
from typing import Any

from pulvinar.errors import TooLarge, UnreadableFile
from pulvinar.ingest.reader import SourceFile
from pulvinar.model.text import plain

_LARGEST = 16 << 20


def read_object(file: SourceFile) -> dict[str, Any]:
    """The object that a file holds, NaN and infinities as None. Raises `UnreadableFile`, `TooLarge`."""
    if file.size_bytes > _LARGEST:
        raise TooLarge(f"{file.name} is more than {_LARGEST} bytes of JSON", hint="leave it out")
    with file.path.open("rb") as stream:
        data = stream.read(_LARGEST + 1)
    try:
        found = json.loads(data.decode("utf-8-sig"), parse_constant=lambda word: None, parse_float=_finite)
    except RecursionError:
        raise UnreadableFile(f"{file.name}: its lists are nested without end", hint="repair the file") from None
    except ValueError as error:
        raise UnreadableFile(f"{file.name} is no JSON: {plain(error)[:200]}", hint="repair the file") from error
    if not isinstance(found, dict):
        raise UnreadableFile(f"{file.name} holds no JSON object", hint="repair the file")
    return found


def _finite(word: str) -> float | None:
    number = float(word)
    return number if math.isfinite(number) else None
