"""A catalogue with a volume in it, and a runner that works until nothing is left to do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.solutions.stored import catalogued, stored_volume

from pulvinar.compute.dispatch import Quotas
from pulvinar.compute.engine import EngineOptions
from pulvinar.compute.slots import Slot
from pulvinar.model.dataset import Asset
from pulvinar.solutions.carrying import make_runner
from pulvinar.solutions.solution import Places
from pulvinar.solutions.submission import Means
from pulvinar.storage.database import Database
from pulvinar.storage.external import S3Access
from pulvinar.storage.store import Store, open_store


@pytest.fixture
def folder_store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture
def means(database: Database, folder_store: Store, tmp_path: Path) -> Means:
    options = EngineOptions("here", (Slot("standard", 2, 2_000_000_000),), tmp_path / "scratch")
    return Means(database, Places(folder_store.url, S3Access()), options)


@pytest.fixture
def work(folder_store: Store) -> Callable[[Means], None]:
    """Carries out all that is queued."""

    def until_idle(means: Means) -> None:
        make_runner(means, folder_store, jobs=8, quotas=Quotas(), until_idle=True).run()

    return until_idle


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 4000, (1, 2, 70, 66, 90)).astype(np.uint16)


@pytest.fixture
def image(folder_store: Store, tmp_path: Path, voxels: np.ndarray) -> tuple[Asset, list]:
    return stored_volume(folder_store, tmp_path / "scratch", voxels)


@pytest.fixture
def brain(database: Database, image: tuple[Asset, list]) -> str:
    """The identifier of a published dataset."""
    return catalogued(database, image)
