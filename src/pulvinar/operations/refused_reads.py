"""Requests for bytes of controlled data that were refused, told in the log beside those that were answered.

Whoever is refused may not learn whether there is something to be refused: so at the request all are counted alike, in
memory, and only when they are written down is it asked which of them were for controlled data.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import NamedTuple

from pulvinar.access.dataset_access import access_of
from pulvinar.access.refusals import Refusal, RefusalCounter
from pulvinar.catalogue.versions import datasets_of_digests
from pulvinar.model.access import Tier
from pulvinar.storage.database import Database

_MOST_KINDS = 5000
_LONGEST = 64
_AT_ONCE = 500


class RefusedRead(NamedTuple):
    """Who asked from which address for bytes of which version, by its digest."""

    actor_id: str
    digest: str
    address: str


class RefusedReads:
    """Counts refused requests of the chunk gateway, from any thread; `flush` hands those of controlled data on."""

    def __init__(self, database: Database, refusals: RefusalCounter) -> None:
        self._database = database
        self._refusals = refusals
        self._lock = Lock()
        self._counted: Counter[RefusedRead] = Counter()

    def add(self, actor_id: str, digest: str, address: str) -> None:
        """Count a refusal. Whoever asks for very many versions at a time fills no memory: the rest goes uncounted."""
        one = RefusedRead(actor_id, digest[:_LONGEST], address)
        with self._lock:
            if one in self._counted or len(self._counted) < _MOST_KINDS:
                self._counted[one] += 1

    def flush(self) -> None:
        """Hand on what was for controlled data. What can't be asked now stays counted."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            controlled = self._controlled(sorted({one.digest for one in counted}))
        except BaseException:
            with self._lock:
                self._counted.update(counted)
            raise
        for one, times in counted.items():
            if one.digest in controlled:
                what = "bytes of controlled data"
                told = Refusal(one.actor_id, what, "not_authenticated", one.address, controlled[one.digest])
                self._refusals.add(told, times)

    def _controlled(self, digests: list[str]) -> dict[str, str]:
        """The dataset of each digest that is of controlled data."""
        found: dict[str, str] = {}
        with self._database.session() as session:
            for first in range(0, len(digests), _AT_ONCE):
                found |= datasets_of_digests(session, digests[first : first + _AT_ONCE])
            controlled = {one for one in set(found.values()) if access_of(session, one).tier is Tier.CONTROLLED}
        return {digest: dataset_id for digest, dataset_id in found.items() if dataset_id in controlled}
