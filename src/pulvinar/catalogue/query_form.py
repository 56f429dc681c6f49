"""A question as fields of a form, and back: who doesn't know the language of searches fills in, and reads what it says.

What a form has no field for stays among its words as it was written, so that nothing of a question is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

from pulvinar.catalogue.query import parse, written
from pulvinar.catalogue.query_fields import Field, plain_number
from pulvinar.catalogue.query_nodes import And, InBox, Near, Query, Said, all_of
from pulvinar.model.volume import Triple

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_QUOTES = str.maketrans(dict.fromkeys('"“”', " "))
_SAID = {one: one.value for one in (Field.SPECIES, Field.KIND, Field.REGION, Field.SOMA, Field.END)}


@dataclass(frozen=True)
class QuestionForm:
    """What the fields of the form hold, each as somebody wrote it.

    `near` is a region, or three coordinates as `box_from` and `box_to` are: x, y, z in micrometres of `space`.
    """

    words: str = ""
    species: str = ""
    kind: str = ""
    region: str = ""
    soma: str = ""
    end: str = ""
    radius_um: str = ""
    near: str = ""
    box_from: str = ""
    box_to: str = ""
    space: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing but words is asked for."""
        return not any(getattr(self, one.name) for one in fields(self) if one.name != "words")


def question_of(form: QuestionForm) -> str:
    """The text of the question that a form asks. What is no number is left for the parser to point at."""
    return " ".join(_parts(form))


def _parts(form: QuestionForm) -> Iterator[str]:
    if form.words.strip():
        yield form.words.strip()
    for name in _SAID.values():
        said = getattr(form, name).translate(_QUOTES).strip()
        if said:
            yield f"{name}:{said}" if said.isascii() and said.isidentifier() else f'{name}:"{said}"'
    near = form.near.translate(_QUOTES).strip()
    if near:
        at = _point(near)
        yield f"within:{form.radius_um.strip() or '300'}um of:" + (f"{at}@{form.space}" if at else f'"{near}"')
    if form.box_from.strip() or form.box_to.strip():
        start, stop = (_point(one) or f"({one.strip()})" for one in (form.box_from, form.box_to))
        yield f"box:{start}..{stop}@{form.space}"


def _point(said: str) -> str:
    """Three numbers as the language writes a point; nothing for anything else."""
    numbers = _NUMBER.findall(said)
    left = _NUMBER.sub("", said)
    return f"({','.join(numbers)})" if len(numbers) == 3 and not left.strip("()（）,，;； \t") else ""


def form_of(query: str) -> QuestionForm:
    """The form that asks the same. Raises `QueryError`."""
    values: dict[str, str] = {}
    rest = []
    for part in _conjunction(parse(query)):
        told = _fields_of(part)
        # a second region, or a place in another space, has no field of its own
        again = told.keys() & values.keys() - {"space"}
        taken = again or told.get("space", "") != values.get("space", told.get("space", ""))
        if told and not taken:
            values |= told
        else:
            rest.append(written(part))
    return QuestionForm(words=" ".join(rest), **values)


def _fields_of(part: Query) -> dict[str, str]:
    """What a part of a question puts into the form; nothing where it has no field for it."""
    if isinstance(part, Said) and part.field in _SAID:
        return {part.field.value: part.value}
    if isinstance(part, InBox):
        return {"box_from": _said(part.start_um), "box_to": _said(part.stop_um), "space": part.space}
    if isinstance(part, Near):
        radius = plain_number(part.radius_um)
        if part.point_um is None:
            return {"near": part.region, "radius_um": radius}
        return {"near": _said(part.point_um), "radius_um": radius, "space": part.space}
    return {}


def _said(zyx_um: Triple) -> str:
    return ", ".join(map(plain_number, reversed(zyx_um)))


def _conjunction(query: Query) -> tuple[Query, ...]:
    return query.parts if isinstance(query, And) else (query,)


@dataclass(frozen=True)
class Chip:
    """One part of a question as it is written, and the question without it."""

    text: str
    without: str


def chips_of(query: str) -> tuple[Chip, ...]:
    """The parts that must all hold, each of which can be taken away. Raises `QueryError`."""
    parts = _conjunction(parse(query))
    return tuple(Chip(written(part), written(all_of(parts[:at] + parts[at + 1 :]))) for at, part in enumerate(parts))
