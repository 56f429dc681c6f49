"""Matrices of numbers in text, written by numpy and by hand."""

import numpy as np
import pytest
from tests.ingest.readers.reading import find_one, flags, read_geometry, said

from pulvinar.errors import PulvinarError
from pulvinar.ingest.reader import Options, TableKind
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.tables import TableReader
from pulvinar.ingest.readers.text_matrices import TextMatrixReader
from pulvinar.model.dataset import AssetKind

READER = TextMatrixReader()
RNG = np.random.default_rng(3)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", " "])
def test_a_square_text_is_connectivity(tmp_path, delimiter):
    values = RNG.random((8, 8))
    np.savetxt(tmp_path / "weights.txt", values, delimiter=delimiter, fmt="%.17g", header="from row to column")
    asset = find_one(READER, tmp_path)
    assert asset.kind is AssetKind.CONNECTIVITY
    assert np.array_equal(read_geometry(READER, tmp_path).values, values)
    assert ("doubt", "--table-kind") in flags(asset)


def test_a_hole_in_a_matrix_is_missing(tmp_path):
    rows = [",".join("" if row == column else f"{row * column}" for column in range(6)) for row in range(6)]
    (tmp_path / "sc.csv").write_text("\n".join(rows))
    data = read_geometry(READER, tmp_path)
    assert np.isnan(np.diag(data.values)).all()
    assert data.values[2, 3] == 6


def test_a_square_whose_rows_and_columns_have_names_keeps_them(tmp_path):
    names = ["V1", "V2", "V4", "MT", "FEF"]
    values = RNG.random((5, 5))
    rows = [",".join([name, *map(repr, row)]) for name, row in zip(names, values.tolist(), strict=True)]
    (tmp_path / "streamlines.csv").write_text("\n".join([",".join(["", *names]), *rows]))
    data = read_geometry(READER, tmp_path)
    assert np.array_equal(data.values, values)
    assert data.sources.tolist() == data.targets.tolist() == names
    assert data.measure == "streamlines"
    # of other names in the rows it is a table like any
    (tmp_path / "streamlines.csv").write_text("\n".join([",".join(["area", *names[::-1]]), *rows]))
    assert list(READER.find(source_files(tmp_path), Options())) == []
    assert find_one(TableReader(), tmp_path).kind is AssetKind.TABLE


def test_names_of_signals_are_told_and_others_are_a_table(tmp_path):
    np.savetxt(tmp_path / "sub1_motion.txt", RNG.random((20, 6)))
    assert find_one(READER, tmp_path).kind is AssetKind.TIME_SERIES
    (tmp_path / "sub1_motion.txt").rename(tmp_path / "sub1.txt")
    asset = find_one(READER, tmp_path)
    assert asset.kind is AssetKind.TABLE
    assert "its 20 rows of 6 numbers have no names: they are kept as a table" in said(asset)
    signals = read_geometry(READER, tmp_path, Options(table_kind=TableKind.TIME_SERIES))
    assert signals.values.shape == (20, 6)


def test_named_columns_are_signals_where_a_person_says_so(tmp_path):
    values = RNG.random((30, 3))
    names = ["Hippocampus_L", "Hippocampus_R", "Precentral_L"]
    rows = [",".join([f"{frame * 0.72:.2f}", *map(str, row)]) for frame, row in enumerate(values.tolist())]
    (tmp_path / "bold.csv").write_text("\n".join([",".join(["time_s", *names]), *rows]))
    asked = Options(table_kind=TableKind.TIME_SERIES)
    assert find_one(TableReader(), tmp_path).kind is AssetKind.TABLE
    assert list(READER.find(source_files(tmp_path), Options())) == []
    assert find_one(READER, tmp_path, asked).findings == ()
    signals = read_geometry(READER, tmp_path, asked)
    assert signals.columns["name"].tolist() == names
    assert np.array_equal(signals.values, values)
    assert signals.times_s.tolist() == [round(frame * 0.72, 2) for frame in range(30)]
    # a step that a person says counts more; without either nobody knows
    stepped = read_geometry(READER, tmp_path, Options(table_kind=TableKind.TIME_SERIES, time_step_s=2.0))
    assert stepped.times_s[:3].tolist() == [0.0, 2.0, 4.0]
    (tmp_path / "bold.csv").write_text("\n".join([",".join(names), *(row.partition(",")[2] for row in rows)]))
    assert "no step that is known" in said(find_one(READER, tmp_path, asked))
    assert read_geometry(READER, tmp_path, asked).times_s.size == 0
    # a column of words is no signal
    (tmp_path / "bold.csv").write_text("a,b\n1,x\n2,y\n")
    assert list(READER.find(source_files(tmp_path), asked)) == []


