"""What the XML of a CZI says: voxel size, channels with colours and wavelengths, scenes, time. Lengths are in metres.

Source: the CZI metadata schema that Zeiss publishes (`ImageDocument`, `Scaling`, `Dimensions`, `DisplaySetting`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.readers.frames import positive, regular_step
from pulvinar.ingest.readers.xml_text import parse_xml

_UM_PER_M = 1e6
_MOST_TEXT = 200
_SMALLEST_M, _LARGEST_M = 1e-12, 1.0
_INFORMATION = "Metadata/Information"
_DIMENSIONS = f"{_INFORMATION}/Image/Dimensions"


@dataclass(frozen=True)
class CziChannel:
    """One channel: `color` is RRGGBB, "" when not said; wavelengths in nanometres, None when not said."""

    name: str = ""
    color: str = ""
    excitation_nm: float | None = None
    emission_nm: float | None = None

    def to_json(self) -> dict[str, Any]:
        """What is known of it."""
        known = {"name": self.name, "excitation_nm": self.excitation_nm, "emission_nm": self.emission_nm}
        return {key: value for key, value in known.items() if value}


@dataclass(frozen=True)
class CziSaid:
    """What a CZI says of itself: sides in micrometres by axis letter, where given."""

    sides_um: Mapping[str, float] = field(default_factory=dict)
    channels: tuple[CziChannel, ...] = ()
    scenes: Mapping[int, str] = field(default_factory=dict)
    times_s: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    step_s: float | None = None
    title: str = ""
    header: Mapping[str, Any] = field(default_factory=dict)


def said_by_czi(xml: str, name: str) -> CziSaid:
    """What `xml` says; nothing where it is empty. Raises `UnreadableFile` for XML that isn't."""
    if not xml:
        return CziSaid()
    root = parse_xml(xml, name, "metadata")
    objective = _text(root, f"{_INFORMATION}/Instrument/Objectives/Objective/Manufacturer/Model")
    header = {
        "acquired": _text(root, f"{_INFORMATION}/Image/AcquisitionDateAndTime"),
        "program": _text(root, f"{_INFORMATION}/Application/Name"),
        "objective": objective or _text(root, "Metadata/Scaling/AutoScaling/ObjectiveName"),
    }
    return CziSaid(
        _sides(root),
        tuple(_channels(root)),
        {number: scene for node in root.findall(f"{_DIMENSIONS}/S/Scenes/Scene") for number, scene in _scene(node)},
        _times(root),
        positive(root.findtext(f"{_DIMENSIONS}/T/Positions/Interval/Increment")) or None,
        _text(root, f"{_INFORMATION}/Document/Title"),
        {key: value for key, value in header.items() if value},
    )


def time_step_s(times_s: npt.NDArray[np.float64], count: int) -> float | None:
    """The step between `count` time points, where the stamps are as many and about equally far apart."""
    if count < 2 or times_s.size < count or times_s.size % count:
        return None
    # several stamps a time point: the first of each
    return regular_step(times_s[:: times_s.size // count])


def _sides(root: ElementTree.Element) -> dict[str, float]:
    found = {}
    for node in root.findall("Metadata/Scaling/Items/Distance"):
        length = positive(node.findtext("Value"))
        letter = node.get("Id", "").lower()
        if letter in ("x", "y", "z") and _SMALLEST_M <= length <= _LARGEST_M:
            found[letter] = float(f"{length * _UM_PER_M:.7g}")
    return found


def _channels(root: ElementTree.Element) -> list[CziChannel]:
    """The channels in the file's order; what the dimensions don't say, the settings of the display may."""
    shown = {node.get("Id"): node for node in root.findall("Metadata/DisplaySetting/Channels/Channel")}
    found = []
    for node in root.findall(f"{_DIMENSIONS}/Channels/Channel"):
        nodes = [node, *([shown[node.get("Id")]] if node.get("Id") in shown else [])]
        name = next((one.get("Name") for one in nodes if one.get("Name")), "") or _text(node, "Fluor")
        color = next(filter(None, (_color(_text(one, "Color")) for one in nodes)), "")
        excitation, emission = (
            float(f"{positive(node.findtext(f'{kind}Wavelength')):.7g}") for kind in ("Excitation", "Emission")
        )
        found.append(CziChannel(name[:_MOST_TEXT], color, excitation or None, emission or None))
    return found


def _color(text: str) -> str:
    """RRGGBB of "#AARRGGBB" or "#RRGGBB"."""
    return text[-6:].upper() if re.fullmatch("#([0-9A-Fa-f]{2})?[0-9A-Fa-f]{6}", text) else ""


def _scene(node: ElementTree.Element) -> list[tuple[int, str]]:
    number, name = node.get("Index", ""), node.get("Name", "")
    return [(int(number), name[:_MOST_TEXT])] if re.fullmatch("[0-9]{1,9}", number) and name else []


def _times(root: ElementTree.Element) -> npt.NDArray[np.float64]:
    """The seconds of the time points, where the XML itself has them."""
    positions = root.find(f"{_DIMENSIONS}/T/Positions")
    if positions is None:
        return np.empty(0)
    words = (positions.findtext("List/Offsets") or "").split()
    try:
        return np.asarray([float(word) for word in words])
    except ValueError:
        return np.empty(0)


def _text(node: ElementTree.Element, path: str) -> str:
    return (node.findtext(path) or "").strip()[:_MOST_TEXT]
