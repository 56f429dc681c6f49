"""A person's data erased: out of versions, search, jobs and store; the digest of what was published still proved."""

import hashlib
import json

import pytest
from sqlalchemy import select, text

from pulvinar.access.subject_keys import SubjectKeys
from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue import add_asset, create_dataset, get_version, list_versions, manifest, open_draft, publish
from pulvinar.catalogue.tables import asset, derivation_input
from pulvinar.catalogue.tombstones import certificates, erased_leaves
from pulvinar.errors import Conflict, Forbidden, Invalid, NotFound
from pulvinar.model.access import LOCAL_OWNER, Actor
from pulvinar.model.dataset import (
    Asset,
    AssetKind,
    StoredObject,
    asset_digest,
    fits_digest,
    manifest_digest,
    record_leaf,
)
from pulvinar.model.identity import new_id
from pulvinar.model.record import Record, Species, Subject
from pulvinar.operations.erasure import (
    Erasure,
    apply_erasures,
    erase,
    find_subject,
    finish_erasures,
    read_certificates,
)
from pulvinar.operations.scrub import verify
from pulvinar.operations.sweep import sweep
from pulvinar.storage.database import metadata
from pulvinar.storage.store import open_store

STRANGER = Actor("stranger", "a stranger")


@pytest.fixture
def kept(tmp_path):
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture
def how(tmp_path):
    keys = SubjectKeys(tmp_path / "keys")
    return Erasure(LOCAL_OWNER, "asked by letter", 30, keys=keys, folder=tmp_path / "erasures")


def person(name):
    subject = Subject(name, Species.HUMAN, sex="female", age="P31Y")
    return Record(f"head of {name}", Species.HUMAN, "CC0-1.0", subject=subject, keywords=(f"word-of-{name}",))


def stored(store, name):
    made = new_id("local")
    objects = []
    for path in ("table.parquet", "thumbnail.png", "pictures/one.png"):
        data = f"{path} of {name}".encode()
        store.put_bytes(f"assets/{made}/{path}", data)
        objects.append(StoredObject(path, len(data), hashlib.sha256(data).hexdigest()))
    size = sum(one.size_bytes for one in objects)
    held = Asset(made, name, AssetKind.TABLE, f"assets/{made}", size, len(objects), asset_digest(objects), {"of": name})
    return held, objects


def dataset(database, store, record, *names, published=True):
    with UnitOfWork(database, LOCAL_OWNER) as work:
        made = create_dataset(work, record)
        draft = open_draft(work, made.id)
        assets = [stored(store, name) for name in names]
        for one, objects in assets:
            add_asset(work, draft.id, one, objects)
        if published:
            publish(work, draft.id)
    return made.id, [one for one, _ in assets]


def derive(database, made, *inputs):
    with database.writing() as session:
        for index, (dataset_id, one) in enumerate(inputs):
            row = {"asset_id": made.id, "name": f"i{index}", "input_asset_id": one.id, "dataset_id": dataset_id}
            session.execute(derivation_input.insert().values(**row))


def everything(database, store):
    with database.session() as session:
        tables = [*metadata.tables, "dataset_words", "asset_words"]
        told = [str(row) for table in tables for row in session.execute(text(f'select * from "{table}"'))]
    told += [entry.key + store.read(entry.key).decode() for entry in store.list("")]
    return "\n".join(one for one in told)


def test_a_person_goes_from_everywhere_and_the_digest_is_proved(database, kept, how):
    dataset_id, (head,) = dataset(database, kept, person("zqjane"), "scan of zqjane")
    other, _ = dataset(database, kept, person("joe"), "scan of joe")
    before = get_version(database, LOCAL_OWNER, dataset_id)
    certificate = erase(database, kept, "zqjane", how)
    after = get_version(database, LOCAL_OWNER, dataset_id)
    assert after.digest == before.digest
    assert after.assets == ()
    assert after.record.subject is None
    leaves = erased_leaves(database, dataset_id)[after.id]
    assert leaves["record"] == record_leaf(before.document)
    assert fits_digest(after, leaves)
    assert manifest_digest(leaves["record"], [leaves[head.id]]) == before.digest
    assert verify(database, kept, LOCAL_OWNER, dataset_id).damages == ()
    # the log of what happened, which is never rewritten, has identifiers alone
    told = everything(database, kept)
    assert [line for line in told.splitlines() if "zqjane" in line] == []
    assert not list(kept.list(head.prefix))
    assert get_version(database, LOCAL_OWNER, other).assets
    assert certificate["bytes_removed"]
    assert certificate["objects_removed"] == 3
    assert [one["id"] for one in certificate["assets"]] == [head.id]
    assert "zqjane" not in json.dumps(certificate)
    with pytest.raises(NotFound):
        find_subject(database, "zqjane")


