"""What a person's flags say, checked before anything is read: hours later is too late to hear of a slip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from math import isfinite

from pulvinar.errors import Invalid, PulvinarError
from pulvinar.ingest.label_names import read_label_names
from pulvinar.ingest.reader import Options
from pulvinar.ingest.readers.frames import micrometres
from pulvinar.ingest.record import RecordAnswers, species_of
from pulvinar.ingest.request import Request
from pulvinar.model.space import check_orientation

_FLAGS = {"contributors": "contributor", "keywords": "keyword"}
"""Answers whose flag has another name."""


def check_options(options: Options) -> None:
    """Raise `Invalid`, naming the flag, for what no file could make right."""
    axes, unit, step = options.axes.lower(), options.unit.strip().lower(), options.time_step_s
    if len(set(axes)) < len(axes) or not set(axes) <= set("tczyx"):
        raise Invalid(
            f"--axes {options.axes!r} can't be", hint="each letter of t, c, z, y, x at most once, slowest first"
        )
    if step is not None and not (isfinite(step) and step > 0):
        raise Invalid(f"--time-step {step:g} can't be", hint="seconds between time points, more than 0")
    if options.voxel_size_um and not all(isfinite(size) and size > 0 for size in options.voxel_size_um):
        raise Invalid(f"--voxel-size {options.voxel_size_um} can't be", hint="each length is more than 0")
    if unit and unit not in ("voxel", "voxels") and micrometres(unit) is None:
        raise Invalid(f"--unit {options.unit!r} is not known", hint="um, mm, nm or voxel")
    if options.orientation:
        try:
            check_orientation(options.orientation)
        except Invalid as error:
            raise Invalid(f"--orientation: {error.message}", hint=error.hint) from None


def check_request(request: Request) -> None:
    """As `check_options`, for all that is said of an ingest; the table of label names is read as well."""
    check_options(request.options)
    for flag, text in (*_texts(request.answers), ("name", request.name)):
        if text and not text.strip():
            raise Invalid(f"--{flag} is blank", hint=f"say something, or leave --{flag} out")
    if request.answers.species:
        species_of(request.answers.species)
    colours_of(request.color)
    if request.label_names is not None:
        try:
            read_label_names(request.label_names)
        except PulvinarError as error:
            raise type(error)(f"--label-names: {error.message}", hint=error.hint) from error


def colours_of(color: str) -> list[str]:
    """`--color` as one RRGGBB a channel, none where it isn't given; raises `Invalid` for what is no colour."""
    asked = [one.strip().removeprefix("#").upper() for one in color.split(",")] if color else []
    if not all(re.fullmatch("[0-9A-F]{6}", one) for one in asked):
        raise Invalid(
            f"--color {color!r} is no colour",
            hint="six digits of 0-9 and A-F, RRGGBB, as FF8000; one for each of several channels: 64FF64,FF64FF",
        )
    return asked


def _texts(answers: RecordAnswers) -> Iterator[tuple[str, str]]:
    for field in fields(answers):
        if field.name == "record":
            continue
        said = getattr(answers, field.name)
        for text in (said,) if isinstance(said, str) else said:
            yield _FLAGS.get(field.name, field.name), text
