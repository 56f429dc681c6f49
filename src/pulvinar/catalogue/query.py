"""One language of questions: the same in the box of a page, in the API and in Python.

    pyramidal "apical dendrite" -virus species:mouse region:CA1 OR region:CA3 resolution:<2um
    物种：小鼠 脑区：海马 模态：光片

Words must all be found, in any order; `OR` (或) stands between two things of which one is enough and binds closer than
words beside each other; `-` takes away; quotes hold a phrase; parentheses group. A field is `name:value`, the value in
quotes where it has blanks. Full-width signs are as good as narrow ones.

A place is `within:300um of:(x,y,z)@space`: micrometres, or millimetres as `(x,y,z)mm@space`, in the order x, y, z in
which the viewer shows them, which is the reverse of the order (z, y, x) inside. `within:300um of:"region"` is what
lies so near to a region, or in it. `box:(x,y,z)..(x,y,z)@space` is what lies between two opposite corners of a box.
A neuron lies where a node of it does, a table of points where one of them does, and what has no places of its own, as a
volume, wherever its box is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from pulvinar.catalogue.query_fields import (
    NAMES,
    VOCABULARIES,
    Field,
    days_of,
    field_named,
    kind_said,
    length_um,
    length_written,
    plain_number,
    term_said,
    yes_said,
)
from pulvinar.catalogue.query_nodes import (
    And,
    Dated,
    InBox,
    Leaf,
    Near,
    Not,
    Or,
    Query,
    QueryError,
    Resolution,
    Said,
    Words,
    all_of,
    any_of,
    leaves,
    negated,
)
from pulvinar.errors import PulvinarError
from pulvinar.model.terms import recognise

T = TypeVar("T")
LONGEST = 1000
MOST_PARTS = 40
_DEEPEST = 12


# One sign for one: places in what was written stay what they are.
_NARROW = str.maketrans("：（）＂“”「」『』＜＞－＠．＝，\u3000", ":()" + '"' * 7 + "<>-@.=, ")
_BLANKS = re.compile(r"[\s,、；。;]*")
_QUOTED = re.compile(r'"([^"]*)"')
_BARE = re.compile(r'[^\s()",、；。;][^\s()",、；。]*')
_FIELD = re.compile(r'([^\s():",、；。<>=-][^\s():",、；。<>=]*):')
_NUMBER = r"([+-]?\d{1,10}(?:\.\d{0,40})?)"
_CORNER = rf"\(\s*{_NUMBER}[,\s]\s*{_NUMBER}[,\s]\s*{_NUMBER}\s*\)"
_OF_SPACE = r'\s*(um|µm|μm|微米|mm|毫米)?\s*@\s*([^\s()",、；。]+)'
_POINT = re.compile(_CORNER + _OF_SPACE)
_BOX = re.compile(rf"{_CORNER}\s*\.\.\s*{_CORNER}{_OF_SPACE}")
_SIGNS = re.compile(r"<=|>=|≤|≥|<|>|=")
_OR, _AND, _NOT = {"OR", "或", "|"}, {"AND", "且", "&"}, {"NOT", "非"}


def parse(written: str) -> Query:
    """What `written` asks for. Raises `QueryError` (an `Invalid`) that points at the character where it goes wrong."""
    if len(written) > LONGEST:
        hint = f"use at most {LONGEST:,} characters"
        raise QueryError(f"the search has {len(written):,} characters", hint=hint, query=written[:LONGEST], at=LONGEST)
    return _Parser(written).whole()


class _Parser:
    """Reads from left to right; `_at` is the next character."""

    def __init__(self, written: str) -> None:
        self._written = written
        self._text = written.translate(_NARROW)
        self._at = 0
        self._depth = 0

    def whole(self) -> Query:
        """All of it."""
        found = self._all()
        asked = leaves(found)
        if len(asked) > MOST_PARTS:
            hint = f"use at most {MOST_PARTS}"
            raise self._error(f"the search has {len(asked)} parts", hint, asked[MOST_PARTS].at)
        return found

    def _all(self, closed_by: str = "") -> Query:
        parts: list[Query] = []
        opened = self._at - 1
        while True:
            self._blanks()
            if self._at == len(self._text):
                if closed_by:
                    raise self._error("this parenthesis is never closed", "add )", opened)
                return all_of(parts)
            if self._text[self._at] == ")":
                if not closed_by:
                    raise self._error("this parenthesis closes nothing", "take it out, or open one before")
                self._at += 1
                return all_of(parts)
            if not self._taken(_AND):
                parts.append(self._any())

    def _any(self) -> Query:
        start = self._at
        if self._taken(_OR):
            raise self._error("OR stands between two things", "write one before it, or quote it", start)
        parts = [self._one()]
        while True:
            self._blanks()
            start = self._at
            if not self._taken(_OR):
                return any_of(parts)
            self._blanks()
            if self._at == len(self._text) or self._text[self._at] == ")" or self._sees(_OR | _AND):
                raise self._error("OR stands between two things", "write one after it, or quote it", start)
            parts.append(self._one())

    def _one(self) -> Query:
        start = self._at
        if self._taken(_NOT) or self._minus():
            self._blanks()
            if self._at == len(self._text) or self._text[self._at] == ")" or self._sees(_OR | _AND):
                raise self._error("there is nothing here to take away", "write it after the sign, or quote it", start)
            return negated(self._deeper(self._one))
        if self._text[self._at] == "(":
            self._at += 1
            found = self._deeper(lambda: self._all(closed_by=")"))
            if found == And():
                raise self._error("there is nothing in these parentheses", "write something, or take them out", start)
            return found
        named = _FIELD.match(self._text, self._at)
        if named:
            return self._field(named)
        text, quoted = self._value("")
        return Words(text, phrase=quoted, at=start)

    def _deeper(self, read: Callable[[], Query]) -> Query:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error("the search is nested too deeply", f"use at most {_DEEPEST} levels")
        found = read()
        self._depth -= 1
        return found

    def _minus(self) -> bool:
        """Whether a minus takes away what follows it at once; one that stands alone is a word."""
        after = self._text[self._at + 1 : self._at + 2]
        if self._text[self._at] != "-" or not after or after == ")" or _BLANKS.fullmatch(after):
            return False
        self._at += 1
        return True

    def _field(self, named: re.Match[str]) -> Query:
        start = self._at
        asked = self._checked(lambda: field_named(named[1]), start)
        self._at = named.end()
        self._blanks()
        value_at = self._at
        if asked is Field.WITHIN:
            return self._near(start)
        if asked is Field.BOX:
            return self._box(start)
        if asked is Field.OF:
            raise self._error(
                "of: needs a distance before it", "for example within:300um of:(1,2,3)@allen_ccfv3", start
            )
        said, quoted = self._value(asked.value)
        return self._checked(lambda: _field_said(asked, said, quoted, start), value_at)

    def _near(self, start: int) -> Near:
        value_at = self._at
        said, _ = self._value("within")
        radius = self._checked(lambda: length_um(said), value_at)
        self._blanks()
        named = _FIELD.match(self._text, self._at)
        if named is None or named[1].casefold() not in NAMES[Field.OF]:
            hint = f"for example within:{said} of:(1,2,3)@allen_ccfv3 or within:{said} of:hippocampus"
            raise self._error("within: needs a place after it", hint)
        self._at = named.end()
        self._blanks()
        if self._text[self._at : self._at + 1] != "(":
            region, _ = self._value("of")
            return Near(radius, region=region, at=start)
        place = _POINT.match(self._text, self._at)
        if place is None:
            raise self._error("this is not a point", "three numbers and a space: (5300, 2100, 6400)@allen_ccfv3")
        self._at = place.end()
        return Near(radius, _zyx_um(place.groups()[:3], place[4]), place[5], at=start)

    def _box(self, start: int) -> InBox:
        place = _BOX.match(self._text, self._at)
        if place is None:
            raise self._error(
                "this is not a box", "two corners and a space: (5000,2000,6000)..(6000,3000,7000)@allen_ccfv3"
            )
        one, other = (_zyx_um(corner, place[7]) for corner in (place.groups()[:3], place.groups()[3:6]))
        if any(a == b for a, b in zip(one, other, strict=True)):
            raise self._error("this box is empty", "give two opposite corners, which differ along every axis")
        self._at = place.end()
        first, last = (tuple(map(choose, one, other)) for choose in (min, max))
        return InBox(first, last, place[8], at=start)  # type: ignore[arg-type]

    def _value(self, of: str) -> tuple[str, bool]:
        """The text from here, and whether it is quoted."""
        start = self._at
        found = _QUOTED.match(self._text, start)
        if found:
            self._at = found.end()
            said = self._written[start + 1 : self._at - 1].strip()
            if of and not said:
                raise self._error(f"{of}: says nothing", "write a value after the colon", start)
            return said, True
        if self._text[start : start + 1] == '"':
            raise self._error("this quote is never closed", 'add "', start)
        found = _BARE.match(self._text, start)
        if found is None:
            raise self._error(f"{of}: says nothing", "write a value after the colon; in quotes if it has blanks", start)
        self._at = found.end()
        return self._written[start : self._at], False

    def _blanks(self) -> None:
        blanks = _BLANKS.match(self._text, self._at)
        self._at = blanks.end() if blanks else self._at

    def _sees(self, words: set[str]) -> bool:
        found = _BARE.match(self._text, self._at)
        return found is not None and found[0] in words

    def _taken(self, words: set[str]) -> bool:
        found = _BARE.match(self._text, self._at)
        if found is None or found[0] not in words:
            return False
        self._at = found.end()
        return True

    def _error(self, message: str, hint: str, at: int | None = None) -> QueryError:
        return QueryError(message, hint=hint, query=self._written, at=self._at if at is None else at)

    def _checked(self, read: Callable[[], T], at: int) -> T:
        try:
            return read()
        except PulvinarError as error:
            raise self._error(error.message, error.hint, at) from error


def _zyx_um(xyz: Sequence[str], unit: str | None) -> tuple[float, float, float]:
    scale = 1000.0 if unit in ("mm", "毫米") else 1.0
    x, y, z = (round(float(number) * scale, 6) for number in xyz)
    return z, y, x


def _field_said(asked: Field, said: str, quoted: bool, at: int) -> Query:
    if asked is Field.RESOLUTION:
        return _resolution(said, at)
    if asked is Field.DATE:
        return _dated(said, at)
    if asked in VOCABULARIES:
        return Said(asked, term_said(asked, said, quoted=quoted), at)
    if asked in (Field.KIND, Field.HAS):
        return Said(asked, kind_said(said).value, at)
    if asked is Field.HOMOLOGUES:
        return Said(asked, "yes" if yes_said(said) else "no", at)
    return Said(asked, said, at)


def _signed(said: str) -> tuple[str, str]:
    """The sign before a value, and the value: "" for none."""
    said = said.translate(_NARROW)
    found = _SIGNS.match(said)
    sign = {"≤": "<=", "≥": ">=", "=": ""}.get(found[0], found[0]) if found else ""
    return sign, said[found.end() :] if found else said


def _resolution(said: str, at: int) -> Query:
    """A length alone stands for what is within a twentieth of it."""
    least, between, most = said.partition("..")
    if between:
        return all_of([Resolution(">=", length_um(least), at), Resolution("<=", length_um(most), at)])
    sign, said = _signed(said)
    length = length_um(said)
    if sign:
        return Resolution(sign, length, at)
    return all_of([Resolution(">=", length * 0.95, at), Resolution("<=", length * 1.05, at)])


def _dated(said: str, at: int) -> Query:
    first_said, between, last_said = said.partition("..")
    if between:
        return all_of([Dated(">=", days_of(first_said)[0], at), Dated("<", days_of(last_said)[1], at)])
    sign, said = _signed(said)
    first, after = days_of(said)
    if not sign:
        return all_of([Dated(">=", first, at), Dated("<", after, at)])
    return Dated("<" if sign.startswith("<") else ">=", first if sign in ("<", ">=") else after, at)


def written(query: Query) -> str:
    """`query` in the language: `parse` reads the same from it."""
    if isinstance(query, And):
        return " ".join(written(part) for part in query.parts)
    if isinstance(query, Or):
        return " OR ".join(_grouped(part) if isinstance(part, And) else written(part) for part in query.parts)
    if isinstance(query, Not):
        return f"-{_grouped(query.part) if isinstance(query.part, And | Or) else written(query.part)}"
    return _leaf_written(query)


def _grouped(query: Query) -> str:
    return f"({written(query)})"


def _leaf_written(leaf: Leaf) -> str:
    if isinstance(leaf, Words):
        return f'"{leaf.text}"' if leaf.phrase else leaf.text
    if isinstance(leaf, Said):
        return f"{leaf.field}:{_value_written(leaf.field, leaf.value)}"
    if isinstance(leaf, Resolution):
        return f"resolution:{leaf.sign}{length_written(leaf.value_um)}"
    if isinstance(leaf, Dated):
        return f"date:{leaf.sign}{leaf.day.isoformat()}"
    if isinstance(leaf, InBox):
        return f"box:{_point_written(leaf.start_um)}..{_point_written(leaf.stop_um)}@{leaf.space}"
    within = f"within:{length_written(leaf.radius_um)}"
    if leaf.point_um is None:
        return f"{within} of:{_value_written(Field.OF, leaf.region)}"
    return f"{within} of:{_point_written(leaf.point_um)}@{leaf.space}"


def _point_written(zyx_um: tuple[float, float, float]) -> str:
    x, y, z = map(plain_number, reversed(zyx_um))
    return f"({x},{y},{z})"


def _value_written(of: Field, value: str) -> str:
    """What is no term must be in quotes, for without them it may count as a slip."""
    exact = of not in VOCABULARIES or recognise(VOCABULARIES[of], value)
    return value if exact and _BARE.fullmatch(value.translate(_NARROW)) else f'"{value}"'
