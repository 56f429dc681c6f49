"""A platform with volumes in it, and a server that real clients talk to."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import uvicorn
from tests.atlases.toy import install_toy

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.catalogue.sharing import set_tier
from pulvinar.catalogue.versions import get_version
from pulvinar.model.access import Tier
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, Version, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species
from pulvinar.model.volume import Channel, Triple, Volume, VolumeKind, volume_to_json
from pulvinar.platform import Platform, open_platform
from pulvinar.settings import load_settings
from pulvinar.storage.pyramid import plan_levels, plan_pyramid, write_pyramid
from pulvinar.storage.sources import ArraySource
from pulvinar.web.server import configuration

AFFINE = ((2.0, 0.0, 0.0, 100.0), (0.0, 1.0, 0.0, 200.0), (0.0, 0.0, 1.0, 300.0), (0.0, 0.0, 0.0, 1.0))
SIZE_UM: Triple = (2.0, 1.0, 1.0)


class _Forgetful:
    def finished(self) -> Mapping[str, StoredObject]:
        return {}

    def record(self, objects: Sequence[StoredObject]) -> None: ...


Stored = tuple[Asset, tuple[StoredObject, ...]]


@dataclass(frozen=True)
class Shown:
    """A published volume: where it is, and the voxels that went in."""

    version: Version
    asset: Asset
    voxels: np.ndarray

    @property
    def data(self) -> str:
        return f"/data/{self.version.digest}/{self.asset.id}"

    @property
    def api(self) -> str:
        return f"/api/v1/assets/{self.version.digest}/{self.asset.id}"


def stored_volume(platform: Platform, name: str, voxels: np.ndarray, kind: VolumeKind) -> Stored:
    levels = plan_levels(voxels.shape, SIZE_UM, voxels.dtype, kind)
    window = (0.0, 60_000.0) if kind is VolumeKind.IMAGE else None
    channels = tuple(Channel(f"channel {n}", window=window) for n in range(voxels.shape[1]))
    volume = Volume(kind, voxels.dtype.name, levels, channels, affine_um=AFFINE)
    prefix = f"assets/{new_id()}"
    source = ArraySource(voxels)
    scratch = platform.settings.resolved_scratch()
    scratch.mkdir(parents=True, exist_ok=True)
    plan = plan_pyramid(volume, source.block_shape)
    objects = list(write_pyramid(source, plan, platform.store, prefix, ledger=_Forgetful(), scratch=scratch))
    picture = b"RIFF\x00\x00\x00\x00WEBP"
    for path in ("quality/thumbnail.webp", "quality/section-z.webp"):
        platform.store.put_bytes(f"{prefix}/{path}", picture)
        objects.append(StoredObject(path, len(picture), hashlib.sha256(picture).hexdigest()))
    asset = Asset(
        id=prefix.removeprefix("assets/"),
        name=name,
        kind=AssetKind.VOLUME,
        prefix=prefix,
        size_bytes=sum(item.size_bytes for item in objects),
        object_count=len(objects),
        digest=asset_digest(objects),
        details={"volume": volume_to_json(volume)},
    )
    return asset, tuple(objects)


def add_dataset(platform: Platform, title: str, assets: Sequence[Stored], *, published: bool = True) -> Version:
    with UnitOfWork(platform.database, platform.actor) as work:
        dataset = create_dataset(work, Record(title, Species.MOUSE, "CC0-1.0"), node="local")
        draft = open_draft(work, dataset.id)
        for asset, objects in assets:
            add_asset(work, draft.id, asset, objects)
        if published:
            publish(work, draft.id)
    return get_version(platform.database, platform.actor, dataset.id)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    opened = open_platform(load_settings(environment={}, home=tmp_path_factory.mktemp("web")))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def image(platform: Platform) -> Shown:
    """Two channels of noise in some chunks of a shard; the others are empty."""
    voxels = np.zeros((1, 2, 100, 130, 150), np.uint16)
    voxels[:, :, 5:95, 10:100, 70:] = np.random.default_rng(0).integers(0, 60_000, (1, 2, 90, 90, 80))
    return _shown(platform, "image", voxels, VolumeKind.IMAGE)


@pytest.fixture(scope="session")
def labels(platform: Platform) -> Shown:
    """Labels beyond 32 bits."""
    voxels = np.zeros((1, 1, 90, 70, 80), np.uint64)
    voxels[:, :, 20:40, 30:60, 50:] = 2**40 + 7
    return _shown(platform, "labels", voxels, VolumeKind.LABELS)


@pytest.fixture(scope="session")
def draft(platform: Platform) -> Shown:
    """A volume that isn't published."""
    voxels = np.ones((1, 1, 20, 20, 20), np.uint8)
    asset, objects = stored_volume(platform, "draft", voxels, VolumeKind.IMAGE)
    return Shown(add_dataset(platform, "A draft", [(asset, objects)], published=False), asset, voxels)


@pytest.fixture(scope="session")
def wide(platform: Platform) -> Shown:
    """A volume of a private dataset, whose first level is wider than a screen."""
    voxels = np.ones((1, 1, 20, 20, 1100), np.uint8)
    asset, objects = stored_volume(platform, "wide", voxels, VolumeKind.IMAGE)
    version = add_dataset(platform, "A wide one", [(asset, objects)])
    with UnitOfWork(platform.database, platform.actor) as work:
        set_tier(work, version.dataset_id, Tier.PRIVATE)
    return Shown(version, asset, voxels)


def _shown(platform: Platform, name: str, voxels: np.ndarray, kind: VolumeKind) -> Shown:
    asset, objects = stored_volume(platform, name, voxels, kind)
    version = add_dataset(platform, f"A brain with {name}", [(asset, objects)])
    return Shown(version, asset, voxels)


@contextmanager
def _serving(platform: Platform) -> Iterator[str]:
    server = uvicorn.Server(configuration(platform))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                thread.join(0.01)
                assert thread.is_alive()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture(scope="session")
def address(platform: Platform) -> Iterator[str]:
    """Where a live server shows the platform."""
    with _serving(platform) as found:
        yield found


@pytest.fixture(scope="session")
def serving() -> Callable[[Platform], object]:
    """A context manager that serves another platform."""
    return _serving


@pytest.fixture(scope="module")
def public_with_atlas(tmp_path_factory):
    """A public platform with the toy atlas, for all tests of a module."""
    home = tmp_path_factory.mktemp("public")
    with open_platform(load_settings(environment={}, home=home, public=True)) as opened:
        install_toy(opened)
        yield opened
