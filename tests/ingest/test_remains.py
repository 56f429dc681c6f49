"""What killed processes leave: removed when nobody can still be writing it, and never before."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from ulid import ULID

from pulvinar.errors import Conflict
from pulvinar.ingest import intake
from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Options
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Means, Request
from pulvinar.ingest.sandbox import Limits
from pulvinar.ingest.sessions import assets_in_work, held_session, known_assets
from pulvinar.ingest.workplace import clear_workplaces, held_workplace
from pulvinar.operations.sweep import sweep
from pulvinar.storage.store import open_store, unfinished

HOUR_S = 3600.0


@pytest.fixture
def folder_store(tmp_path):
    return open_store((tmp_path / "store").as_uri())


def begin(store, asset_id, age_s=0.0):
    """A shard of the asset that was begun so long ago."""
    path = store.scratch_for(f"assets/{asset_id}/image.ome.zarr/0/c/0/0/0/0/0", store.root)
    part = ULID.from_timestamp(time.time() - age_s)
    path = path.with_name(f"{path.name.rpartition('-')[0]}-{str(part).lower()}")
    path.write_bytes(bytes(1000))
    return path


def test_a_sweep_removes_what_dead_writers_have_begun_and_no_other(database, folder_store):
    with held_session(database, "a" * 64, "/living", "local") as session:
        (living,) = known_assets(database, session, ["a"], "local")
        with held_session(database, "b" * 64, "/dead", "local") as other:
            (dead,) = known_assets(database, other, ["a"], "local")
        kept = [begin(folder_store, living.id, 48 * HOUR_S), begin(folder_store, dead.id, HOUR_S)]
        gone = [begin(folder_store, dead.id, 48 * HOUR_S), begin(folder_store, "local-01hzzzzzzzzzzzzzzzzzzzzzzz", 1e6)]
        older = folder_store.root / ".partial" / "part-01hzzzzzzzzzzzzzzzzzzzzzzz"
        older.write_bytes(b"from before files said of whom they are")
        dry = sweep(database, folder_store, dry=True)
        swept = sweep(database, folder_store)
    assert swept.keys == dry.keys
    assert len(swept.keys) == 3
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in [*gone, older])
    sweep(database, folder_store, grace_s=0)
    assert list(unfinished(folder_store)) == []
    folder_store.put_bytes("assets/still/works", b"")


def test_an_ingest_that_goes_on_removes_what_it_had_begun(database, folder_store, tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "brain.tif", np.ones((9, 9, 9), np.uint8), photometric="minisblack")
    answers = RecordAnswers(title="A brain", species="mouse", licence="CC0-1.0")
    request = Request(tmp_path / "brain.tif", Options(voxel_size_um=(1, 1, 1)), answers)
    means = Means(database, folder_store, tmp_path / "scratch", Limits(), threads=2)
    with monkeypatch.context() as patched:
        patched.setattr(intake, "write_asset", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            ingest(means, request)
    (asset_id,) = assets_in_work(database)
    mine, other = begin(folder_store, asset_id), begin(folder_store, "local-01hzzzzzzzzzzzzzzzzzzzzzzz")
    (asset,) = ingest(means, request).version.assets
    assert asset.id == asset_id
    assert (mine.exists(), other.exists()) == (False, True)


def test_a_workplace_leaves_nothing_and_a_killed_one_is_cleared(tmp_path):
    with held_workplace(tmp_path, "a"), pytest.raises(Conflict), held_workplace(tmp_path, "a"):
        pass
    assert list(tmp_path.iterdir()) == []
    code = "from pulvinar.ingest.workplace import held_workplace; from pathlib import Path; import sys, time\n"
    code += "with held_workplace(Path(sys.argv[1]), 'b') as at: (at / 'x').touch(); print(flush=True); time.sleep(99)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert clear_workplaces(tmp_path, 0) == 0
        assert (tmp_path / "b" / "x").exists()
        os.kill(process.pid, signal.SIGKILL)
    assert clear_workplaces(tmp_path, HOUR_S) == 0
    assert clear_workplaces(tmp_path, 0) == 1
    assert list(tmp_path.iterdir()) == []
