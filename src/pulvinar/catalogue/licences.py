"""What licences ask of whoever uses data of several: nothing of it may be lost."""

from __future__ import annotations

from collections.abc import Iterable

_CONDITIONS = ("BY", "SA", "NC", "ND")
_FREE = frozenset({"CC0-1.0", "PDDL-1.0", "Unlicense", "0BSD"})


def strictest(licences: Iterable[str]) -> str:
    """The licence of what is made from data under each of `licences`, as an SPDX expression.

    One whose conditions another has too is left out: of CC0-1.0, CC-BY-4.0 and CC-BY-NC-4.0 that is the last. What
    can't be compared holds side by side: "CC-BY-NC-4.0 AND CC-BY-SA-4.0". An unknown licence is never left out.
    """
    each = dict.fromkeys(part for one in licences for part in one.split(" AND "))
    conditions = {one: _conditions_of(one) for one in each}
    kept = [
        one
        for one, mine in conditions.items()
        if not any(mine < others for other, others in conditions.items() if other != one)
    ]
    return " AND ".join(sorted(kept))


def _conditions_of(licence: str) -> frozenset[str]:
    if licence in _FREE:
        return frozenset()
    if licence.startswith("CC-BY"):
        return frozenset(part for part in licence.split("-") if part in _CONDITIONS)
    return frozenset({"BY", licence})
