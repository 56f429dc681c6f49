"""The platform's own words of an asset in the search: what it is, where it lies, how fine and how old it is.

A token begins with "__" and a letter, after the sign of who may find it as any other word. A day or a resolution is
written as the numbers that it begins with, in base 4, so that any span of days or lengths is a few dozen tokens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache

from pulvinar.catalogue.words import Run, words_of
from pulvinar.model.dataset import AssetKind
from pulvinar.model.terms import folded

ALL = "__all"
"""What every row has, so that a search that only takes away has something to take it from."""
ROLES = {"soma": "s", "end": "e"}
"""The letter of a role of an anchor that can be asked for; every role counts as "r" too."""
_DIGITS = {"d": 11, "z": 15}
_BITS = 2


def said_token(letter: str, value: str) -> str:
    """What a field says, by the letter of the field; whatever its case, accents and blanks."""
    plain = folded(value)
    # a sign that the tokeniser of a database would take for an end of a word
    safe = plain if plain.isascii() and plain.isalnum() else hashlib.sha256(plain.encode()).hexdigest()[:24]
    return f"__{letter}{safe[:64]}"


def species_token(value: str) -> str:
    """Of this species."""
    return said_token("y", value)


def modality_token(value: str) -> str:
    """Recorded so: the key of a term, or what was said."""
    return said_token("m", value)


def stain_token(value: str) -> str:
    """With this stain: the key of a term, or what was said."""
    return said_token("n", value)


def licence_token(value: str) -> str:
    """Under this licence: the key of a term, or what was said."""
    return said_token("l", value)


def kind_token(kind: AssetKind | str) -> str:
    """Of this kind."""
    return said_token("k", kind)


def has_token(kind: AssetKind | str) -> str:
    """In a dataset that has something of this kind."""
    return said_token("h", kind)


def region_token(letter: str, atlas: str, region_id: int) -> str:
    """In a region or below it: "r" in any way, "s" with the soma, "e" with an end, "q" in the region itself."""
    return f"__{letter}{_short(atlas)}_{region_id}"


@cache
def _short(atlas: str) -> str:
    """A name as a few signs: there are a hundred such words in a row."""
    return hashlib.sha256(atlas.encode()).hexdigest()[:6]


def marked(letter: str, run: Run) -> Run:
    """The words of a run as those of one field: "t" of a title, "b" of a lab."""
    return tuple(f"__{letter}_{word}" for word in run)


def title_token(title: str) -> str:
    """Called exactly so, whatever its case and signs."""
    whole = " ".join(word for run in words_of(title) for word in run)
    return f"__x{hashlib.sha256(whole.encode()).hexdigest()[:24]}"


def day_number(day: date) -> int:
    """A day as a number below 4 ** 11."""
    return day.toordinal()


def resolution_number(length_um: float) -> int:
    """A length to the nanometre, below 4 ** 15."""
    return min(max(round(length_um * 1000), 0), 4**15 - 1)


def number_tokens(letter: str, value: int) -> Iterator[str]:
    """The tokens of a number: itself, and what it begins with, shorter and shorter ("d" a day, "z" a resolution)."""
    for shift in range(_DIGITS[letter]):
        yield f"__{letter}{shift}_{value >> (_BITS * shift)}"


def span_tokens(letter: str, least: int, below: int) -> list[str]:
    """The fewest tokens of which a number has one when it is from `least` up to and without `below`."""
    found: list[str] = []
    shift = 0
    least, below = max(least, 0), min(below, 1 << (_BITS * _DIGITS[letter]))
    while least < below and shift < _DIGITS[letter]:
        step = 1 << _BITS
        while least < below and (least % step or shift == _DIGITS[letter] - 1):
            found.append(f"__{letter}{shift}_{least}")
            least += 1
        while least < below and below % step:
            below -= 1
            found.append(f"__{letter}{shift}_{below}")
        least, below, shift = least >> _BITS, below >> _BITS, shift + 1
    return found


def flat(runs: Iterable[Run]) -> list[str]:
    """The words of runs, one after the other."""
    return [word for run in runs for word in run]
