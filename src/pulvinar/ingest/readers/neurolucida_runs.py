"""The points of Neurolucida's text files, many at a time.

Nearly all of such a file are points that follow each other, `(x y z diameter)`. They are found and read by whole
arrays; what is left is short enough to be looked at word by word.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pulvinar.ingest.readers.text import Floats, many_numbers

MARK = "\x01"
"""What stands for a run of points in the text that is left."""
_NO_MARK = "\x02"
_BLOCK = 1 << 19
_SPACE, _NUMBER, _OPEN, _CLOSE, _OTHER = range(5)
_KIND = np.full(256, _OTHER, np.uint8)
_KIND[list(b" \t\n\r\f\v")] = _SPACE
_KIND[list(b"0123456789+-.eE")] = _NUMBER
_KIND[ord("(")], _KIND[ord(")")] = _OPEN, _CLOSE
_POINT = (_OPEN, _NUMBER, _NUMBER, _NUMBER, _NUMBER, _CLOSE)


@dataclass(frozen=True)
class Shortened:
    """A text without comments, in which each run of points (n, 4) is one `MARK`; `runs` has them by its position."""

    text: str
    runs: dict[int, Floats]
    _begins: list[int]
    _stood: list[int]

    def original(self, position: int) -> int:
        """Where in the whole text stood what stands at `position` here."""
        part = bisect_right(self._begins, position) - 1
        return self._stood[part] + position - self._begins[part]


def shorten(text: str) -> Shortened:
    """Take the comments and the runs of points out of a text."""
    text = _without_comments(text.replace(MARK, _NO_MARK) if MARK in text else text)
    parts: list[str] = []
    runs: dict[int, Floats] = {}
    begins, stood, length, done = [0], [0], 0, 0
    for start, end, points in _runs(text):
        parts += [text[done:start], MARK]
        length += start - done + 1
        done = end
        runs[length - 1] = points
        begins.append(length)
        stood.append(end)
    return Shortened("".join([*parts, text[done:]]), runs, begins, stood)


def _without_comments(text: str) -> str:
    """`text` with a space for each letter of a comment; what looks like one in a title is none."""
    parts, done, at = [], 0, text.find(";")
    quote = text.find('"')
    while at >= 0:
        if 0 <= quote < at:
            # a quotation mark that has no other is no title's
            end = text.find('"', quote + 1)
            if end > at:
                at = text.find(";", end)
            quote = text.find('"', end + 1) if end >= 0 else -1
            continue
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        parts += [text[done:at], " " * (end - at)]
        done, at = end, text.find(";", end)
        quote = text.find('"', end) if 0 <= quote < end else quote
    return "".join([*parts, text[done:]]) if parts else text


def _runs(text: str) -> Iterator[tuple[int, int, Floats]]:
    """Points with nothing but space between them: from where to where, and their numbers."""
    data = np.frombuffer(text.encode("latin-1", "replace"), np.uint8)
    first = 0
    while first < len(data):
        # a block ends behind a point, or where it may
        last = text.rfind(")", first, first + _BLOCK) + 1 or first + _BLOCK
        for start, end, points in _runs_of(data[first:last]):
            yield first + start, first + end, points
        first = last


def _runs_of(block: npt.NDArray[np.uint8]) -> Iterator[tuple[int, int, Floats]]:
    kinds = _KIND[block]
    in_word = np.concatenate([[False], kinds == _NUMBER, [False]])
    begins, ends = in_word[1:] & ~in_word[:-1], in_word[:-1] & ~in_word[1:]
    places = np.flatnonzero(begins[:-1] | (kinds > _NUMBER))
    said = kinds[places]
    count = max(len(said) - len(_POINT) + 1, 0)
    fits = np.ones(count, bool)
    for at, kind in enumerate(_POINT):
        fits &= said[at : at + count] == kind
    points = np.flatnonzero(fits)
    if not len(points):
        return
    is_word = said == _NUMBER
    word = (np.cumsum(is_word) - 1)[points[:, None] + np.arange(1, 5)].ravel()
    lengths = np.flatnonzero(ends) - np.flatnonzero(begins)
    wanted = np.zeros(len(lengths), bool)
    wanted[word] = True
    numbers = many_numbers(block[kinds == _NUMBER][np.repeat(wanted, lengths)], lengths[wanted])
    if numbers is None:
        # something in it is no number; a slower look tells what
        return
    edges = np.flatnonzero(np.diff(points) != len(_POINT)) + 1
    for of_run, values in zip(np.split(points, edges), np.split(numbers.reshape(-1, 4), edges), strict=True):
        yield int(places[of_run[0]]), int(places[of_run[-1] + len(_POINT) - 1]) + 1, values
