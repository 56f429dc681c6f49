"""Axes and voxel size of arrays that are no OME image, from the attributes that other programs write.

Read are: `_ARRAY_DIMENSIONS` (xarray's names of axes), `axes`, `axis_names` and `dimension_names`; steps under
`resolution`, `voxel_size` or `scale` with `units` or `unit` (funlib, daisy, BigCAT); `pixelResolution` with its own
unit (n5-viewer); and `transform` with its own axes, scale and units (COSEM). Lists go as the format has its axes: in
Zarr the slowest first, in N5 and under `pixelResolution` the fastest first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pulvinar.ingest.reader import Finding, Options, Severity
from pulvinar.ingest.readers.zarr_nodes import ArrayNode
from pulvinar.ingest.readers.zarr_said import ImageSaid, said_by_image

_NAMES = ("_ARRAY_DIMENSIONS", "axes", "axis_names", "dimension_names")
_STEPS = ("resolution", "voxel_size", "scale")


def said_by_attributes(
    attributes: Mapping[str, Any],
    array: ArrayNode,
    options: Options,
    *,
    fastest_first: bool = False,
    factors: tuple[float, ...] = (),
) -> ImageSaid:
    """What `attributes` say of `array`, and a doubt about axes that they don't name.

    `fastest_first` is the order of lists in N5. `factors` (slowest axis first) tell how often the array was halved
    after what its steps were said of; none: it was not. Raises `UnreadableFile` for axes that can't be.
    """
    count = len(array.shape)
    names, steps, units, key = _said(attributes, count, fastest_first=fastest_first)
    names = names or (array.names if len(array.names) == count and all(array.names) else ())
    letters = "tczyx"[-count:]
    axes = [
        {"name": name, **({"unit": unit} if unit else {})} for name, unit in zip(names or letters, units, strict=True)
    ]
    if steps and factors:
        steps = tuple(a * b for a, b in zip(steps, factors, strict=True))
    dataset = {"coordinateTransformations": [{"type": "scale", "scale": list(steps)}]} if steps else {}
    said = said_by_image({}, {"axes": axes}, dataset, array, options)
    findings = list(said.findings)
    if not names and not options.axes:
        text = f"it does not name its axes: {array.shape} are taken as {', '.join(letters)}"
        findings.append(Finding(Severity.DOUBT, text, "--axes"))
    if said.voxel_size_um and options.voxel_size_um is None:
        text = f"its voxel size comes from its attribute {key}"
        findings.append(Finding(Severity.NOTE, text, "--voxel-size"))
    return replace(said, findings=tuple(findings))


Said = tuple[tuple[str, ...], tuple[float, ...], tuple[str, ...], str]


def _said(attributes: Mapping[str, Any], count: int, *, fastest_first: bool) -> Said:
    """Names, steps and units of the `count` axes, slowest first, empty where not said, and which attribute has steps.

    An N5 or Zarr of several axes may say the steps of its axes of space alone: those are the fastest three.
    """
    transform = attributes.get("transform")
    if isinstance(transform, dict) and (steps := _numbers(transform.get("scale"), count)):
        return _texts(transform.get("axes"), count), steps, _units(transform.get("units"), count), "transform"
    turn = -1 if fastest_first else 1
    names: tuple[str, ...] = next((found for key in _NAMES if (found := _texts(attributes.get(key), count))), ())
    names = names[::turn]
    units = _units(attributes.get("units", attributes.get("unit")), count)[::turn]
    for key in _STEPS:
        if steps := _numbers(attributes.get(key), count):
            return names, steps[::turn], units, key
    pixel = attributes.get("pixelResolution")
    said = pixel if isinstance(pixel, dict) else {"dimensions": pixel, "unit": attributes.get("unit")}
    own_units = _units(said.get("unit"), count)
    if steps := _numbers(said.get("dimensions"), count):
        return names, steps[::-1], own_units, "pixelResolution"
    if count > 3 and (steps := _numbers(said.get("dimensions"), 3)):
        return names, (*[1.0] * (count - 3), *steps[::-1]), own_units, "pixelResolution"
    return names, (), units, ""


def _numbers(value: Any, count: int) -> tuple[float, ...]:
    whole = isinstance(value, list) and len(value) == count
    if whole and all(type(n) in (int, float) and math.isfinite(n) and n > 0 for n in value):
        return tuple(float(n) for n in value)
    return ()


def _texts(value: Any, count: int) -> tuple[str, ...]:
    whole = isinstance(value, list) and len(value) == count and all(isinstance(item, str) and item for item in value)
    return tuple(value) if whole else ()


def _units(value: Any, count: int) -> tuple[str, ...]:
    """One unit for each axis: all the same where only one is said."""
    if isinstance(value, str):
        return (value,) * count
    return _texts(value, count) or ("",) * count