def test_a_new_version_and_a_draft_go_too(database, kept, how):
    dataset_id, _ = dataset(database, kept, person("jane"), "one")
    with UnitOfWork(database, LOCAL_OWNER) as work:
        add_asset(work, open_draft(work, dataset_id).id, *stored(kept, "two"))
    erase(database, kept, "jane", how)
    draft, published = list_versions(database, LOCAL_OWNER, dataset_id)
    assert (draft.assets, published.assets) == ((), ())
    assert fits_digest(draft)
    assert fits_digest(published, erased_leaves(database, dataset_id)[published.id])
    told = manifest(database, LOCAL_OWNER, published.id)
    assert {one["of"] for one in told["erased"]} >= {"record"}


def test_what_was_made_goes_and_what_is_of_several_is_flagged(database, kept, how):
    one, (jane,) = dataset(database, kept, person("jane"), "jane")
    two, (joe,) = dataset(database, kept, person("joe"), "joe")
    plain = Record("made", Species.HUMAN, "CC0-1.0")
    made, (mask, grown, mean) = dataset(database, kept, plain, "mask", "mask of mask", "mean of both")
    derive(database, mask, (one, jane))
    derive(database, grown, (made, mask))
    derive(database, mean, (one, jane), (two, joe))
    found = find_subject(database, "jane")
    assert {each.id for each in found.assets} == {jane.id, mask.id, grown.id}
    assert {each.id for each in found.assets if each.derived} == {mask.id, grown.id}
    assert [each.id for each in found.shared] == [mean.id]
    certificate = erase(database, kept, "jane", how)
    assert [each["id"] for each in certificate["kept_of_several"]] == [mean.id]
    assert [each.id for each in get_version(database, LOCAL_OWNER, made).assets] == [mean.id]
    assert verify(database, kept, LOCAL_OWNER, made).damages == ()


def test_only_who_administers_all_of_it_erases_and_says_why(database, kept, how):
    dataset(database, kept, person("jane"), "jane")
    with pytest.raises(Forbidden):
        erase(database, kept, "jane", Erasure(STRANGER, "curious", 30))
    with pytest.raises(Invalid, match="reason"):
        erase(database, kept, "jane", Erasure(LOCAL_OWNER, " ", 30))
    assert find_subject(database, "jane").assets


def test_what_a_restore_brings_back_goes_again(database, kept, how, tmp_path):
    """The catalogue and the objects of before, as a backup has them, and the certificates of after."""
    dataset_id, (head,) = dataset(database, kept, person("jane"), "jane")
    erase(database, kept, "jane", how)
    with UnitOfWork(database, LOCAL_OWNER) as work:
        draft = open_draft(work, dataset_id)
        objects = []
        for path in ("table.parquet",):
            kept.put_bytes(f"{head.prefix}/{path}", b"back")
            objects.append(StoredObject(path, 4, hashlib.sha256(b"back").hexdigest()))
        back = Asset(head.id, "jane", AssetKind.TABLE, head.prefix, 4, 1, asset_digest(objects), {})
        add_asset(work, draft.id, back, objects)
    (known,) = read_certificates(how.folder)
    assert known == certificates(database)[0]
    assert apply_erasures(database, kept, [known]) == 1
    assert apply_erasures(database, kept, [known]) == 0
    assert not list(kept.list(head.prefix))
    with database.session() as session:
        assert session.scalar(select(asset.c.id).where(asset.c.id == head.id)) is None


def test_an_interrupted_erasure_is_finished(database, kept, how, monkeypatch):
    _, (head,) = dataset(database, kept, person("jane"), "jane")
    with monkeypatch.context() as broken:
        broken.setattr("pulvinar.operations.erasure._remove_bytes", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            erase(database, kept, "jane", how)
    assert list(kept.list(head.prefix))
    assert finish_erasures(database, kept, how.folder) == 1
    assert not list(kept.list(head.prefix))
    assert finish_erasures(database, kept, how.folder) == 0
    assert sweep(database, kept, grace_s=0).keys == ()


def test_the_key_of_an_erased_person_is_destroyed(database, kept, how):
    dataset(database, kept, person("jane"), "jane")
    sealed = how.keys.encrypt("jane", b"a head", "tape 7")
    assert erase(database, kept, "jane", how)["key_destroyed"]
    with pytest.raises(NotFound, match="destroyed"):
        how.keys.decrypt("jane", sealed, "tape 7")
    with pytest.raises(Conflict, match="destroyed"):
        how.keys.encrypt("jane", b"again", "tape 8")
