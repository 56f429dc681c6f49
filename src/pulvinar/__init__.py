"""Pulvinar: a data platform for brain atlases.

The names below are the public face; each is loaded on first use, so that `import pulvinar` costs nothing. The verbs
live in the room of their noun: `pulvinar.ingest`, `pulvinar.catalogue`, `pulvinar.storage`, `pulvinar.operations`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulvinar.client import connect
    from pulvinar.errors import PulvinarError
    from pulvinar.model.dataset import Asset, Dataset, Version
    from pulvinar.model.record import Record, Species, Subject
    from pulvinar.model.space import Box, Points, Space, Window
    from pulvinar.model.volume import Level, Volume, VolumeKind
    from pulvinar.platform import Platform, open_platform
    from pulvinar.settings import Settings, load_settings
    from pulvinar.storage.store import open_store
    from pulvinar.storage.volumes import open_volume

_HOMES = {
    "Asset": "pulvinar.model.dataset",
    "Box": "pulvinar.model.space",
    "Dataset": "pulvinar.model.dataset",
    "Level": "pulvinar.model.volume",
    "Platform": "pulvinar.platform",
    "Points": "pulvinar.model.space",
    "PulvinarError": "pulvinar.errors",
    "Record": "pulvinar.model.record",
    "Settings": "pulvinar.settings",
    "Space": "pulvinar.model.space",
    "Species": "pulvinar.model.record",
    "Subject": "pulvinar.model.record",
    "Version": "pulvinar.model.dataset",
    "Volume": "pulvinar.model.volume",
    "VolumeKind": "pulvinar.model.volume",
    "Window": "pulvinar.model.space",
    "connect": "pulvinar.client",
    "load_settings": "pulvinar.settings",
    "open_platform": "pulvinar.platform",
    "open_store": "pulvinar.storage.store",
    "open_volume": "pulvinar.storage.volumes",
}

__all__ = [
    "Asset",
    "Box",
    "Dataset",
    "Level",
    "Platform",
    "Points",
    "PulvinarError",
    "Record",
    "Settings",
    "Space",
    "Species",
    "Subject",
    "Version",
    "Volume",
    "VolumeKind",
    "Window",
    "connect",
    "load_settings",
    "open_platform",
    "open_store",
    "open_volume",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pulvinar' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
