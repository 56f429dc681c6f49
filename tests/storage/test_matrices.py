"""A matrix is read back by window; one that is not there, a damaged one and a silent store are told apart."""

import numpy as np
import pytest

from pulvinar.errors import Corrupt, NotFound, Unavailable
from pulvinar.storage.matrices import MatrixLayout, StoredMatrix
from pulvinar.storage.store import open_store

VALUES = np.random.default_rng(0).standard_normal((300, 70)).astype(np.float32)
LAYOUT = MatrixLayout.planned(VALUES.shape, "float32", ("frame", "series"), 10)


@pytest.fixture
def written(store):
    """A matrix on a folder, and on a real S3 server."""
    store.put_bytes("m/zarr.json", LAYOUT.document())
    for columns, parts in LAYOUT.strips():
        for rows in parts:
            place, data = LAYOUT.shard((rows, columns), VALUES[rows, columns])
            store.put_bytes(f"m/{place}", data)
    return store


def test_a_matrix_is_read_back_by_window_and_by_column(written):
    stored = StoredMatrix(written, "m")
    np.testing.assert_array_equal(stored.read(slice(5, 200), slice(60, 70)), VALUES[5:200, 60:70])
    np.testing.assert_array_equal(stored.columns(np.array([66, 2])), VALUES[:, [66, 2]])


def test_a_matrix_that_is_not_there_is_not_found(written):
    with pytest.raises(NotFound, match="no matrix at n"):
        StoredMatrix(written, "n")


@pytest.mark.parametrize("document", [b"{", b"{}", LAYOUT.document()[:-9]], ids=["no json", "no array", "cut off"])
def test_a_damaged_document_is_no_missing_one(written, document):
    written.put_bytes("m/zarr.json", document)
    with pytest.raises(Corrupt, match="matrix at m can't be read") as caught:
        StoredMatrix(written, "m")
    assert "pulvinar verify" in caught.value.hint


@pytest.mark.parametrize("at", [0, 1000, -1], ids=["header", "values", "index"])
def test_damaged_values_are_refused_and_not_shown(written, at):
    raw = bytearray(written.read("m/c/0/0"))
    raw[at] ^= 1
    written.put_bytes("m/c/0/0", bytes(raw))
    with pytest.raises(Corrupt, match="matrix at m can't be read"):
        StoredMatrix(written, "m").read(slice(0, 300), slice(0, 70))


def test_a_lost_shard_is_damage_and_no_zeros(written):
    written.delete("m/c/0/0")
    with pytest.raises(Corrupt, match="matrix at m can't be read: a part of it is lost"):
        StoredMatrix(written, "m").read(slice(0, 3), slice(0, 3))


def test_a_store_that_does_not_answer_is_no_missing_matrix(monkeypatch):
    silent = open_store("s3://bucket/x", endpoint="http://127.0.0.1:9", access_key="a", secret_key="b")
    # tensorstore asks again for minutes
    spec = silent.kvstore("m") | {"s3_request_retries": {"max_retries": 1}}
    monkeypatch.setattr(silent, "kvstore", lambda prefix: spec)
    with pytest.raises(Unavailable, match="the store does not answer"):
        StoredMatrix(silent, "m")
