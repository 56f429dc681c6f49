"""What goes along with a backup: the server's key, sealed, and that who was erased does not come back."""

import json
from pathlib import Path

import pytest
from tests.operations.test_erasure import dataset, everything, how, kept, person  # noqa: F401 (how and kept are fixtures)

from pulvinar.access.sealing import open_sealer
from pulvinar.errors import Conflict, Invalid, NotFound, Unavailable
from pulvinar.operations.backup import back_up
from pulvinar.operations.backup_care import prune, verify_backup
from pulvinar.operations.backup_keys import KEY, bring_key_back, holds_key, keep_key
from pulvinar.operations.erasure import erase, find_subject, read_certificates
from pulvinar.operations.restore import restore
from pulvinar.platform import migrate, open_platform
from pulvinar.settings import load_settings, made_folder
from pulvinar.storage.database import Database
from pulvinar.storage.store import Store, open_store

PASSPHRASE = "twelve brains on a shelf"


@pytest.fixture
def shelf(tmp_path: Path) -> Store:
    return open_store((tmp_path / "shelf").as_uri())


def test_the_key_comes_back_by_its_passphrase_alone(tmp_path: Path, shelf: Store):
    sealed = open_sealer(tmp_path / "secret.key").seal("a second factor")
    keep_key(shelf, tmp_path / "secret.key", PASSPHRASE)
    assert holds_key(shelf)
    assert (tmp_path / "secret.key").read_bytes() not in shelf.read(KEY)
    back = tmp_path / "back.key"
    with pytest.raises(Invalid, match="does not open"):
        bring_key_back(shelf, back, PASSPHRASE.upper())
    assert not back.exists()
    bring_key_back(shelf, back, PASSPHRASE)
    assert back.stat().st_mode & 0o777 == 0o600
    assert open_sealer(back).open(sealed) == "a second factor"
    bring_key_back(shelf, back, PASSPHRASE)


def test_a_key_is_not_written_over_another(tmp_path: Path, shelf: Store):
    open_sealer(tmp_path / "secret.key")
    keep_key(shelf, tmp_path / "secret.key", PASSPHRASE)
    open_sealer(tmp_path / "another.key")
    with pytest.raises(Invalid, match="another key"):
        bring_key_back(shelf, tmp_path / "another.key", PASSPHRASE)


def test_what_was_changed_in_the_backup_is_noticed(tmp_path: Path, shelf: Store):
    open_sealer(tmp_path / "secret.key")
    keep_key(shelf, tmp_path / "secret.key", PASSPHRASE)
    sealed = shelf.read(KEY)
    shelf.put_bytes(KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(Invalid, match="does not open"):
        bring_key_back(shelf, tmp_path / "back.key", PASSPHRASE)


def test_a_short_passphrase_and_a_missing_key_are_refused(tmp_path: Path, shelf: Store):
    open_sealer(tmp_path / "secret.key")
    with pytest.raises(Invalid, match="passphrase has 9"):
        keep_key(shelf, tmp_path / "secret.key", "too short")
    with pytest.raises(NotFound):
        keep_key(shelf, tmp_path / "nowhere", PASSPHRASE)
    assert not holds_key(shelf)
    with pytest.raises(NotFound):
        bring_key_back(shelf, tmp_path / "back.key", PASSPHRASE)


@pytest.mark.parametrize("known_to", ["the backup", "the old home"])
def test_who_was_erased_after_a_snapshot_does_not_come_back(
    database: Database,
    kept: Store,  # noqa: F811
    how,  # noqa: F811
    shelf: Store,
    tmp_path: Path,
    known_to: str,
):
    _, (head,) = dataset(database, kept, person("zqjane"), "scan of zqjane")
    _, (joes,) = dataset(database, kept, person("joe"), "scan of joe")
    before = back_up(database, kept, shelf, scratch=tmp_path)
    erase(database, kept, "zqjane", how)
    elsewhere = []
    if known_to == "the backup":
        back_up(database, kept, shelf, scratch=tmp_path)
    else:
        elsewhere = read_certificates(how.folder)
    into, anew = open_store((tmp_path / "into").as_uri()), Database(f"sqlite:///{tmp_path / 'anew.sqlite'}")
    done = restore(shelf, anew, into, migrate=migrate, scratch=tmp_path, snapshot_id=before.id, erased=elsewhere)
    assert (done.erasures, done.chain.fault) == (1, None)
    assert list(into.list(head.prefix)) == []
    assert [entry.key for entry in into.list(joes.prefix)]
    with pytest.raises(NotFound):
        find_subject(anew, "zqjane")
    assert find_subject(anew, "joe").assets
    assert [line for line in everything(anew, into).splitlines() if "zqjane" in line] == []
    anew.close()


def test_keys_and_certificates_stay_when_snapshots_go(database: Database, kept, how, shelf: Store, tmp_path: Path):  # noqa: F811
    dataset(database, kept, person("jane"), "jane")
    open_sealer(tmp_path / "secret.key")
    back_up(database, kept, shelf, scratch=tmp_path)
    certificate = erase(database, kept, "jane", how)
    back_up(database, kept, shelf, scratch=tmp_path)
    keep_key(shelf, tmp_path / "secret.key", PASSPHRASE)
    prune(shelf, 1, scratch=tmp_path)
    assert holds_key(shelf)
    (entry,) = shelf.list("erasures")
    assert json.loads(shelf.read(entry.key))["id"] == certificate["id"]
    assert verify_backup(shelf, scratch=tmp_path).damages == ()


def test_an_interrupted_restoration_shows_nobody_who_was_erased(
    database: Database,
    kept: Store,  # noqa: F811
    how,  # noqa: F811
    shelf: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    _, (head,) = dataset(database, kept, person("zqjane"), "scan of zqjane")
    before = back_up(database, kept, shelf, scratch=tmp_path)
    erase(database, kept, "zqjane", how)
    back_up(database, kept, shelf, scratch=tmp_path)
    home = tmp_path / "anew"
    settings = load_settings(environment={}, home=made_folder(home, "home"))
    into, anew = open_store(settings.resolved_store_url()), Database(settings.resolved_database_url())
    again = {"migrate": migrate, "scratch": tmp_path, "snapshot_id": before.id}

    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("pulvinar.operations.restore.apply_erasures", killed)
        restore(shelf, anew, into, **again)
    assert list(into.list(head.prefix)) == []
    with pytest.raises(Unavailable, match="is being restored"):
        open_platform(settings)
    done = restore(shelf, anew, into, **again)
    assert done.erasures == 1
    with open_platform(settings) as opened, pytest.raises(NotFound):
        find_subject(opened.database, "zqjane")
    with pytest.raises(Conflict):
        restore(shelf, anew, into, **again)
    anew.close()
