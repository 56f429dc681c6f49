"""A bounded memory of what was used last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values used last, up to a `budget` of their weights. For one thread."""

    def __init__(self, budget: int, weight: Callable[[V], int] = lambda value: 1) -> None:
        self._budget = budget
        self._weight = weight
        self._held = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value under `key`, now the one used last; None when it isn't held."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Hold `value`, and let go of the oldest while there is too much."""
        old = self._values.pop(key, None)
        self._held += self._weight(value) - (self._weight(old) if old is not None else 0)
        self._values[key] = value
        while self._held > self._budget and len(self._values) > 1:
            self._held -= self._weight(self._values.popitem(last=False)[1])

    def drop(self, key: K) -> None:
        """Let go of the value under `key`, where one is held."""
        old = self._values.pop(key, None)
        if old is not None:
            self._held -= self._weight(old)
