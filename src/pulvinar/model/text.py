"""Text from outside, fit to be shown."""

from __future__ import annotations

import re
from typing import Any

_LONGEST = 2000
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""A spreadsheet would compute what begins so: a quote before it keeps it text."""


def plain(text: object) -> str:
    """`text` without what could steer a terminal or can't be written as UTF-8, cut to a readable length.

    `plain("a\\x1b[2J")` is `"a\\\\x1b[2J"`.
    """
    whole = str(text)
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in whole[:_LONGEST])
    return f"{shown} ..." if len(whole) > _LONGEST else shown


def short(text: object, length: int = 200) -> str:
    """`text` with its middle left out when it is longer than `length`."""
    whole = str(text)
    half = (length - 5) // 2
    return whole if len(whole) <= length else f"{whole[:half]} ... {whole[-half:]}"


def storable(value: Any) -> Any:
    """JSON values without the letters that UTF-8 or a database can't write; what comes from outside holds any."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "")
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value


def to_cell(text: str) -> str:
    """`text` for a cell of a table, so that no spreadsheet computes it."""
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(text: str) -> str:
    """What `to_cell` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def on_one_line(text: str) -> str:
    """`text` with a _ for each letter that could end a line or steer who reads it: a name within a list of files."""
    return "".join(letter if letter.isprintable() else "_" for letter in text)
