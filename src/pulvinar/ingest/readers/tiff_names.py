"""Which files are the planes of one volume, told by their names and sizes.

Names are compared with their numbers taken out; what is left must be equal. A number that varies is an axis: the word
before it may say which ("_ch1", "_z0012", "_t003"), else it counts planes. Folders whose names differ by one such
number ("ch0/", "ch1/") are joined in the same way.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import NamedTuple

from pulvinar.errors import Invalid, UnreadableFile

OUTER = "tcz"
_WORDS = {
    **dict.fromkeys(("t", "tp", "time", "timepoint", "frame"), "t"),
    **dict.fromkeys(("c", "ch", "chan", "channel"), "c"),
    **dict.fromkeys(("z", "slice", "plane", "section"), "z"),
}
_WAVES = ("ex", "em", "exc", "excitation", "emission", "wavelength", "wave", "lambda", "λ", "laser", "nm")
"""Words of light, before a number or behind it: "Ex_488", "561nm"."""
_MOST_CHANNELS = 8
_MOST_CHANNEL_DIGITS = 2
"""A number after "ch" that takes more values, or has more digits ("ch0001"), counts planes."""
_NAMED = 5


@dataclass(frozen=True)
class Member:
    """One file: how many planes it holds along (t, c, z), and what must be equal for two files to lie in one volume."""

    name: str
    outer: tuple[int, int, int]
    likeness: Hashable
    says: str


@dataclass(frozen=True)
class Stack:
    """Files that make one volume: `names` in the order (t, c, z), of which `shape` counts the files along each."""

    title: str
    shape: tuple[int, int, int]
    names: tuple[str, ...]
    doubts: tuple[str, ...] = ()


class _Split(NamedTuple):
    """A name, taken apart: texts around the numbers, and the numbers."""

    texts: tuple[str, ...]
    digits: tuple[str, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """What the digits say."""
        return tuple(map(int, self.digits))


def group(members: Sequence[Member], axes: str = "") -> list[Stack]:
    """Every member in exactly one stack, in the order of their first names.

    `axes` is a person's word for the axes that the names count and those of the files, slowest first ("czyx"). Raises
    `UnreadableFile` when a plane of a clear series is missing or unlike the others, `Invalid` when `axes` can't be.
    """
    stacks: list[tuple[Stack, Member]] = []
    for bucket in _alike(members):
        by_name = {member.name: member for member in bucket}
        stacks += [(stack, by_name[stack.names[0]]) for stack in _stacks_of(bucket, axes)]
    return sorted(_join_folders(stacks), key=lambda stack: natural(stack.names[0]))


def natural(name: str) -> tuple[tuple[str, int], ...]:
    """A sorting key that counts: "plane 9" before "plane 10"."""
    split = _split(name)
    return tuple(zip(split.texts, (*split.numbers, -1), strict=True))


def stray(stacks: Iterable[Stack], others: Iterable[str]) -> str | None:
    """The first of `others`, files that are no members, that is a plane of a series by its name; None when none is."""
    series = {key for stack in stacks if len(stack.names) > 1 for key in map(_series_of, stack.names)}
    return next((name for name in others if _series_of(name) in series), None)


def _series_of(name: str) -> Hashable:
    folder, _, file = name.rpartition("/")
    return folder, _split(file).texts


def _split(name: str) -> _Split:
    parts = re.split(r"(\d+)", name)
    return _Split(tuple(parts[::2]), tuple(parts[1::2]))


def _place(name: str) -> tuple[str, str]:
    """Folder and stem."""
    folder, _, file = name.rpartition("/")
    return folder, file.rsplit(".", 1)[0].removesuffix(".ome")


def _alike(members: Sequence[Member]) -> Iterable[list[Member]]:
    """Members that could be one series: the same folder, the same texts, alike. One odd plane in a series is an error,
    for it is a damaged plane far more often than a picture of its own."""
    series: dict[Hashable, list[Member]] = defaultdict(list)
    for member in members:
        folder, stem = _place(member.name)
        series[folder, _split(stem).texts, member.outer == (1, 1, 1)].append(member)
    for found in series.values():
        kinds = Counter(member.likeness for member in found)
        usual, count = kinds.most_common(1)[0]
        odd = next((member for member in found if member.likeness != usual), None)
        if odd is not None and count > 2 and count >= 0.9 * len(found):
            like = next(member for member in found if member.likeness == usual)
            raise UnreadableFile(
                f"{odd.name} has {odd.says}, the other {count} planes of its series {like.says}",
                hint="copy it again, or take it out of the folder",
            )
        for likeness in kinds:
            yield [member for member in found if member.likeness == likeness]


def _stacks_of(bucket: list[Member], axes: str) -> list[Stack]:
    ordered = sorted(bucket, key=lambda member: natural(member.name))
    if len(ordered) == 1:
        return [_single(ordered[0])]
    splits = [_split(_place(member.name)[1]) for member in ordered]
    hints = {k: _axis_of(k, splits) for k in range(len(splits[0].digits))}
    columns = _independent([split.numbers for split in splits], hints)
    values = [tuple(split.numbers[k] for k in columns) for split in splits]
    # "1" and "01" are one number: then nothing tells the files apart
    if len(set(values)) < len(values):
        return [_single(member) for member in ordered]
    title = _title(ordered[0].name, columns[0])
    letters = _letters([hints[k] for k in columns], values, ordered[0].outer, axes)
    if letters is not None:
        return [_grid(title, [member.name for member in ordered], values, letters)]
    if ordered[0].outer != (1, 1, 1):
        return [_single(member) for member in ordered]
    doubt = f"the {len(columns)} numbers in the names of its planes are no grid: taken as planes in the order of names"
    names = tuple(member.name for member in ordered)
    return [Stack(title, (1, 1, len(names)), names, (doubt,) if len(columns) > 1 else ())]


def _independent(rows: Sequence[tuple[int, ...]], hints: Mapping[int, str | None]) -> list[int]:
    """The numbers that vary; of those that say the same in another way ("Ex_488_Em_525", "Ex_561_Em_620") one."""
    columns = list(zip(*rows, strict=True))
    varying = [k for k, column in enumerate(columns) if len(set(column)) > 1]
    kept: list[int] = []
    # a number whose word names an axis stands for one whose word names none
    for k in sorted(varying, key=lambda k: hints[k] is None):
        pairs = (len(set(zip(columns[k], columns[other], strict=True))) for other in kept)
        sizes = (len(set(columns[other])) for other in kept)
        if not any(pair == size == len(set(columns[k])) for pair, size in zip(pairs, sizes, strict=True)):
            kept.append(k)
    return sorted(kept)


def _single(member: Member) -> Stack:
    return Stack(_place(member.name)[1], (1, 1, 1), (member.name,))


def _title(name: str, column: int) -> str:
    """What the series is called: the text before the number that counts, else the folder."""
    folder, stem = _place(name)
    parts = re.split(r"(\d+)", stem)
    text = "".join(parts[: 2 * column + 1])
    words = re.sub(r"(?:^|[_\-. ]+)(?:" + "|".join((*_WORDS, *_WAVES)) + r")?[_\-. =]*$", "", text, flags=re.IGNORECASE)
    return words or folder.rpartition("/")[2] or "stack"


def _word_before(text: str) -> str:
    word = re.search(r"(?:^|[^A-Za-z]|(?<=[a-z])(?=[A-Z]))([A-Za-z]+|λ)[_\-. =]*$", text)
    return word.group(1).lower() if word else ""


def _axis_of(column: int, splits: list[_Split]) -> str | None:
    """The axis that a number counts, by the word beside it; many numbers after "ch" or "Ex" are no channels."""
    before, behind = splits[0].texts[column : column + 2]
    word = _word_before(before)
    digits = {split.digits[column] for split in splits}
    few = len(digits) <= _MOST_CHANNELS
    if word in _WAVES or re.match(r" ?nm(?![A-Za-z])", behind):
        return "c" if few else None
    hint = _WORDS.get(word)
    return None if hint == "c" and not (few and max(map(len, digits)) <= _MOST_CHANNEL_DIGITS) else hint


def _letters(
    hints: list[str | None], values: list[tuple[int, ...]], outer: tuple[int, int, int], axes: str
) -> str | None:
    """One of "tcz" for each varying number, or None when they can't be told."""
    free = [letter for letter, size in zip(OUTER, outer, strict=True) if size == 1]
    if axes:
        chosen = axes[: len(hints)]
        rest = 2 + sum(size > 1 for size in outer)
        if len(axes) == len(hints) + rest:
            if not set(chosen) <= set(free):
                raise Invalid(
                    f"--axes {axes} names the axes {', '.join(chosen)} by the files' names, but {', '.join(free)} are"
                    " free",
                    hint="name t, c or z for each number that varies in the names, and then the files' own axes",
                )
            return chosen if prod(len({v[k] for v in values}) for k in range(len(hints))) == len(values) else None
    counts = [len({value[k] for value in values}) for k in range(len(hints))]
    if None in hints and outer == (1, 1, 1):
        spare = next((letter for letter in "zt" if letter not in hints), None)
        hints = [spare if hint is None else hint for hint in hints]
    if None in hints or len(set(hints)) < len(hints) or not set(hints) <= set(free):
        return None
    letters = "".join(hint for hint in hints if hint)
    missing = prod(counts) - len(values)
    if not missing:
        return letters
    if missing > 0.1 * prod(counts):
        return None
    ranges = [sorted({value[k] for value in values}) for k in range(len(hints))]
    first = next(place for place in product(*ranges) if place not in set(values))
    where = ", ".join(f"{letter} = {number}" for letter, number in zip(letters, first, strict=True))
    raise UnreadableFile(
        f"{missing} of {prod(counts)} planes are missing, the first at {where}",
        hint="add them, or give --axes zyx to take all files as planes in the order of their names",
    )


