"""Text from outside, fit to be shown."""

from __future__ import annotations

from typing import Any

_LONGEST = 2000


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
