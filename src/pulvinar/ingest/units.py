"""Lengths and voxel sizes as people type them, into micrometres."""

from __future__ import annotations

import math
import re

from pulvinar.errors import Invalid
from pulvinar.model.volume import Triple

_UM = {"nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "mm": 1e3, "cm": 1e4}
_LENGTH = re.compile(r"(?P<number>[-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(?P<unit>[a-zA-Zµμ]*)")
_BETWEEN = re.compile(r"\s*[,x×]\s*|\s+(?=[-+\d.])")


def voxel_size(text: str) -> Triple | None:
    """`"25"`, `"50,40,40"` (z, y, x) or `"0.5mm"` as micrometres (z, y, x); None for an empty text.

    A unit at the end is that of all three: `"0.5,0.2,0.2mm"`. Raises `Invalid` where only some others have one.
    """
    if not text:
        return None
    parts = _BETWEEN.split(text.strip())
    if len(parts) not in (1, 3):
        raise Invalid(f"--voxel-size {text!r} has {len(parts)} numbers", hint="one number, or three for z, y, x")
    *first, last = [_number_and_unit(part) for part in parts]
    if any(unit for _, unit in first):
        if not all(unit for _, unit in (*first, last)):
            raise Invalid(
                f"--voxel-size {text!r} says a unit for some numbers only",
                hint="one unit at the end for all, as 0.5,0.2,0.2mm, or one for each",
            )
    else:
        first = [(number, last[1]) for number, _ in first]
    lengths = [_length_um(number, unit, text) for number, unit in (*first, last)]
    z, y, x = lengths * 3 if len(lengths) == 1 else lengths
    return z, y, x


def _number_and_unit(text: str) -> tuple[str, str]:
    matched = _LENGTH.fullmatch(text)
    return (matched["number"], matched["unit"]) if matched else (text, "")


def _length_um(number: str, unit: str, text: str) -> float:
    try:
        value = float(number) * _UM[unit or "um"]
    except (ValueError, KeyError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise Invalid(
            f"--voxel-size: {text!r} is not a length", hint="a positive number with or without nm, um or mm, as 0.5mm"
        )
    return value
