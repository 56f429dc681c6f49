"""What napari reads by an address: `pulvinar://HOST/DATASET` (http), `pulvinars://` (https), `/ASSET` for one asset."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import pulvinar
from napari_pulvinar.layers import Layer, layers_of
from pulvinar.client import RemoteAsset
from pulvinar.errors import Invalid, PulvinarError

_SCHEMES = {"pulvinar": "http", "pulvinars": "https"}


def read_address(path: str | list[str]) -> Callable[[str | list[str]], list[Layer]] | None:
    """The function that reads `path`; None when it is no address of a Pulvinar, or several."""
    if not isinstance(path, str) or urlsplit(path).scheme not in _SCHEMES:
        return None
    return _read


def assets_at(address: str) -> list[RemoteAsset]:
    """What `address` names: one asset, or everything in the newest version of a dataset.

    Raises `Invalid` for an address that names no dataset, `NotFound`, `Unavailable`.
    """
    parts = urlsplit(address)
    names = [unquote(name) for name in parts.path.split("/") if name]
    if names[:1] == ["datasets"]:
        del names[0]
    if not 1 <= len(names) <= 2:
        raise Invalid(f"{address} names no dataset", hint="pulvinar://HOST/DATASET, or pulvinar://HOST/DATASET/ASSET")
    dataset = pulvinar.connect(f"{_SCHEMES[parts.scheme]}://{parts.netloc}").dataset(names[0])
    return [dataset.asset(names[1])] if len(names) == 2 else dataset.assets()


def _read(path: str | list[str]) -> list[Layer]:
    """The layers of everything at `path` that napari can show; raises when that is nothing."""
    layers: list[Layer] = []
    trouble: PulvinarError | None = None
    for asset in assets_at(str(path)):
        try:
            layers += layers_of(asset)
        except Invalid as error:
            trouble = error
    if not layers and trouble:
        raise trouble
    return layers