def _grid(title: str, names: list[str], values: list[tuple[int, ...]], letters: str) -> Stack:
    axes = {letter: sorted({value[k] for value in values}) for k, letter in enumerate(letters)}
    by_place = {
        tuple(value[letters.index(x)] for x in OUTER if x in letters): n for value, n in zip(values, names, strict=True)
    }
    places = product(*(axes[letter] for letter in OUTER if letter in letters))
    t, c, z = (len(axes.get(letter, (0,))) for letter in OUTER)
    doubts = [gap for letter in "tz" if letter in axes and (gap := _gaps(letter, axes[letter]))]
    return Stack(title, (t, c, z), tuple(by_place[place] for place in places), tuple(doubts))


def _gaps(letter: str, numbers: list[int]) -> str:
    """What is missing of a regular count, in words."""
    if len(numbers) < 3:
        return ""
    steps = Counter(b - a for a, b in pairwise(numbers))
    step = steps.most_common(1)[0][0]
    missing = [n for a, b in pairwise(numbers) for n in range(a + step, b, step)]
    if not missing:
        return ""
    named = ", ".join(map(str, missing[:_NAMED])) + (", …" if len(missing) > _NAMED else "")
    what = "planes" if letter == "z" else "time points"
    return f"{len(missing)} {what} are missing ({named}): those beside them are stored as neighbours"


