"""One lazy registry over entry points: names are listed without importing, objects load on first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from pulvinar.errors import Conflict, NotFound, Unavailable

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """The plugins of one extension point `pulvinar.<group>`, as a read-only mapping from name to object.

    Listing names imports nothing. A name claimed twice raises `Conflict` on first use of the registry; a plugin
    that fails to import raises `Unavailable` when asked for, and `working()` skips it and keeps the reason in
    `broken`.
    """

    def __init__(self, group: str) -> None:
        self.group = f"pulvinar.{group}"
        self.broken: dict[str, str] = {}
        self._loaded: dict[str, T] = {}

    @cached_property
    def _entries(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for entry in entry_points(group=self.group):
            if entry.name in found and found[entry.name].value != entry.value:
                raise Conflict(
                    f"two plugins of {self.group} are named {entry.name!r}: "
                    f"{found[entry.name].value} and {entry.value}",
                    hint="uninstall one of the two packages",
                )
            found[entry.name] = entry
        return dict(sorted(found.items()))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, name: str) -> T:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> T:
        if name not in self._entries:
            raise NotFound(f"no plugin of {self.group} is named {name!r}", hint=f"known: {', '.join(self._entries)}")
        try:
            loaded: T = self._entries[name].load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self.broken[name] = reason
            raise Unavailable(f"plugin {name!r} of {self.group} does not load: {reason}") from error
        return loaded

    def working(self) -> dict[str, T]:
        """Every plugin that loads, by name; those that don't are named with their reason in `broken`."""
        found: dict[str, T] = {}
        for name in self:
            try:
                found[name] = self[name]
            except Unavailable:
                continue
        return found
