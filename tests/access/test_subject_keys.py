"""What is encrypted for a person is readable as long as the key is there, and never after."""

import pytest

from pulvinar.access.subject_keys import SubjectKeys
from pulvinar.errors import Conflict, Corrupt, NotFound

HEAD = b"voxels of a head" * 1000


@pytest.fixture
def keys(tmp_path):
    return SubjectKeys(tmp_path / "keys")


def test_what_is_encrypted_comes_back_and_tells_nothing(keys):
    sealed = keys.encrypt("sub-01 张", HEAD, "objects/ab")
    assert keys.decrypt("sub-01 张", sealed, "objects/ab") == HEAD
    assert b"voxels" not in sealed
    assert keys.encrypt("sub-01 张", HEAD, "objects/ab") != sealed


def test_another_key_another_name_or_another_byte_is_noticed(keys):
    sealed = keys.encrypt("one", HEAD, "objects/ab")
    keys.encrypt("two", HEAD, "objects/ab")
    for subject, data, name in (
        ("two", sealed, "objects/ab"),
        ("one", sealed, "objects/cd"),
        ("one", sealed[:-1] + bytes([sealed[-1] ^ 1]), "objects/ab"),
        ("one", sealed[:20], "objects/ab"),
        ("one", b"", "objects/ab"),
    ):
        with pytest.raises(Corrupt):
            keys.decrypt(subject, data, name)
    with pytest.raises(NotFound):
        keys.decrypt("three", sealed, "objects/ab")


def test_a_destroyed_key_is_gone_for_good_and_the_others_stay(keys):
    gone, stays = keys.encrypt("gone", HEAD, "a"), keys.encrypt("stays", HEAD, "a")
    assert keys.destroy("gone")
    assert not keys.destroy("gone")
    assert keys.is_destroyed("gone")
    assert not keys.is_destroyed("stays")
    with pytest.raises(NotFound):
        keys.decrypt("gone", gone, "a")
    with pytest.raises(Conflict):
        keys.encrypt("gone", HEAD, "b")
    assert keys.decrypt("stays", stays, "a") == HEAD


def test_keys_are_for_their_owner_alone_and_name_nobody(keys):
    keys.encrypt("sub-01", HEAD, "a")
    (path,) = keys.folder.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert "sub" not in path.name
