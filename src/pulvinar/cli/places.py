"""Places as a person writes them in a command."""

from __future__ import annotations

from pulvinar.errors import Invalid


def place(text: str) -> tuple[float, float, float]:
    """The numbers (x, y, z) of "x,y,z", micrometres. Raises `Invalid` for what is no place."""
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise Invalid(f"{text!r} is no place", hint="three numbers x,y,z in micrometres, as 5400,3800,6200") from error
    return x, y, z
