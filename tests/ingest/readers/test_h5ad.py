"""AnnData files written by anndata, read without it; and tables as the instruments of spatial transcriptomics give."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from tests.ingest.readers.reading import find_one, flags, read_geometry, said

from pulvinar.errors import PulvinarError
from pulvinar.ingest.reader import Options, PointsData, TableData
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.h5ad import H5adReader
from pulvinar.ingest.readers.tables import TableReader
from pulvinar.model.dataset import AssetKind

# the newest way to write text; the older one is a test of its own
anndata.settings.allow_write_nullable_strings = True
READER = H5adReader()
CELLS, GENES = 30, 8


def cells(spatial=True):
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.5, (CELLS, GENES)).astype("f4")
    about = {
        "type": pd.Categorical.from_codes(rng.integers(-1, 3, CELLS), ["a", "b", "c"]),
        "count": np.arange(CELLS),
        "good": rng.random(CELLS) > 0.5,
        "words": np.array([f"x{number}" for number in range(CELLS)], dtype=object),
        "holes": pd.array([None, *range(1, CELLS)], dtype="Int64"),
    }
    names = pd.Index(np.array([f"cell{number}" for number in range(CELLS)], dtype=object))
    genes = pd.Index(np.array([f"gene{number}" for number in range(GENES)], dtype=object))
    made = anndata.AnnData(
        scipy.sparse.csr_matrix(counts),
        pd.DataFrame(about, index=names),
        pd.DataFrame({"variable": rng.random(GENES) > 0.5}, index=genes),
    )
    if spatial:
        made.obsm["spatial"] = rng.random((CELLS, 2)) * 100
    made.obsm["X_pca"] = rng.random((CELLS, 3))
    made.layers["dense"] = np.where(counts > 0, rng.random((CELLS, GENES)), 0)
    made.layers["columns"] = scipy.sparse.csc_matrix(counts)
    made.uns["organism"] = "Mus musculus"
    made.raw = made
    return made


@pytest.fixture
def folder(tmp_path):
    cells().write_h5ad(tmp_path / "brain.h5ad")
    return tmp_path


def found(folder, options=None):
    assets = READER.find(source_files(folder), options or Options())
    return {asset.metadata["header"]["path"]: asset for asset in assets}


def read(folder, path, options=None):
    options = options or Options()
    return READER.read_geometry(found(folder, options)[path], folder, options)


def test_cells_are_points_with_all_that_is_known_of_them(folder):
    theirs = anndata.read_h5ad(folder / "brain.h5ad")
    data = read(folder, "obs", Options(unit="um"))
    assert isinstance(data, PointsData)
    assert np.array_equal(data.zyx_um[:, ::-1][:, :2], theirs.obsm["spatial"])
    assert data.columns["name"].tolist() == theirs.obs_names.tolist()
    assert data.columns["type"].tolist() == theirs.obs["type"].astype(object).fillna("").tolist()
    assert "" in data.columns["type"].tolist()
    assert data.columns["count"].tolist() == theirs.obs["count"].tolist()
    assert data.columns["good"].tolist() == theirs.obs["good"].tolist()
    assert data.columns["words"].tolist() == theirs.obs["words"].tolist()
    assert np.isnan(data.columns["holes"][0])
    assert data.columns["holes"][1:].tolist() == list(range(1, CELLS))
    assert np.array_equal(data.columns["X_pca 2"], theirs.obsm["X_pca"][:, 2])
    asset = found(folder)["obs"]
    assert ("doubt", "--unit") in flags(asset)
    assert "what the file keeps in uns is left out: organism" in said(asset)
    assert asset.metadata["species"] == "Mus musculus"


def test_matrices_are_tables_of_what_is_not_zero(folder):
    theirs = anndata.read_h5ad(folder / "brain.h5ad")
    expected = {"X": theirs.X, "layers/dense": theirs.layers["dense"], "layers/columns": theirs.layers["columns"]}
    expected["raw/X"] = theirs.raw.X
    assert set(found(folder)) == {"obs", "var", "raw/var", *expected}
    for path, matrix in expected.items():
        data = read(folder, path)
        assert isinstance(data, TableData)
        whole = np.zeros((CELLS, GENES))
        whole[data.columns["cell"], data.columns["gene"]] = data.columns["value"]
        dense = matrix.toarray() if scipy.sparse.issparse(matrix) else matrix
        assert np.array_equal(whole, dense), path
        assert len(data.columns["cell"]) == np.count_nonzero(dense)
        order = data.columns["cell"] * GENES + data.columns["gene"]
        assert (np.diff(order) > 0).all()
    assert read(folder, "var").columns["name"].tolist() == theirs.var_names.tolist()


def test_text_and_categories_as_older_versions_wrote_them(folder):
    newest = read(folder, "obs").columns
    with h5py.File(folder / "brain.h5ad", "a") as file:
        obs = file["obs"]
        for key in [key for key in ("_index", "words") if isinstance(obs[key], h5py.Group)]:
            values = obs[f"{key}/values"][()]
            del obs[key]
            obs[key] = values
        codes, categories = obs["type/codes"][()], obs["type/categories"][()]
        del obs["type"]
        obs["type"], obs["__categories/type"] = codes, categories
        obs["type"].attrs["categories"] = obs["__categories/type"].ref
    older = read(folder, "obs").columns
    for key in ("name", "words", "type"):
        assert older[key].tolist() == newest[key].tolist()


def test_cells_without_a_place_are_a_table(tmp_path):
    cells(spatial=False).write_h5ad(tmp_path / "brain.h5ad")
    assert isinstance(read(tmp_path, "obs"), TableData)


def test_the_places_of_spots_are_pixels_of_their_image(tmp_path):
    spots = cells()
    spots.uns["spatial"] = {"library": {"scalefactors": {"spot_diameter_fullres": 90.0}}}
    spots.write_h5ad(tmp_path / "brain.h5ad")
    assert ("question", "--voxel-size") in flags(found(tmp_path)["obs"])
    data = read(tmp_path, "obs", Options(voxel_size_um=(1.0, 0.5, 0.25)))
    assert np.array_equal(data.zyx_um[:, ::-1][:, :2], spots.obsm["spatial"] * [0.25, 0.5])


def outside(file):
    file["X/indices"][0] = GENES


def no_category(file):
    file["obs/type/codes"][0] = 3


def linked(file):
    del file["layers/dense"]
    file["layers/dense"] = h5py.ExternalLink("/etc/passwd", "/x")


def endless(file):
    del file["layers/dense"]
    stored = file.create_dataset("layers/dense", (10**9, 10**6), "f8", chunks=(1000, 1000))
    stored.attrs["encoding-type"] = "array"


def more_cells(file):
    file["X"].attrs["shape"] = np.array([CELLS + 1, GENES])


def lost_column(file):
    del file["obs/count"]


def shorter_column(file):
    del file["obs/count"]
    file["obs/count"] = np.arange(CELLS - 1)


def old(file):
    del file["obs"]
    file["obs"] = np.zeros(CELLS, [("index", "S3"), ("n", "i4")])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (outside, "X has values outside of its shape"),
        (no_category, "name categories that are not there"),
        (linked, "is a link to elsewhere"),
        (endless, "and the file can't hold more"),
        (more_cells, "X has the shape .31, 8. for 30 cells and 8 genes"),
        (lost_column, "has no column 'count'"),
        (shorter_column, "has 29 rows, the table has 30"),
        (old, "written as before AnnData 0.7"),
    ],
)
def test_a_hostile_file_is_refused_and_its_twin_is_read(folder, spoil, reason):
    assert len(read(folder, "X").columns["value"])
    with h5py.File(folder / "brain.h5ad", "a") as file:
        spoil(file)
    with pytest.raises(PulvinarError, match=reason) as refused:
        for asset in found(folder).values():
            READER.read_geometry(asset, folder, Options())
    assert "brain.h5ad" in refused.value.message


def test_what_is_pickled_or_linked_in_uns_is_never_read(folder):
    with h5py.File(folder / "brain.h5ad", "a") as file:
        file["uns/secret"] = h5py.ExternalLink("/etc/passwd", "/x")
        file["uns/pickled"] = np.void(b"cos\nsystem\n(S'touch /tmp/escaped'\ntR.")
    assert len(found(folder)) == 7


@pytest.mark.parametrize(
    ("columns", "unit", "places"),
    [
        # 10x Xenium: micrometres; MERFISH (Vizgen): the middle of a cell, and its box; 10x Visium: pixels
        (["cell_id", "x_centroid", "y_centroid", "transcript_counts"], "", (1, 2)),
        (["EntityID", "center_x", "center_y", "min_x", "min_y", "max_x", "max_y"], "", (1, 2)),
        (["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"], "px", (5, 4)),
        (["transcript_id", "x_location", "y_location", "z_location", "qv"], "", (1, 2)),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_of_spatial_transcriptomics_are_points(tmp_path, columns, unit, places, ending):
    values = np.random.default_rng(2).random((12, len(columns))) * 1000
    if ending == "csv":
        rows = [",".join(map(repr, row)) for row in values.tolist()]
        (tmp_path / "cells.csv").write_text("\n".join([",".join(columns), *rows, ""]))
    else:
        pq.write_table(pa.table(dict(zip(columns, values.T, strict=True))), tmp_path / "cells.parquet")
    asked = ("question", "--voxel-size") in flags(find_one(TableReader(), tmp_path))
    assert asked == (unit == "px")
    options = Options(voxel_size_um=(1.0, 0.5, 0.5)) if unit else Options(unit="um")
    data = read_geometry(TableReader(), tmp_path, options)
    scale = 0.5 if unit else 1.0
    assert np.array_equal(data.zyx_um[:, 2], values[:, places[0]] * scale)
    assert np.array_equal(data.zyx_um[:, 1], values[:, places[1]] * scale)


def test_a_heap_without_an_end_is_refused(folder):
    """HDF5 walks a heap by the sizes that its objects say, and goes on for ever where free space says 0."""
    path = folder / "brain.h5ad"
    content = bytearray(path.read_bytes())
    assert len(found(folder)) == 7
    heap = content.find(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)
    path.write_bytes(content)
    with pytest.raises(PulvinarError, match=r"brain\.h5ad is damaged: the heap at byte \d+ has no end"):
        found(folder)


def with_graphs():
    made = cells()
    distances = scipy.sparse.random(CELLS, CELLS, 0.2, "csr", random_state=3)
    made.obsp["distances"] = distances
    made.obsp["connectivities"] = np.where(np.arange(CELLS)[:, None] == np.arange(CELLS), 0, 0.5)
    made.varp["correlation"] = scipy.sparse.csc_matrix(np.eye(GENES))
    made.varm["PCs"] = np.arange(GENES * 3.0).reshape(GENES, 3)
    made.uns["type_colors"] = ["#ff0000", "#00ff00"]
    return made


def test_graphs_of_cells_and_genes_are_connectivity(tmp_path):
    theirs = with_graphs()
    theirs.write_h5ad(tmp_path / "brain.h5ad")
    assets = found(tmp_path)
    assert assets["obsp/distances"].kind is AssetKind.CONNECTIVITY
    assert assets["varp/correlation"].name == "brain genes correlation"
    data = read(tmp_path, "obsp/distances")
    assert np.array_equal(data.values, theirs.obsp["distances"].toarray())
    assert data.sources.tolist() == theirs.obs_names.tolist()
    assert data.measure == "distance"
    assert np.array_equal(read(tmp_path, "obsp/connectivities").values, theirs.obsp["connectivities"])
    genes = read(tmp_path, "varp/correlation")
    assert genes.targets.tolist() == theirs.var_names.tolist()
    assert np.array_equal(genes.values, np.eye(GENES))
    assert read(tmp_path, "var").columns["PCs 2"].tolist() == theirs.varm["PCs"][:, 2].tolist()
    assert "left out: organism, type_colors" in said(assets["obs"])


def test_an_edge_that_stands_twice_has_the_sum_of_both(tmp_path):
    made = cells()
    made.obsp["distances"] = scipy.sparse.csr_matrix(
        (np.array([1.5, 2.0, 4.0]), np.array([2, 2, 1]), np.array([0, 2, 3] + [3] * (CELLS - 2))), (CELLS, CELLS)
    )
    made.write_h5ad(tmp_path / "brain.h5ad")
    values = read(tmp_path, "obsp/distances").values
    assert values[0, 2] == 3.5
    assert values.sum() == 7.5


def test_a_graph_of_many_cells_is_a_table_of_its_edges(tmp_path, monkeypatch):
    monkeypatch.setattr("pulvinar.ingest.readers.h5ad._MOST_NODES", 10)
    theirs = with_graphs()
    theirs.write_h5ad(tmp_path / "brain.h5ad")
    edges = read(tmp_path, "obsp/distances").columns
    again = scipy.sparse.coo_matrix((edges["value"], (edges["source"], edges["target"])), (CELLS, CELLS))
    assert np.array_equal(again.toarray(), theirs.obsp["distances"].toarray())


def test_a_graph_of_another_size_than_its_cells_is_refused(tmp_path):
    with_graphs().write_h5ad(tmp_path / "brain.h5ad")
    with h5py.File(tmp_path / "brain.h5ad", "r+") as file:
        file["obsp/distances"].attrs["shape"] = [1 << 40, 1 << 40]
    with pytest.raises(PulvinarError, match="obsp/distances has the shape"):
        found(tmp_path)