def test_a_list_of_names_beside_signals_names_them(tmp_path):
    np.savetxt(tmp_path / "sub1_bold.txt", RNG.random((20, 3)))
    (tmp_path / "regions.txt").write_text("Hippocampus_L\nHippocampus_R\nPrecentral_L\n")
    asset = next(one for one in READER.find(source_files(tmp_path), Options()) if one.kind is AssetKind.TIME_SERIES)
    assert "the file regions.txt names its 3 regions" in said(asset)
    signals = READER.read_geometry(asset, tmp_path, Options())
    assert signals.columns["name"].tolist() == ["Hippocampus_L", "Hippocampus_R", "Precentral_L"]


def test_a_table_with_a_delimiter_is_the_table_readers_unless_a_person_says(tmp_path):
    np.savetxt(tmp_path / "some.csv", RNG.random((20, 6)), delimiter=",")
    assert list(READER.find(source_files(tmp_path), Options())) == []
    assert find_one(TableReader(), tmp_path).kind is AssetKind.TABLE
    assert find_one(READER, tmp_path, Options(table_kind=TableKind.TIME_SERIES)).kind is AssetKind.TIME_SERIES


@pytest.mark.parametrize(
    "text",
    [
        "a b c\n1 2 3\n4 5 6\n7 8 9\n",
        "1\n2\n3\n4\n",
        "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0\n",
        "1_0 2\n3 4\n5 6\n",
        "52.5\t22.5\t1\n",
    ],
)
def test_what_is_no_matrix_is_passed_over(tmp_path, text):
    (tmp_path / "some.txt").write_text(text)
    assert list(READER.find(source_files(tmp_path), Options())) == []


def test_a_map_between_spaces_is_no_connectivity(tmp_path):
    np.savetxt(tmp_path / "to_mni.mat", np.eye(4))
    assert find_one(READER, tmp_path).kind is AssetKind.TABLE


def test_a_word_between_numbers_is_named_with_its_line(tmp_path):
    lines = [" ".join(["1.5"] * 6) for _ in range(300)]
    (tmp_path / "bold.txt").write_text("\n".join(lines))
    assert read_geometry(READER, tmp_path).values.shape == (300, 6)
    lines[260] = "1 2 x 4 5 6"
    (tmp_path / "bold.txt").write_text("\n".join(lines))
    with pytest.raises(PulvinarError, match=r"bold.txt, line 261: 'x' is not a number"):
        read_geometry(READER, tmp_path)
    lines[260] = "1 2 3"
    (tmp_path / "bold.txt").write_text("\n".join(lines))
    with pytest.raises(PulvinarError, match=r"bold.txt, line 261: it has not 6 numbers"):
        read_geometry(READER, tmp_path)


def test_lists_of_different_length_are_a_long_table(tmp_path):
    (tmp_path / "groups.csv").write_text("1, 5, 9\n2\n3, 4\n")
    data = read_geometry(READER, tmp_path)
    assert data.columns["list"].tolist() == [1, 1, 1, 2, 3, 3]
    assert data.columns["item"].tolist() == [1, 5, 9, 2, 3, 4]
    # rows that don't rise may be a table that has lost cells: that is refused by the reader of tables
    (tmp_path / "groups.csv").write_text("1, 5, 2\n2, 7\n3, 4, 1\n")
    assert list(READER.find(source_files(tmp_path), Options())) == []
    with pytest.raises(PulvinarError, match="it has 2 cells"):
        find_one(TableReader(), tmp_path)


def test_a_matrix_that_is_too_large_is_refused_and_a_table_left_to_its_reader(tmp_path, monkeypatch):
    np.savetxt(tmp_path / "some.csv", RNG.random((20, 6)), delimiter=",")
    monkeypatch.setattr("pulvinar.ingest.readers.matrix_kinds.MOST_VALUES", 100)
    assert list(READER.find(source_files(tmp_path), Options())) == []
    with pytest.raises(PulvinarError, match="some has 20 x 6 values, 100 are read"):
        find_one(READER, tmp_path, Options(table_kind=TableKind.TIME_SERIES))
