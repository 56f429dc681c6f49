"""Whatever rots in the store or changes in the catalogue is named, and nothing else is."""

import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, list_versions, open_draft, publish
from pulvinar.catalogue.drafts import set_record
from pulvinar.catalogue.tables import asset, asset_object, version
from pulvinar.errors import NotFound
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means, Request
from pulvinar.ingest.sandbox import Limits
from pulvinar.model.access import ANONYMOUS, LOCAL_OWNER
from pulvinar.model.dataset import Asset, AssetKind, StoredObject, Version, asset_digest
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species, record_to_json
from pulvinar.operations.scrub import Damage, verify
from pulvinar.platform import migrate
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store, open_store

FISH = "zebrafish/zbrain_lightsheet/raw_brains/2016-10-18fish1/pre"
EMPTY = 2**64 - 1


@dataclass(frozen=True)
class Fish:
    """Two real volumes of one fish: the catalogue, the store, and the version that holds them."""

    database: Database
    store: Store
    version: Version

    def damages(self) -> tuple[Damage, ...]:
        return verify(self.database, self.store, LOCAL_OWNER, self.version.dataset_id).damages

    def damaged(self) -> set[str]:
        return {damage.key for damage in self.damages()}

    def said_of(self, key: str) -> str:
        """All that is said of `key`, which is all that is damaged."""
        damages = self.damages()
        assert {damage.key for damage in damages} == {key}
        return " | ".join(damage.what for damage in damages)

    def shard(self, at: int = 0, level: int = 0) -> str:
        return f"{self.version.assets[at].prefix}/image.ome.zarr/{level}/c/0/0/0/0/0"

    def index(self, shard: bytes) -> list[tuple[int, int]]:
        """Offset and size of each chunk, read by hand from the last bytes of a shard of level 0."""
        level = self.version.assets[0].details["volume"]["levels"][0]
        chunks = prod(a // b for a, b in zip(level["shard_shape"], level["chunk_shape"], strict=True))
        return list(struct.iter_unpack("<QQ", shard[-16 * chunks - 4 : -4]))

    def flip(self, key: str, position: int) -> None:
        data = bytearray(self.store.read(key))
        data[position] ^= 1
        self.store.put_bytes(key, bytes(data))


@pytest.fixture(scope="module")
def original(sample: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store, Version]:
    """What every test gets a copy of."""
    folder = tmp_path_factory.mktemp("fish")
    database, store = Database(f"sqlite:///{folder / 'catalogue.sqlite'}"), open_store((folder / "store").as_uri())
    migrate(database)
    answers = RecordAnswers(title="A fish", species="zebrafish", licence="CC0-1.0")
    means = Means(database, store, folder / "scratch", Limits(), threads=1)
    done = ingest(means, Request(sample(FISH), answers=answers, publish=True))
    database.close()
    return folder / "catalogue.sqlite", store, done.version


@pytest.fixture
def fish(original: tuple[Path, Store, Version], store: Store, tmp_path: Path) -> Iterator[Fish]:
    """A copy of the fish in a folder, and one in S3."""
    catalogue, source, made = original
    database = Database(f"sqlite:///{shutil.copy(catalogue, tmp_path)}")
    for entry in source.list("assets"):
        store.put_bytes(entry.key, source.read(entry.key))
    yield Fish(database, store, made)
    database.close()


def test_what_is_as_it_was_stored_has_no_damage(fish: Fish):
    found = verify(fish.database, fish.store, LOCAL_OWNER, fish.version.dataset_id)
    assert found.damages == ()
    assert len(fish.version.assets) == 2
    assert found.objects == sum(one.object_count for one in fish.version.assets) == len(list(fish.store.list("assets")))
    assert found.size_bytes == sum(one.size_bytes for one in fish.version.assets)


def test_a_flipped_bit_in_a_chunk_names_the_shard_and_the_chunk(fish: Fish):
    places = fish.index(fish.store.read(fish.shard(1)))
    place = max(at for at, (offset, _) in enumerate(places) if offset != EMPTY)
    offset, size = places[place]
    fish.flip(fish.shard(1), offset + size // 2)
    said = fish.said_of(fish.shard(1))
    assert "SHA-256" in said
    assert said.count("chunk") == 1
    assert f"chunk {place} (bytes {offset} to {offset + size})" in said


@pytest.mark.parametrize("from_end", [1, 5, 30], ids=["its checksum", "its last entry", "an entry"])
def test_a_flipped_bit_in_an_index_names_the_shard(fish: Fish, from_end: int):
    key = fish.shard()
    fish.flip(key, fish.store.size(key) - from_end)
    assert "a shard's index does not fit its checksum" in fish.said_of(key)


def test_an_index_that_leads_out_of_its_shard_is_named_and_not_followed(fish: Fish):
    key = fish.shard()
    data = fish.store.read(key)
    index = fish.index(data)
    place = next(at for at, (offset, _) in enumerate(index) if offset != EMPTY)
    index[place] = (2**40, 2**40)
    body = b"".join(struct.pack("<QQ", *entry) for entry in index)
    footer = body + struct.pack("<I", google_crc32c.value(body))
    fish.store.put_bytes(key, data[: -len(footer)] + footer)
    assert f"chunk {place} lies outside the shard" in fish.said_of(key)


@pytest.mark.parametrize("change", [-1, -1000, 1], ids=["a byte less", "no index", "a byte more"])
def test_a_shard_of_another_size_is_named_with_both_sizes(fish: Fish, change: int):
    key = fish.shard(1)
    data = fish.store.read(key)
    fish.store.put_bytes(key, data[:change] if change < 0 else data + b"!")
    assert fish.said_of(key) == f"has {len(data) + change} bytes, {len(data)} were stored"


def test_what_is_gone_is_named(fish: Fish):
    gone = {fish.shard(0), f"{fish.version.assets[1].prefix}/image.ome.zarr/zarr.json"}
    for key in gone:
        fish.store.delete(key)
    assert {(damage.key, damage.what) for damage in fish.damages()} == {(key, "is missing") for key in gone}


def test_two_shards_that_changed_places_are_both_named(fish: Fish):
    one, two = fish.shard(0), fish.shard(1)
    first, second = fish.store.read(one), fish.store.read(two)
    fish.store.put_bytes(one, second)
    fish.store.put_bytes(two, first)
    assert fish.damaged() == {one, two}


def test_an_object_that_was_replaced_by_another_of_its_size_is_named(fish: Fish):
    key = f"{fish.version.assets[0].prefix}/quality/thumbnail.webp"
    fish.store.put_bytes(key, bytes(fish.store.size(key)))
    assert fish.said_of(key) == "does not have the SHA-256 that was stored"


def test_a_stray_object_is_no_damage(fish: Fish):
    fish.store.put_bytes(f"{fish.version.assets[0].prefix}/image.ome.zarr/0/c/0/0/0/0/9", b"not in the catalogue")
    assert fish.damages() == ()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_one_byte_that_changes_anywhere_is_found(original: tuple, data: st.DataObject):
    catalogue, store, made = original
    database = Database(f"sqlite:///{catalogue}")
    fish = Fish(database, store, made)
    entry = data.draw(st.sampled_from(list(store.list("assets"))))
    before = store.read(entry.key)
    fish.flip(entry.key, data.draw(st.integers(0, entry.size_bytes - 1)))
    try:
        assert fish.damaged() == {entry.key}
    finally:
        store.put_bytes(entry.key, before)
        database.close()


def test_who_does_not_see_a_dataset_verifies_nothing(fish: Fish):
    with pytest.raises(NotFound):
        verify(fish.database, fish.store, LOCAL_OWNER, new_id())


FILES = {"table.parquet": b"a table", "quality/thumbnail.webp": b"a picture"}


@pytest.fixture
def table(database: Database, tmp_path: Path) -> Fish:
    """A table, published as version 1 and carried over into a draft, in each database."""
    store = open_store((tmp_path / "store").as_uri())
    made = new_id()
    objects = [StoredObject(path, len(data), sha256(data).hexdigest()) for path, data in FILES.items()]
    for path, data in FILES.items():
        store.put_bytes(f"assets/{made}/{path}", data)
    size = sum(map(len, FILES.values()))
    cells = Asset(made, "cells", AssetKind.TABLE, f"assets/{made}", size, 2, asset_digest(objects), {})
    record = Record("Cells", Species.MOUSE, "CC0-1.0")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        dataset = create_dataset(work, record)
        add_asset(work, open_draft(work, dataset.id).id, cells, objects)
        first = publish(work, open_draft(work, dataset.id).id)
        set_record(work, open_draft(work, dataset.id).id, replace(record, title="More cells"))
    return Fish(database, store, first)


def changed(table: Fish, statement) -> set[str]:
    with table.database.writing() as session:
        session.execute(statement)
    return table.damaged()


def test_an_object_in_two_versions_is_read_once(table: Fish):
    found = verify(table.database, table.store, LOCAL_OWNER, table.version.dataset_id)
    assert (found.objects, found.size_bytes, found.damages) == (2, sum(map(len, FILES.values())), ())


def test_a_link_in_the_place_of_an_object_is_not_the_object(table: Fish, tmp_path: Path):
    key = f"{table.version.assets[0].prefix}/table.parquet"
    path = table.store.local_path(key)
    assert path
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert table.said_of(key) == "is missing"


def test_a_row_of_an_object_that_was_changed_does_not_fit_the_digest(table: Fish):
    (cells,) = table.version.assets
    row = asset_object.c.path == "table.parquet"
    assert changed(table, update(asset_object).where(row).values(sha256="0" * 64)) == {
        cells.id,
        f"{cells.prefix}/table.parquet",
    }
    assert changed(table, delete(asset_object).where(row)) == {cells.id}


def test_a_row_of_an_object_that_was_added_does_not_fit_the_digest(table: Fish):
    (cells,) = table.version.assets
    table.store.put_bytes(f"{cells.prefix}/more", b"more")
    row = {"asset_id": cells.id, "path": "more", "size_bytes": 4, "sha256": sha256(b"more").hexdigest()}
    assert changed(table, insert(asset_object).values(row)) == {cells.id}


@pytest.mark.parametrize("column", ["name", "kind", "digest"])
def test_a_row_of_an_asset_that_was_changed_does_not_fit_its_versions(table: Fish, column: str):
    versions = {one.id for one in list_versions(table.database, LOCAL_OWNER, table.version.dataset_id)}
    assert len(versions) == 2
    value = {"name": "other", "kind": "points", "digest": "0" * 64}[column]
    expected = versions | ({table.version.assets[0].id} if column == "digest" else set())
    assert changed(table, update(asset).values({column: value})) == expected


def test_a_record_that_was_changed_does_not_fit_its_version(table: Fish):
    forged = record_to_json(replace(table.version.record, licence="all rights"))
    statement = update(version).where(version.c.id == table.version.id).values(record=forged)
    assert changed(table, statement) == {table.version.id}


def test_a_stranger_verifies_what_is_published_alone(table: Fish):
    forged = record_to_json(replace(table.version.record, title="Forged"))
    statement = update(version).where(version.c.id != table.version.id).values(record=forged)
    assert len(changed(table, statement)) == 1
    assert verify(table.database, table.store, ANONYMOUS, table.version.dataset_id).damages == ()