def _join_folders(stacks: list[tuple[Stack, Member]]) -> Iterable[Stack]:
    """Stacks of folders that differ by one number whose word names a channel or a time, joined where all are alike."""
    by_text: dict[Hashable, list[tuple[Stack, _Split, Member]]] = defaultdict(list)
    for stack, member in stacks:
        folder = _place(member.name)[0]
        split = _split(folder)
        key = (split.texts, member.likeness, stack.shape) if len(stack.names) > 1 else stack.names
        by_text[key].append((stack, split, member))
    for found in by_text.values():
        yield from _joined(found)


def _joined(found: list[tuple[Stack, _Split, Member]]) -> Iterable[Stack]:
    first, _, member = found[0]
    numbers = [other.numbers for _, other, _ in found]
    varying = [k for k, values in enumerate(zip(*numbers, strict=True)) if len(set(values)) > 1]
    distinct = len(varying) == 1 and len(set(numbers)) == len(numbers)
    letter = _axis_of(varying[0], [other for _, other, _ in found]) if distinct else None
    axis = OUTER.index(letter) if letter in ("t", "c") else -1
    if axis < 0 or first.shape[axis] > 1 or member.outer[axis] > 1:
        yield from (stack for stack, _, _ in found)
        return
    found.sort(key=lambda one: one[1].numbers)
    t, c, z = first.shape
    count = len(found)
    if axis == 0:
        names = [name for stack, _, _ in found for name in stack.names]
    else:
        names = [name for time in range(t) for stack, _, _ in found for name in stack.names[time * z : (time + 1) * z]]
    shape = (count, c, z) if axis == 0 else (t, count, z)
    doubts = tuple(dict.fromkeys(doubt for stack, _, _ in found for doubt in stack.doubts))
    yield Stack(_title(_place(member.name)[0] + ".", varying[0]), shape, tuple(names), doubts)
