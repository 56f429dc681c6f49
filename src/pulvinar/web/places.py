"""Places as addresses name them."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from fastapi import Query

from pulvinar.errors import Invalid

Place = Annotated[str, Query(max_length=100, description="Micrometres of the world: z,y,x.")]


def read_place(text: str) -> npt.NDArray[np.float64]:
    """The three numbers (z, y, x) of `text`. Raises `Invalid`."""
    try:
        place = np.array([float(part) for part in text.split(",")])
    except ValueError as error:
        raise Invalid(f"{text!r} is no place", hint="three numbers z,y,x in micrometres") from error
    if place.shape != (3,) or not np.isfinite(place).all():
        raise Invalid(f"{text!r} is no place", hint="three numbers z,y,x in micrometres")
    return place
