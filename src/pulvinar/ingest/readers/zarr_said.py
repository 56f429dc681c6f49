"""What an OME-Zarr group says of its image: axes, lengths, channels. Source: OME-NGFF 0.4 and 0.5."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from pulvinar.errors import Invalid, UnreadableFile
from pulvinar.ingest.reader import Finding, Options, Severity
from pulvinar.ingest.readers.frames import micrometres, seconds
from pulvinar.ingest.readers.zarr_nodes import ArrayNode
from pulvinar.model.volume import Channel, Triple

_KINDS = {"time": "t", "channel": "c"}


@dataclass(frozen=True)
class ImageSaid:
    """`letters` names the array's axes, one of "tczyx" each, in the array's order; `missing` is what to ask for."""

    letters: str
    voxel_size_um: Triple | None = None
    missing: str = ""
    time_step_s: float | None = None
    channels: tuple[Channel, ...] = ()
    title: str = ""
    findings: tuple[Finding, ...] = ()


def said_by_image(
    attributes: dict[str, Any], multiscale: dict[str, Any], dataset: dict[str, Any], array: ArrayNode, options: Options
) -> ImageSaid:
    """What is said of `array`; all three documents are empty for an array that is no OME image."""
    axes = multiscale.get("axes")
    given = [axis if isinstance(axis, dict) else {"name": axis} for axis in axes] if isinstance(axes, list) else []
    if multiscale and not given and len(array.shape) == 5:
        # before 0.3 images had these axes and no other
        given = [{"name": name} for name in "tczyx"]
    if not given and len(array.names) == len(array.shape) and all(array.names):
        given = [{"name": name} for name in array.names]
    letters, findings = _letters(given, array, options)
    scale = _scale(multiscale, dataset, len(array.shape), array.file)
    units = {letter: axis.get("unit") for letter, axis in zip(letters, given, strict=False)}
    steps = dict(zip(letters, scale, strict=False))
    size_um, missing = _size(steps, units)
    second = seconds(str(units.get("t") or ""))
    ome = attributes.get("ome")
    omero = (ome if isinstance(ome, dict) else attributes).get("omero")
    title = multiscale.get("name")
    return ImageSaid(
        letters,
        size_um,
        missing,
        steps["t"] * second if second and "t" in steps else None,
        _channels(omero if isinstance(omero, dict) else {}),
        title if isinstance(title, str) and title not in ("/", "image") else "",
        tuple(findings),
    )


def _letters(given: list[dict[str, Any]], array: ArrayNode, options: Options) -> tuple[str, list[Finding]]:
    count = len(array.shape)
    if options.axes:
        if len(options.axes) != count or len(set(options.axes)) != count or not set(options.axes) <= set("tczyx"):
            raise Invalid(
                f"--axes {options.axes} can't be: {array.file} has {count} axes of {array.shape}",
                hint="name each once, slowest first, of t, c, z, y, x",
            )
        return options.axes, []
    if not given:
        letters = "tczyx"[-count:]
        text = f"it does not name its axes: {array.shape} are taken as {', '.join(letters)}"
        return letters, [Finding(Severity.DOUBT, text, "--axes")]
    if len(given) != count:
        raise UnreadableFile(f"{array.file} has {count} axes, its image names {len(given)}", hint="save it again")
    found = [_letter(axis) for axis in given]
    spare = iter([letter for letter in "zyx"[-found.count("") :] if letter not in found] if "" in found else [])
    letters = "".join(letter or next(spare, "?") for letter in found)
    if "?" in letters or len(set(letters)) < count:
        names = ", ".join(str(axis.get("name"))[:20] for axis in given)
        raise UnreadableFile(f"{array.file} has the axes {names}, which are not understood", hint="give --axes")
    return letters, []


def _letter(axis: dict[str, Any]) -> str:
    """ "t", "c", "z", "y" or "x"; nothing for an axis of space with a name of its own."""
    name, kind = str(axis.get("name", "")).lower(), str(axis.get("type", ""))
    if kind in _KINDS:
        return _KINDS[kind]
    if name in ("t", "c", "z", "y", "x"):
        return name
    return {"time": "t", "channel": "c"}.get(name, "" if kind == "space" else "?")


def _scale(multiscale: dict[str, Any], dataset: dict[str, Any], count: int, name: str) -> list[float]:
    """The step along each axis: the dataset's scale times the image's."""
    steps = [1.0] * count
    said = False
    for document in (dataset, multiscale):
        transformations = document.get("coordinateTransformations")
        for item in transformations if isinstance(transformations, list) else []:
            if not isinstance(item, dict) or item.get("type") != "scale" or "scale" not in item:
                continue
            scale = item["scale"]
            numbers = isinstance(scale, list) and all(
                isinstance(n, int | float) and math.isfinite(n) and n > 0 for n in scale
            )
            if not numbers or len(scale) != count:
                raise UnreadableFile(f"{name}: its image has the scale {str(scale)[:100]}", hint="repair its metadata")
            steps = [a * float(b) for a, b in zip(steps, scale, strict=True)]
            said = True
    return steps if said else []


def _size(steps: dict[str, float], units: dict[str, Any]) -> tuple[Triple | None, str]:
    """Voxel size in micrometres where all of it is said, else what isn't."""
    worth = {letter: micrometres(str(units.get(letter) or "")) for letter in "zyx" if letter in units}
    silent = [letter for letter, um in worth.items() if um is None]
    if not steps or silent or not worth:
        scale = ", ".join(f"{letter} = {steps[letter]:g}" for letter in "zyx" if letter in steps)
        return None, "its axes have no unit of length" + (f" (its scale: {scale})" if scale else "")
    sizes = {letter: float(f"{steps[letter] * um:.7g}") for letter, um in worth.items() if um is not None}
    if len(sizes) < 3:
        return None, "it does not say the thickness of its plane"
    return (sizes["z"], sizes["y"], sizes["x"]), ""


def _channels(omero: dict[str, Any]) -> tuple[Channel, ...]:
    listed = omero.get("channels")
    found = []
    for index, item in enumerate(listed if isinstance(listed, list) and len(listed) <= 4096 else []):
        about = item if isinstance(item, dict) else {}
        color = str(about.get("color", ""))
        name = about.get("label") or about.get("name") or f"channel {index}"
        found.append(Channel(str(name)[:200], color if re.fullmatch("[0-9A-Fa-f]{6}", color) else ""))
    return tuple(found)
