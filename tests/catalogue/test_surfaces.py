from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pulvinar.catalogue.surfaces import maps_of, read_map, surfaces_of
from pulvinar.errors import Invalid, NotFound
from pulvinar.ingest.geometry import geometry_files
from pulvinar.ingest.reader import MeshData, TableData
from pulvinar.model.dataset import Asset, AssetKind
from pulvinar.model.identity import new_id
from pulvinar.storage.folder_store import FolderStore

FACES = np.array([[0, 1, 2], [0, 2, 3]])
PLACES = np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]])


@pytest.fixture
def made(tmp_path: Path):
    store = FolderStore(tmp_path / "store")

    def make(name: str, data: MeshData | TableData, header=None) -> Asset:
        kind = AssetKind.MESH if isinstance(data, MeshData) else AssetKind.TABLE
        files = geometry_files(data, name)
        asset_id = new_id()
        for path, content in files.files.items():
            store.put_bytes(f"assets/{asset_id}/{path}", content)
        details = {**files.details, "header": header or {}}
        return Asset(asset_id, name, kind, f"assets/{asset_id}", 1, 1, "0" * 64, details)

    make.store = store
    return make


def mesh(columns=None):
    return MeshData(PLACES, FACES, columns or {})


def table(values, **more):
    return TableData({"vertex": np.arange(len(values)), **more, "shape": np.asarray(values)})


def test_forms_of_a_side_and_what_they_are_called(made):
    names = ["infl_right.gii", "lh.pial.surf.gii", "pial_right", "lh.inflated", "fsaverage.L.midthickness.32k_fs_LR"]
    found = [(one.form, one.side) for one in surfaces_of([made(name, mesh()) for name in names])]
    assert found == [
        ("pial", "left"),
        ("pial", "right"),
        ("midthickness", "left"),
        ("inflated", "left"),
        ("inflated", "right"),
    ]
    (alone,) = surfaces_of([made("ZfKunst2019", mesh())])
    assert (alone.form, alone.side, alone.vertices) == ("ZfKunst2019", "", 4)


def test_maps_of_both_sides_are_one(made):
    sides = [made(name, mesh()) for name in ("lh.pial", "rh.pial")]
    tables = [made("sulc_left.gii", table([1.0, -1, 2, 3])), made("sulc_right.gii", table([4.0, 5, 6, 7]))]
    other = made("thickness_left.gii", table([1.0, 2, 3]))
    (sulc,) = maps_of([*sides, *tables, other])
    assert (sulc.name, [part.side for part in sulc.parts]) == ("sulc", ["left", "right"])
    part = sulc.parts[1]
    assert read_map(made.store, part.asset, part.column, "right", 4).values.tolist() == [4, 5, 6, 7]


def test_a_table_of_both_sides_gives_each_its_own(made):
    both = TableData(
        {
            "structure": np.array(["CORTEX_LEFT", "CORTEX_LEFT", "CORTEX_RIGHT", "THALAMUS_LEFT"], object),
            "vertex": np.array([0, 3, 2, -1]),
            "myelin": np.array([1.0, 2, 3, 4]),
        }
    )
    assets = [made("lh.pial", mesh()), made("rh.pial", mesh()), made("a.dscalar.nii", both)]
    (found,) = maps_of(assets)
    assert [part.side for part in found.parts] == ["left", "right"]
    left = read_map(made.store, assets[2], "myelin", "left", 4).values
    assert np.array_equal(left, [1, np.nan, np.nan, 2], equal_nan=True)
    with pytest.raises(Invalid, match="of 4 vertices or more, the surface has 3"):
        read_map(made.store, assets[2], "myelin", "left", 3)


def test_words_keep_their_colours_and_no_word_is_no_region(made):
    columns = {"areas": np.array(["V2", "V1", "???", ""], object), "areas key": np.array([2, 1, 0, 9])}
    header = {"labels": [{"id": 1, "name": "V1", "color": "FF0000"}]}
    asset = made("lh.pial", mesh(columns), header)
    assert [one.name for one in maps_of([asset])] == ["areas"]
    told = read_map(made.store, asset, "areas", "left", 4)
    assert told.words == ("V1", "V2")
    assert told.colors == ("FF0000", "")
    assert np.array_equal(told.values, [1, 0, np.nan, np.nan], equal_nan=True)


def test_what_is_no_map_is_not_found(made):
    with pytest.raises(NotFound, match="has no map thickness"):
        read_map(made.store, made("lh.pial", mesh()), "thickness", "left", 4)
