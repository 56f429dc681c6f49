"""What is found by words that only a draft has: by those who see that draft, and by nobody else.

A row of words says who was named to read its dataset. Whether these see the draft depends on more (a person's data in
quarantine, agreements), so that is asked of what only such words have found, before anything is counted or shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pulvinar.catalogue.wanted import All, Any, Term, Wanted, reaching_all
from pulvinar.catalogue.words import Reach, draft_word

Walk = Callable[[Wanted, int | None, int], list[int]]
"""Gives the newest so many rows below a number."""


def in_drafts(wanted: Wanted, audiences: Sequence[str], reaches: Sequence[Reach] = tuple(Reach)) -> Wanted:
    """The same among all words of datasets whose drafts some audiences may find."""
    return All((Any(tuple(Term((draft_word(one),)) for one in audiences)), reaching_all(wanted, reaches)))


def walk_with_drafts(
    plain: Wanted,
    of_drafts: Wanted,
    walk: Walk,
    among: Callable[[Wanted, Sequence[int]], list[int]],
    seen: Callable[[Sequence[int]], set[int]],
    below: int | None,
    limit: int,
) -> list[int]:
    """The newest `limit` rows that `plain` finds, or `of_drafts` where `seen` says that the draft is."""
    found: list[int] = []
    while len(found) < limit:
        some = walk(Any((plain, of_drafts)), below, limit)
        sure = set(among(plain, some)) if some else set()
        doubtful = [number for number in some if number not in sure]
        kept = sure | seen(doubtful) if doubtful else sure
        found += [number for number in some if number in kept]
        if len(some) < limit:
            break
        below = some[-1]
    return found[:limit]
