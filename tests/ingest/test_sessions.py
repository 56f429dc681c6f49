import threading
from dataclasses import replace

import numpy as np
import pytest

from pulvinar.errors import Conflict
from pulvinar.ingest import sessions
from pulvinar.ingest.quality import QualityObserver
from pulvinar.ingest.sessions import (
    AssetLedger,
    abandon_sessions,
    assets_in_work,
    find_done,
    finish,
    forget,
    held_session,
    known_assets,
)
from pulvinar.model.dataset import StoredObject
from pulvinar.model.space import Window
from pulvinar.storage.owner import this_process

PRINT = "f" * 64
OBJECTS = tuple(StoredObject(f"image.ome.zarr/0/c/0/0/{n}/0/0", 100 + n, f"{n:064d}") for n in range(3))


def test_what_was_recorded_is_there_for_the_next_run(database):
    with held_session(database, PRINT, "/data/brain", "local") as first:
        (asset,) = known_assets(database, first, ["a"], "local")
        ledger = AssetLedger(database, first, asset.id)
        ledger.record(OBJECTS[:2])
        ledger.record(OBJECTS[1:])
    with held_session(database, PRINT, "/data/brain", "local") as second:
        assert second.id == first.id
        again = known_assets(database, second, ["b", "a"], "local")
        assert again[1].id == asset.id
        assert AssetLedger(database, second, asset.id).finished() == {item.path: item for item in OBJECTS}
        assert again[0].id != asset.id


def test_what_was_observed_is_kept_with_the_shards(database):
    array = np.arange(120, dtype=np.uint16).reshape(1, 1, 4, 5, 6)
    windows = [Window((0, 0, z, 0, 0), (1, 1, z + 2, 5, 6)) for z in (0, 2)]
    with held_session(database, PRINT, "/data/brain", "local") as session:
        (asset,) = known_assets(database, session, ["a"], "local")
        ledger, observer = AssetLedger(database, session, asset.id), QualityObserver(array.shape, "uint16")
        ledger.observe_with(observer)
        observer(windows[0], array[windows[0].slices])
        ledger.record(OBJECTS[:1])
        fresh = QualityObserver(array.shape, "uint16")
        AssetLedger(database, session, asset.id).observe_with(fresh)
    assert fresh._highest[0, 0].tolist()[:2] == [29, 59]
    assert fresh._lowest[0, 0].tolist()[:2] == [0, 30]


def test_a_second_process_is_refused(database):
    with held_session(database, PRINT, "/data/brain", "local"):
        with pytest.raises(Conflict, match="/data/brain"), held_session(database, PRINT, "/data/brain", "local"):
            pass
        with held_session(database, "e" * 64, "/data/other", "local"):
            pass


def test_of_many_that_come_at_once_one_gets_it(database):
    together = threading.Barrier(8)
    outcomes = []

    def come():
        together.wait()
        try:
            with held_session(database, PRINT, "/data/brain", "local"):
                outcomes.append("held")
                stay.wait(20)
        except Conflict:
            outcomes.append("refused")
            if outcomes.count("refused") == 7:
                stay.set()

    stay = threading.Event()
    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("held") == 1


def holder_elsewhere(database, monkeypatch, age_s):
    """A session whose holder is on another machine and was last heard of `age_s` ago."""
    parts = this_process().split("/")
    monkeypatch.setattr(sessions, "this_process", lambda: "/".join(["another", *parts[1:]]))
    real = sessions.time.time
    monkeypatch.setattr(sessions.time, "time", lambda: real() - age_s)
    holder = sessions._claim(database, PRINT, "/data/brain", "local")
    monkeypatch.undo()
    return holder


def test_a_holder_on_another_machine_counts_as_dead_when_silent(database, monkeypatch):
    holder_elsewhere(database, monkeypatch, 30)
    with pytest.raises(Conflict), held_session(database, PRINT, "/data/brain", "local"):
        pass


def test_who_was_taken_over_can_record_nothing_more(database, monkeypatch):
    lost = holder_elsewhere(database, monkeypatch, 300)
    (asset,) = known_assets(database, lost, ["a"], "local")
    monkeypatch.setattr(sessions.time, "time", lambda: 1e11)
    with held_session(database, PRINT, "/data/brain", "local"), pytest.raises(Conflict, match="taken over"):
        AssetLedger(database, lost, asset.id).record(OBJECTS)


def test_the_end_of_a_session_and_its_dataset_are_one_commit(database):
    with held_session(database, PRINT, "/data/brain", "local") as session:
        (asset,) = known_assets(database, session, ["a"], "local")
        AssetLedger(database, session, asset.id).whole(OBJECTS, {"a": 1})
        assert assets_in_work(database) == {asset.id}
        with database.session() as sql:  # not a writing one: nothing of it is committed
            finish(sql, session, "d", "v")
        assert find_done(database, PRINT) is None
        assert known_assets(database, session, ["a"], "local")[0].whole
        with database.writing() as sql:
            finish(sql, session, "d", "v")
    assert find_done(database, PRINT) == ("d", "v")
    assert assets_in_work(database) == set()
    forget(database, PRINT)
    assert find_done(database, PRINT) is None


def test_only_idle_sessions_are_given_up(database):
    with held_session(database, PRINT, "/data/brain", "local") as session:
        known_assets(database, session, ["a"], "local")
        assert abandon_sessions(database, -10) == 0
    assert abandon_sessions(database, 3600) == 0
    assert abandon_sessions(database, -10) == 1
    assert assets_in_work(database) == set()
    assert replace(session, owner="x").id == session.id
