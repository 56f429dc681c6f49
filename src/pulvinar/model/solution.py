"""A declared processing: what it takes, what a person may choose, what it makes.

The description is data, so that a form, a command line and an API can be made from it without running anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any

from pulvinar.errors import Invalid
from pulvinar.model.dataset import AssetKind

Value = int | float | str | bool
"""What a parameter can be."""
Corner = tuple[float, float, float]
"""A place (z, y, x) in micrometres."""


@dataclass(frozen=True)
class Words:
    """The same said in English and in Chinese."""

    en: str
    zh: str


class ParameterKind(StrEnum):
    """What a parameter's value is."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    CHOICE = "choice"
    FLAG = "flag"
    BOX = "box"
    """A part of a volume, as text: two corners "z,y,x,z,y,x", micrometres from the centre of its first voxel; "" is all
    of it."""


@dataclass(frozen=True)
class Parameter:
    """One thing that a person may choose. `unit` is that of the value ("um", "s", "voxels"), "" where it has none.

    `minimum` and `maximum` belong to it; `choices` are those of `ParameterKind.CHOICE`.
    """

    name: str
    kind: ParameterKind
    title: Words
    default: Value
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    help: Words = field(default=Words("", ""))

    def checked(self, value: Any) -> Value:
        """`value`, also when it comes as text from a form. Raises `Invalid` with what would do."""
        try:
            read = _READ[self.kind](value)
        except (TypeError, ValueError) as error:
            raise self._refused(value) from error
        if self.kind is ParameterKind.CHOICE and read not in self.choices:
            raise self._refused(value)
        if isinstance(read, int | float) and not isinstance(read, bool) and not self._in_range(read):
            raise self._refused(value)
        return read

    def _in_range(self, value: float) -> bool:
        low = self.minimum if self.minimum is not None else value
        high = self.maximum if self.maximum is not None else value
        return isfinite(value) and low <= value <= high

    def _refused(self, value: Any) -> Invalid:
        return Invalid(f"parameter {self.name!r} is {value!r}", hint=f"use {self.range_in_words}")

    @property
    def range_in_words(self) -> str:
        """What it may be, for a person: "a whole number from 16 to 1024 voxels"."""
        if self.kind is ParameterKind.CHOICE:
            return f"one of {', '.join(self.choices)}"
        text = _NAMES[self.kind]
        if self.minimum is not None:
            text += f" from {self.minimum:g}"
        if self.maximum is not None:
            text += f" to {self.maximum:g}" if self.minimum is not None else f" up to {self.maximum:g}"
        return f"{text} {self.unit}".rstrip()


_NAMES = {
    ParameterKind.INTEGER: "a whole number",
    ParameterKind.NUMBER: "a number",
    ParameterKind.TEXT: "text",
    ParameterKind.FLAG: "true or false",
    ParameterKind.BOX: "two corners z,y,x,z,y,x in micrometres, the lower one first",
}


def _integer(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if _text(value).lower() not in _FLAGS:
        raise ValueError
    return _FLAGS[value.lower()]


def _box(value: Any) -> str:
    corners = corners_um(_text(value))
    return ",".join(f"{number:g}" for corner in corners for number in corner) if corners else ""


def corners_um(text: str) -> tuple[Corner, Corner] | None:
    """The corners (z, y, x) of a box that a parameter says, None for "". Raises `ValueError` for what is no box."""
    numbers = [float(one) for one in text.replace(",", " ").split()]
    if not numbers:
        return None
    a, b, c, d, e, f = numbers
    low, high = (a, b, c), (d, e, f)
    if not all(isfinite(one) and isfinite(other) and one < other for one, other in zip(low, high, strict=True)):
        raise ValueError(text)
    return low, high


_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


_READ: Mapping[ParameterKind, Callable[[Any], Value]] = {
    ParameterKind.INTEGER: _integer,
    ParameterKind.NUMBER: _number,
    ParameterKind.TEXT: _text,
    ParameterKind.CHOICE: _text,
    ParameterKind.FLAG: _flag,
    ParameterKind.BOX: _box,
}


@dataclass(frozen=True)
class Input:
    """One asset that a solution takes, of one of `kinds`; an `optional` one may be left out.

    `of_atlas`: a template of an installed atlas, which the solution is then told of. `several`: as many assets as there
    are, under its name with a number, as "a.1", "a.2".
    """

    name: str
    title: Words
    kinds: tuple[AssetKind, ...]
    optional: bool = False
    help: Words = field(default=Words("", ""))
    of_atlas: bool = False
    several: bool = False


@dataclass(frozen=True)
class Output:
    """One asset that a solution makes; an `optional` one not of every input."""

    name: str
    title: Words
    kind: AssetKind
    optional: bool = False


@dataclass(frozen=True)
class SolutionDescription:
    """What a solution is called, takes and makes. A change of what it makes of the same inputs is a new `version`."""

    name: str
    version: str
    title: Words
    summary: Words
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    parameters: tuple[Parameter, ...] = ()
    citation: str = ""

    def input_for(self, name: str) -> Input | None:
        """The input that an asset given as `name` is for; None for a name that is of none."""
        base, dot, number = name.partition(".")
        fits = number.isascii() and number.isdecimal() if dot else True
        return next((one for one in self.inputs if one.name == base and one.several == bool(dot) and fits), None)

    def checked(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """The value of every parameter, those not `given` by default. Raises `Invalid` for an unknown or a bad one."""
        known = {one.name: one for one in self.parameters}
        unknown = sorted(given.keys() - known.keys())
        if unknown:
            raise Invalid(
                f"solution {self.name!r} has no parameter {unknown[0]!r}",
                hint=f"it has {', '.join(known) or 'none'}",
            )
        return {name: one.checked(given[name]) if name in given else one.default for name, one in known.items()}


def description_to_json(one: SolutionDescription) -> dict[str, Any]:
    """`one` as JSON values: all that is needed to show a form."""
    return {
        "name": one.name,
        "version": one.version,
        "title": _words(one.title),
        "summary": _words(one.summary),
        "citation": one.citation,
        "inputs": [
            {
                "name": item.name,
                "title": _words(item.title),
                "help": _words(item.help),
                "kinds": [kind.value for kind in item.kinds],
                "optional": item.optional,
                "of_atlas": item.of_atlas,
                "several": item.several,
            }
            for item in one.inputs
        ],
        "parameters": [
            {
                "name": item.name,
                "kind": item.kind.value,
                "title": _words(item.title),
                "help": _words(item.help),
                "default": item.default,
                "minimum": item.minimum,
                "maximum": item.maximum,
                "choices": list(item.choices),
                "unit": item.unit,
            }
            for item in one.parameters
        ],
        "outputs": [
            {
                "name": item.name,
                "title": _words(item.title),
                "kind": item.kind.value,
                "optional": item.optional,
            }
            for item in one.outputs
        ],
    }


def _words(words: Words) -> dict[str, str]:
    return {"en": words.en, "zh": words.zh}
