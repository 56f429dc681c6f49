"""Lengths and voxel sizes as people type them, into micrometres."""

from __future__ import annotations

import math
import re

from pulvinar.errors import Invalid
from pulvinar.model.volume import Triple

_UM = {"nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "mm": 1e3, "cm": 1e4}


def voxel_size(text: str) -> Triple | None:
    """`"25"`, `"50,40,40"` (z, y, x) or `"0.5mm"` as micrometres (z, y, x); None for an empty text."""
    if not text:
        return None
    parts = [length_um(part) for part in re.split(r"[,x]|\s+", text.strip()) if part]
    if len(parts) == 1:
        return parts[0], parts[0], parts[0]
    if len(parts) != 3:
        raise Invalid(f"--voxel-size {text!r} has {len(parts)} numbers", hint="one number, or three for z, y, x")
    return parts[0], parts[1], parts[2]


def length_um(text: str) -> float:
    """A positive length such as `"25"` (micrometres), `"0.5mm"` or `"650nm"`, in micrometres."""
    matched = re.fullmatch(r"([0-9.eE+-]+?)\s*([a-zA-Zµμ]*)", text.strip())
    unit = (matched[2] or "um") if matched else ""
    try:
        value = float(matched[1]) * _UM[unit] if matched else math.nan
    except (ValueError, KeyError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise Invalid(f"{text!r} is not a length", hint="a positive number with or without nm, um or mm, as 0.5mm")
    return value
