"""How a person says what cells are sought in a volume: the parameters that solutions share, and the search they ask
for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pulvinar.errors import Invalid
from pulvinar.model.solution import Parameter, ParameterKind, Value, Words
from pulvinar.model.volume import Volume
from pulvinar.solutions.cells.volumes import VolumeSearch

MOST_CHANNELS = 8


def number(name: str, title: Words, default: float, low: float, high: float, unit: str, about: Words) -> Parameter:
    """A parameter from `low` to `high`; whole numbers where the `default` is one."""
    kind = ParameterKind.INTEGER if isinstance(default, int) else ParameterKind.NUMBER
    return Parameter(name, kind, title, default, minimum=low, maximum=high, unit=unit, help=about)


DIAMETER = number(
    "diameter_um",
    Words("Diameter", "直径"),
    16.0,
    1.0,
    200.0,
    "um",
    Words("How large a cell's picture is, blur included.", "细胞成像的大小，含模糊。"),
)
DIAMETER_Z = number(
    "diameter_z_um",
    Words("Diameter along z", "沿 z 的直径"),
    0.0,
    0.0,
    400.0,
    "um",
    Words(
        "0: as the other; larger where the picture is drawn out along z.",
        "0 表示与上相同；成像沿 z 拉长时取较大值。",
    ),
)
SIGNAL = number(
    "signal",
    Words("Channel of the cells", "细胞所在通道"),
    0,
    0,
    MOST_CHANNELS - 1,
    "",
    Words("Counted from 0.", "从 0 计数。"),
)
BACKGROUND = number(
    "background",
    Words("Channel without cells", "无细胞的通道"),
    -1,
    -1,
    MOST_CHANNELS - 1,
    "",
    Words("One that shows the tissue alone; -1 where there is none.", "只显示组织的通道；没有则为 -1。"),
)


def volume_search(volume: Volume, given: Mapping[str, Value], model: Path | None = None) -> VolumeSearch:
    """The search in a volume that the parameters ask for, judged by the network in the file `model`. Raises `Invalid`
    for a channel that is not there."""
    (signal,), background = channels(volume, given, "signal"), channels(volume, given, "background")
    across = float(given["diameter_um"])
    least = float(given.get("least_score", 0)) or VolumeSearch.least_score
    along = float(given["diameter_z_um"]) or across
    return VolumeSearch(
        (along, across, across), (signal,), next(iter(background), None), least_score=least, model=model
    )


def channels(volume: Volume, given: Mapping[str, Value], name: str) -> tuple[int, ...]:
    """The channel that a parameter names, none for -1. Raises `Invalid` for one that is not there."""
    wanted = int(given[name])
    if wanted >= len(volume.channels):
        raise Invalid(f"the volume has no channel {wanted}", hint=f"its channels are 0 to {len(volume.channels) - 1}")
    return (wanted,) if wanted >= 0 else ()
