"""The text of an AFNI header: attributes with a type, a name, a count and as many values. Source: README.attributes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.readers.frames import Matrix

_START = re.compile(rb"\s*type\s*=\s*(string|integer|float)-attribute\s+name\s*=\s*\w+")
_ATTRIBUTE = re.compile(
    r"^[ \t]*type\s*=\s*(string|integer|float)-attribute\s*name\s*=\s*(\S+)\s*count\s*=\s*(\d+)[ \t]*\n", re.M
)
_MOST_ATTRIBUTES, _MOST_VALUES = 10_000, 10_000_000
_AXES = ((0, -1), (0, 1), (1, 1), (1, -1), (2, 1), (2, -1))
"""Of each direction (to the left, to the right, to the front, to the back, up, down): the axis of RAS, and the sign."""
_TIME_UNITS_S = {77001: 1e-3, 77002: 1.0}


@dataclass
class AfniHeader:
    """The attributes by name; one that is missing has no values."""

    strings: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, list[float]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The first text of an attribute."""
        return next(iter(self.texts(name)), "")

    def texts(self, name: str) -> list[str]:
        """The texts of an attribute, one for each ~."""
        return self.strings.get(name, "").removesuffix("~").split("~") if name in self.strings else []

    def floats(self, name: str) -> list[float]:
        """The numbers of an attribute."""
        return self.numbers.get(name, [])

    def whole(self, name: str) -> list[int]:
        """The whole numbers of an attribute."""
        return [int(number) for number in self.floats(name) if np.isfinite(number)]

    def ras_mm(self) -> Matrix | None:
        """The map of voxels (i, j, k, 1) to millimetres in RAS; None where the header has none.

        AFNI counts to the left, to the back and up.
        """
        said = self.floats("IJK_TO_DICOM_REAL")
        if len(said) == 12:
            turned: Matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.vstack([np.reshape(said, (3, 4)), [0, 0, 0, 1]])
            return turned
        codes, origin, delta = self.whole("ORIENT_SPECIFIC"), self.floats("ORIGIN"), self.floats("DELTA")
        if not len(codes) == len(origin) == len(delta) == 3 or not all(0 <= code < len(_AXES) for code in codes):
            return None
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for column, code in enumerate(codes):
            row, sign = _AXES[code]
            matrix[row, column] = sign * abs(delta[column])
            matrix[row, 3] = origin[column] * (-1 if row < 2 else 1)
        return matrix

    def time_step_s(self) -> float | None:
        """Seconds between two time points; None where it isn't known."""
        nums, floats = self.whole("TAXIS_NUMS"), self.floats("TAXIS_FLOATS")
        unit_s = _TIME_UNITS_S.get(nums[2]) if len(nums) > 2 else None
        if unit_s is None or len(floats) < 2 or not 0 < floats[1] < np.inf:
            return None
        return float(f"{floats[1] * unit_s:.7g}")


def is_afni(head: bytes) -> bool:
    """Whether a file begins as a header."""
    return _START.match(head) is not None


def parse_header(text: str, name: str) -> AfniHeader:
    """The attributes of a header; raises `UnreadableFile` for one with fewer values than it declares, or others."""
    header = AfniHeader()
    found = list(islice(_ATTRIBUTE.finditer(text), _MOST_ATTRIBUTES + 1))
    if len(found) > _MOST_ATTRIBUTES:
        raise UnreadableFile(f"{name} has more than {_MOST_ATTRIBUTES} attributes", hint="take out its history")
    for match in found:
        kind, attribute, count = match[1], match[2], int(match[3])
        if count > _MOST_VALUES:
            raise UnreadableFile(
                f"{name}: its attribute {attribute[:40]} declares {count} values", hint="copy it again"
            )
        if kind == "string":
            # it begins behind an apostrophe
            begin = text.find("'", match.end()) + 1
            header.strings[attribute] = text[begin : begin + count]
        else:
            header.numbers[attribute] = _numbers(text, match.end(), count, name, attribute)
    return header


def _numbers(text: str, begin: int, count: int, name: str, attribute: str) -> list[float]:
    end = text.find("\n\n", begin)
    words = text[begin : end if end >= 0 else len(text)].split(maxsplit=count)[:count]
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise UnreadableFile(f"{name}: its attribute {attribute[:40]} is no list of numbers: {error}") from error
    if len(numbers) != count:
        raise UnreadableFile(
            f"{name}: its attribute {attribute[:40]} declares {count} values and holds {len(numbers)}",
            hint="copy the file again",
        )
    return numbers
