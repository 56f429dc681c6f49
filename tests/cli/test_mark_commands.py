"""A person makes a document of marks from the command line, brings marks in, and gets them out."""

import csv
import io
import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from tests.catalogue.conftest import OBJECTS, new_asset
from typer.testing import CliRunner

from pulvinar.access.work import UnitOfWork
from pulvinar.catalogue.assets import find_home
from pulvinar.catalogue.datasets import create_dataset
from pulvinar.catalogue.drafts import add_asset, open_draft
from pulvinar.catalogue.publishing import publish
from pulvinar.cli.app import app
from pulvinar.errors import Invalid, NotFound
from pulvinar.model.dataset import AssetKind
from pulvinar.model.record import Record, Species
from pulvinar.platform import open_platform


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PULVINAR_HOME", str(tmp_path / "home"))

    def invoke(*words):
        done = CliRunner().invoke(app, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    return invoke


@pytest.fixture
def brain(run):
    with open_platform() as platform, UnitOfWork(platform.database, platform.actor) as work:
        made = create_dataset(work, Record("A brain", Species.MOUSE, "CC0-1.0"))
        draft = open_draft(work, made.id)
        add_asset(work, draft.id, new_asset("brain"), OBJECTS)
        publish(work, draft.id)
    return made.id


def test_a_table_goes_in_and_comes_out_as_another(run, brain, tmp_path):
    document = run("marks", "new", "Cells of layer 5", "--dataset", brain).strip()
    table = tmp_path / "cells.csv"
    table.write_text("x_um,y_um,z_um,text\n" + "".join(f"{i},2,3,cell {i}\n" for i in range(12_000)))
    assert run("marks", "import", document, table, "--format", "csv") == "12000 marks brought in\n"
    (listed,) = json.loads(run("marks", "list", "--dataset", brain, "--json"))
    assert (listed["id"], listed["title"], listed["number"]) == (document, "Cells of layer 5", 2)
    assert "Cells of layer 5" in run("marks", "list")
    rows = list(csv.DictReader(io.StringIO(run("marks", "export", document, "--format", "csv"))))
    assert {(float(one["x_um"]), one["text"]) for one in rows} == {(i, f"cell {i}") for i in range(12_000)}
    state = json.loads(run("marks", "export", document, "--format", "neuroglancer"))
    assert len(state["layers"][0]["annotations"]) == 12_000


def test_what_is_wrong_is_said(run, brain, tmp_path):
    with pytest.raises(NotFound):
        run("marks", "export", "local-00000000000000000000000000")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    document = run("marks", "new", "Mine", "--dataset", brain).strip()
    with pytest.raises(Invalid, match="no JSON"):
        run("marks", "import", document, broken)


def test_verdicts_on_cells_come_out_as_corrections_and_are_frozen(run, tmp_path):
    """Places are told from the first voxel of the volume in which the cells were found, wherever it lies."""
    turned = [[1.0, 0, 0, 100.0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    cells = replace(new_asset("cells"), kind=AssetKind.POINTS, details={"to_world_um": turned, "count": 2})
    with open_platform() as platform, UnitOfWork(platform.database, platform.actor) as work:
        made = create_dataset(work, Record("Cells", Species.MOUSE, "CC0-1.0"))
        add_asset(work, open_draft(work, made.id).id, cells, OBJECTS)
    document = run("marks", "new", "Judged", "--dataset", made.id, "--cells", cells.id).strip()
    table = tmp_path / "verdicts.csv"
    table.write_text("z_um,y_um,x_um,kind,verdict\n101,2,3,verdict,accept\n104,5,6,verdict,reject\n7,8,9,point,\n")
    run("marks", "import", document, table, "--format", "csv")
    head, *rows = csv.reader(io.StringIO(run("marks", "export", document, "--format", "corrections")))
    assert head == ["z_um", "y_um", "x_um", "verdict"]
    assert sorted(rows) == [["1.0", "2.0", "3.0", "accept"], ["4.0", "5.0", "6.0", "reject"]]
    frozen = json.loads(run("marks", "freeze", document, "--json"))
    assert frozen["count"] == 2
    with open_platform() as platform:
        version, asset = find_home(platform.database, platform.actor, frozen["asset"])
        assert (version.dataset_id, asset.kind) == (frozen["dataset"], AssetKind.TABLE)
        stored = pq.read_table(io.BytesIO(platform.store.read(f"{asset.prefix}/table.parquet")))
    assert {"z_um": 4.0, "y_um": 5.0, "x_um": 6.0, "verdict": "reject"} in stored.to_pylist()
    assert run("marks", "freeze", document).startswith("local-")
