"""Colours for regions whose source has none."""

from __future__ import annotations

from colorsys import hsv_to_rgb

_GOLDEN = 0.6180339887498949
_SHADES = ((0.55, 0.95), (0.85, 0.85), (0.65, 0.65))
"""Saturation and value by turns: neighbours in number differ in hue, those that come round to a hue in shade."""


def telling_color(number: int) -> str:
    """The colour (RRGGBB) of the region of that number: always the same, and told from those of other numbers.

    Golden steps around the circle of hues never meet one twice, and keep any run of numbers spread over all of it.
    """
    saturation, value = _SHADES[number % len(_SHADES)]
    rgb = hsv_to_rgb(number * _GOLDEN % 1, saturation, value)
    return "".join(f"{round(255 * part):02X}" for part in rgb)
