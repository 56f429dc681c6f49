"""What every store must do, as a test class: an implementation's author subclasses it and gives a fixture `store`.

pytest runs each `test_` method with an empty store. Nothing here imports pytest.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import tensorstore as ts

from pulvinar.errors import Invalid, NotFound, PulvinarError
from pulvinar.storage.store import Store, StoreEntry

_NO_KEYS = ("", "/absolute", "a//b", "a/", "../up", "a/../b", ".", "a/./b", "a\\b", "a\0b")


class StoreContract:
    """The promises of `Store`."""

    def test_what_is_put_is_read_back(self, store: Store) -> None:
        """Bytes come back whole and by range; a second put replaces them."""
        body = os.urandom(100_000)
        store.put_bytes("a/b.bin", body)
        assert store.read("a/b.bin") == body
        assert store.read("a/b.bin", 10, 20) == body[10:30]
        assert store.read("a/b.bin", 99_990) == body[-10:]
        assert store.read("a/b.bin", 99_990, 500) == body[-10:]
        assert store.size("a/b.bin") == len(body)
        store.put_bytes("a/b.bin", b"new")
        assert store.read("a/b.bin") == b"new"

    def test_an_empty_object_is_an_object(self, store: Store) -> None:
        """No bytes are bytes too."""
        store.put_bytes("empty", b"")
        assert store.size("empty") == 0
        assert store.read("empty") == b""

    def test_a_file_moves_in(self, store: Store, tmp_path: Path) -> None:
        """What was written to a scratch path is stored, however large, and gone from there."""
        body = os.urandom(20 << 20)
        path = store.scratch_for("shards/c/0", tmp_path / "scratch")
        path.write_bytes(body)
        store.put_file("shards/c/0", path)
        assert not path.exists()
        assert store.read("shards/c/0") == body

    def test_scratch_paths_differ_and_are_no_objects(self, store: Store, tmp_path: Path) -> None:
        """What is being written is not visible."""
        paths = {store.scratch_for("key", tmp_path / "scratch") for _ in range(10)}
        assert len(paths) == 10
        next(iter(paths)).write_bytes(b"half")
        assert list(store.list("")) == []

    def test_a_listing_is_sorted_and_keeps_to_its_folder(self, store: Store) -> None:
        """The folder `a` is not the folder `ab`."""
        for key in ("a/2", "a/10/x", "a/1", "ab/1", "b"):
            store.put_bytes(key, key.encode())
        assert list(store.list("a")) == [StoreEntry("a/1", 3), StoreEntry("a/10/x", 6), StoreEntry("a/2", 3)]
        assert [entry.key for entry in store.list("")] == ["a/1", "a/10/x", "a/2", "ab/1", "b"]
        assert list(store.list("nothing")) == []

    def test_what_is_deleted_is_gone(self, store: Store) -> None:
        """And deleting it once more is no error."""
        store.put_bytes("a/b", b"x")
        store.delete("a/b")
        store.delete("a/b")
        assert list(store.list("")) == []
        assert _raised(lambda: store.read("a/b")) is NotFound

    def test_a_missing_key_is_not_found(self, store: Store) -> None:
        """Whichever way it is asked for, and a folder is no object either."""
        store.put_bytes("folder/object", b"x")
        for key in ("missing", "folder", "folder/object/below"):
            assert _raised(lambda key=key: store.read(key)) is NotFound, key  # type: ignore[misc]
            assert _raised(lambda key=key: store.size(key)) is NotFound, key  # type: ignore[misc]

    def test_a_key_can_not_lead_out(self, store: Store, tmp_path: Path) -> None:
        """Absolute, empty and climbing keys are refused by every verb."""
        path = tmp_path / "file"
        path.write_bytes(b"x")
        for key in _NO_KEYS:
            verbs: tuple[Callable[[], object], ...] = (
                lambda key=key: store.put_bytes(key, b"x"),  # type: ignore[misc]
                lambda key=key: store.put_file(key, path),  # type: ignore[misc]
                lambda key=key: store.read(key),  # type: ignore[misc]
                lambda key=key: store.delete(key),  # type: ignore[misc]
                lambda key=key: store.local_path(key),  # type: ignore[misc]
            )
            assert all(_raised(verb) is Invalid for verb in verbs), key
        assert path.exists()

    def test_names_in_other_scripts_are_keys(self, store: Store) -> None:
        """Chinese, spaces, percent signs and plus signs come back as they were given."""
        for key in ("小鼠/脑 图谱.bin", "a b/100%+1", "x=1&y=2"):
            store.put_bytes(key, key.encode())
            assert store.read(key) == key.encode()
        assert len(list(store.list(""))) == 3

    def test_a_local_path_holds_the_bytes(self, store: Store) -> None:
        """Where there is one."""
        store.put_bytes("a/b", b"bytes")
        path = store.local_path("a/b")
        assert path is None or path.read_bytes() == b"bytes"

    def test_tensorstore_reads_the_folder(self, store: Store) -> None:
        """Through the spec that the store gives."""
        store.put_bytes("volume/zarr.json", b"{}")
        opened = ts.KvStore.open(store.kvstore("volume")).result()
        assert opened.read("zarr.json").result().value == b"{}"
        assert opened.read("missing").result().state == "missing"


def _raised(verb: Callable[[], object]) -> type[PulvinarError] | None:
    try:
        verb()
    except PulvinarError as error:
        return type(error)
    return None
