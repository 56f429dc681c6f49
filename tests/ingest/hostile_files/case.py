"""Broken and hostile files, each with what must come of it and a valid twin that must come in with the right values.

Every module of this folder is a family of formats. What it decorates with `hostile` joins the table by itself; a new
format is a new module. The suite takes each case through the command line's own code, `make bench NAME=hostile`
through the real command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tests.ingest.hostile_files.outcome import words_in

Maker = Callable[[Path], Path]
"""Makes files in an empty folder; gives the path that is handed in."""


@dataclass(frozen=True)
class Refused:
    """Nothing is brought in, and the error holds `because` and `names`: the name of what was handed in if empty."""

    because: str
    names: str = ""


@dataclass(frozen=True, eq=False)
class Ingested:
    """What is stored: for each asset its voxels (axes of one voxel left out), or columns of its table, by name.

    Each of `said` is part of what the findings say; none of `nowhere` is in any file of the home. `holds` of None
    stands for the values of the twin.
    """

    holds: Mapping[str, Any] | None = None
    said: tuple[str, ...] = ()
    nowhere: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Good:
    """A valid file, the flags that it needs, and what is stored of it."""

    name: str
    make: Maker
    holds: Mapping[str, Any]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Case:
    """One broken or hostile thing, what must come of it, and its valid twin."""

    name: str
    make: Maker
    outcome: Refused | Ingested
    twin: Good
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What an ingest came to: what it said, and what is stored of each asset by name; None where it was refused.

    `home` is the folder of the catalogue and the store.
    """

    words: str
    stored: Mapping[str, Any] | None
    home: Path
    findings: Sequence[str] = ()


_CASES: list[Case] = []


def hostile(
    name: str, outcome: Refused | Ingested, twin: Good, flags: tuple[str, ...] | None = None
) -> Callable[[Maker], Maker]:
    """Put what the decorated function makes into the table; its flags are the twin's where none are given."""

    def join(make: Maker) -> Maker:
        _CASES.append(Case(name, make, outcome, twin, twin.flags if flags is None else flags))
        return make

    return join


def every_case() -> list[Case]:
    """The whole table, with every module of this folder."""
    for module in sorted(Path(__file__).parent.glob("*.py")):
        import_module(f"{__name__.rpartition('.')[0]}.{module.stem}")
    return list(_CASES)


def every_twin() -> list[Good]:
    """Each valid file once."""
    return list(dict.fromkeys(case.twin for case in every_case()))


def wrongs(case: Case | Good, given: Path, result: Result) -> list[str]:
    """What of the result is not as the table has it; nothing when all is well."""
    outcome = case.outcome if isinstance(case, Case) else Ingested(case.holds)
    if isinstance(outcome, Refused):
        return _wrongs_of_refusal(outcome, given, result)
    if result.stored is None:
        return [f"it was refused: {result.words}"]
    expected = outcome.holds if outcome.holds is not None else case.twin.holds  # type: ignore[union-attr]
    found = []
    if set(result.stored) != set(expected):
        found.append(f"it brought in {sorted(result.stored)}, not {sorted(expected)}")
    for name in set(result.stored) & set(expected):
        found += [f"{name}: {wrong}" for wrong in _differences(result.stored[name], expected[name])]
    said = " | ".join(result.findings)
    found += [f"no finding says {words!r}: {said}" for words in outcome.said if words not in said]
    return found + [f"the home holds {word!r}" for word in words_in(result.home, outcome.nowhere)]


def _wrongs_of_refusal(outcome: Refused, given: Path, result: Result) -> list[str]:
    if result.stored is not None:
        return [f"it was not refused, but gave {sorted(result.stored)}"]
    wanted = {"the reason": outcome.because, "the file's name": outcome.names or given.name, "what to do": "hint: "}
    found = [
        f"{what} {part!r} is not said: {result.words}" for what, part in wanted.items() if part not in result.words
    ]
    return found + ["a traceback is shown"] * ("Traceback" in result.words)


def _differences(stored: Any, expected: Any) -> list[str]:
    if isinstance(expected, Mapping):
        wrong = [name for name in expected if name not in stored or not _same(stored[name], expected[name])]
        return [f"the columns {wrong} have other values"] if wrong else []
    return [] if _same(stored, expected) else ["its voxels have other values"]


def _same(stored: Any, expected: Any) -> bool:
    stored, expected = np.asarray(stored), np.asarray(expected)
    if stored.shape != expected.shape:
        return False
    if expected.dtype.kind == "f":
        return bool(np.allclose(stored, expected, rtol=1e-6, equal_nan=True))
    return bool((stored == expected).all())
