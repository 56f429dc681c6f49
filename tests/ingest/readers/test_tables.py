import csv
import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.readers.reading import find_one, flags, read_geometry, said

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.reader import Options, PointsData, TableData
from pulvinar.ingest.reader_contract import source_files
from pulvinar.ingest.readers.table_columns import from_text
from pulvinar.ingest.readers.tables import TableReader
from pulvinar.model.dataset import AssetKind

READER = TableReader()


def table(folder, text, options=None, name="a.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_geometry(READER, folder, options)


def columns(folder, text, **how):
    return {name: values.tolist() for name, values in table(folder, text, **how).columns.items()}


def parquet(folder, **content):
    pq.write_table(pa.table(content), folder / "a.parquet")
    return read_geometry(READER, folder)


def refusal(folder, text, name="a.csv"):
    with pytest.raises(UnreadableFile) as caught:
        table(folder, text, name=name)
    assert caught.value.message.startswith(name)
    return caught.value.message


CELL = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8),
    st.sampled_from(["海马", 'a "quoted" one', "two\nlines", "x;y,z\t", "+", "-", "#", "\u2028", "\x85", " ", "é"]),
)


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(),
    width=st.integers(2, 4),
    delimiter=st.sampled_from([",", ";", "\t"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_whatever_a_cell_holds_it_comes_back(tmp_path_factory, data, width, delimiter, newline, mark):
    names = ["名字", "note", "b c", "zz"][:width]
    rows = data.draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=6))
    # a word in each column, so that it is one of words, and no cell alone that others read as an empty line
    rows = [*rows, ["word"] * width]
    rows = [[f"w{row[0]}", *row[1:]] for row in rows]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    found = columns(tmp_path_factory.mktemp("table"), mark + out.getvalue())
    assert found == {name: [row[at] for row in rows] for at, name in enumerate(names)}


WHOLE = st.integers(-(10**6), 10**6) | st.integers(10**14, 10**20) | st.integers(-(10**20), -(10**14))


@settings(max_examples=80, deadline=None)
@given(
    numbers=st.one_of(
        st.lists(WHOLE, min_size=1, max_size=6),
        st.lists(st.none() | WHOLE, min_size=1, max_size=6),
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6),
    )
)
def test_no_digit_of_a_number_is_lost(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("table")
    text = "".join(f"r{at},{'' if number is None else repr(number)}\n" for at, number in enumerate(numbers))
    found = table(folder, f"name,value\n{text}").columns["value"].tolist()
    for value, number in zip(found, numbers, strict=True):
        # a number that is missing is NaN among numbers, and no text among texts
        assert (value == "" or value != value) if number is None else type(number)(value) == number


@pytest.mark.parametrize(
    ("header", "unit", "place"),
    [
        ("x,y,z", "", [3, 2, 1]),
        ("X_um,Y_um,Z_um", "", [3, 2, 1]),
        ("pos_x (mm),pos_y (mm),pos_z (mm)", "", [3000, 2000, 1000]),
        ("x [nm],y [nm],z [nm]", "", [0.003, 0.002, 0.001]),
        ("x,y,z", "mm", [3000, 2000, 1000]),
        ("Centroid X,Centroid Y,Centroid Z", "", [3, 2, 1]),
        ("ML,AP,DV", "mm", [3000, 2000, 1000]),
        ("z,y,x", "", [1, 2, 3]),
    ],
)
def test_places_are_known_by_their_names_and_units(tmp_path, header, unit, place):
    found = table(tmp_path, f"{header}\n1,2,3\n4,5,6\n", Options(unit=unit))
    assert found.zyx_um[0] == pytest.approx(place)


def test_a_unit_or_side_that_is_not_said_is_a_doubt_or_asked_for(tmp_path):
    table(tmp_path, "x,y,z\n1,2,3\n")
    assert ("doubt", "--unit") in flags(find_one(READER, tmp_path))
    assert ("doubt", "--unit") not in flags(find_one(READER, tmp_path, Options(unit="um")))
    table(tmp_path, "AP,ML,DV\n1,2,3\n")
    assert "rising to the right" in said(find_one(READER, tmp_path))
    (tmp_path / "a.csv").write_text("x_px,y_px,z_px\n1,2,3\n")
    assert ("question", "--voxel-size") in flags(find_one(READER, tmp_path))
    settled = Options(voxel_size_um=(5.0, 2.0, 2.0))
    assert ("question", "--voxel-size") not in flags(find_one(READER, tmp_path, settled))
    assert read_geometry(READER, tmp_path, settled).zyx_um.tolist() == [[15, 4, 2]]


def test_boxes_have_their_places_in_the_middle_and_flat_ones_lie_at_zero(tmp_path):
    found = table(tmp_path, "xmin,xmax,ymin,ymax\n0,2,10,20\n")
    assert found.zyx_um.tolist() == [[0, 15, 1]]
    assert "its places are flat: z is 0" in said(find_one(READER, tmp_path))


def test_places_that_are_missing_are_nan_and_the_others_stay(tmp_path):
    found = table(tmp_path, "x,y,z,id\n1,2,3,a\n,,,b\nnan,NA,null,c\n4,,6,d\n7,8,9,e\n")
    assert isinstance(found, PointsData)
    expected = [[3, 2, 1], [np.nan] * 3, [np.nan] * 3, [6, np.nan, 4], [9, 8, 7]]
    assert np.array_equal(found.zyx_um, expected, equal_nan=True)
    assert found.columns["id"].tolist() == list("abcde")


def test_numbers_may_have_a_plus_sign_and_blanks(tmp_path):
    found = table(tmp_path, "AP, ML, DV\n+1.2, -0.5, +3\n-1,+2,.5\n", Options(unit="mm"))
    assert found.zyx_um.tolist() == [[3000, 1200, -500], [500, -1000, 2000]]


def test_numbers_with_leading_zeros_are_names_and_truth_is_truth(tmp_path):
    found = columns(tmp_path, "subject,active,count\n007,True,1\n012,false,2\n")
    assert found == {"subject": ["007", "012"], "active": [True, False], "count": [1, 2]}


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2", "30"], [1, -2, 30]),
        (["-0", "1"], [0, 1]),
        (["999999999999999999", "1"], [999999999999999999, 1]),
        (["1.0", "2"], [1.0, 2.0]),
        (["1.5", "1e400"], [1.5, np.inf]),
        (["1.5", "-Infinity", "inf"], [1.5, -np.inf, np.inf]),
        (["1.5", "007"], None),
        (["007", "8"], None),
        (["0x10", "2"], None),
        (["1_0", "2"], None),
        (["1.5", "-nan"], None),
        (["1.5", "nan(12)"], None),
        (["1.5", "+inf"], None),
        (["1.5", "1234567890123456"], None),
        (["1000000000000000000", "1"], None),
        (["1.5", "true"], None),
    ],
)
@pytest.mark.parametrize("before", [0, 200])
def test_what_may_be_a_name_is_no_number(tmp_path, cells, values, before):
    """`before`: so many plain numbers come first, and what follows must still be looked at."""
    plain = ["1" if values is None or isinstance(values[0], int) else "1.5"] * before
    text = "".join(f"r,{cell}\n" for cell in [*plain, *cells])
    found = table(tmp_path, f"name,value\n{text}").columns["value"][before:].tolist()
    assert found == (cells if values is None else values)
    assert values is None or {type(value) for value in found} == {type(value) for value in values}


NUMBER_LIKE = st.one_of(
    st.integers(-(10**19), 10**19).map(str),
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.from_regex(r"[-+]?(0|[0-9]{1,17})(\.[0-9]{0,3})?([eE][-+]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["", "NA", "n/a", "NaN", "NULL", "None", " 7", "7 ", "+7", "007", "-01", "0x1F", "1e400", "-nan"]),
)


@settings(max_examples=150, deadline=None)
@given(first=st.sampled_from(["1", "1.5", "-2"]), cells=st.lists(NUMBER_LIKE, max_size=6), beside=st.booleans())
def test_a_column_is_the_same_whether_it_is_read_as_numbers_at_once_or_by_its_text(
    tmp_path_factory, first, cells, beside
):
    """Behind so many numbers that the sample ends, anything may come; `beside` another column that is plain."""
    written = [first] * 120 + cells
    rows = "".join(f"r,{cell},{number if beside else 'w'}\n" for number, cell in enumerate(written))
    found = table(tmp_path_factory.mktemp("table"), f"name,value,other\n{rows}").columns["value"]
    expected = from_text(pa.chunked_array([written]))
    assert type(found) is type(expected)
    assert getattr(found, "dtype", None) == getattr(expected, "dtype", None)
    assert np.array_equal(found, expected, equal_nan=isinstance(found, np.ndarray) and found.dtype.kind == "f")


def test_chinese_headers_and_a_byte_order_mark(tmp_path):
    found = table(tmp_path, "\ufeff细胞,x,y,z,体积\n锥体,1,2,3,4.5\n星形,4,5,6,\n")
    assert list(found.columns) == ["细胞", "x", "y", "z", "体积"]
    assert found.columns["细胞"].tolist() == ["锥体", "星形"]
    assert found.zyx_um.tolist() == [[3, 2, 1], [6, 5, 4]]


@pytest.mark.parametrize("last", ["café", "naïve cell"])
def test_text_that_is_not_utf_8_is_doubted_and_read_as_latin_1(tmp_path, last):
    found = columns(tmp_path, f"a,b\n1,cell\n2,{last}\n".encode("latin-1"))
    assert found["b"] == ["cell", last]
    assert "Latin-1 is assumed" in said(find_one(READER, tmp_path))


def test_a_row_ends_at_the_end_of_a_line_and_nowhere_else(tmp_path):
    strange = ["a\x85b", "c\u2028d", "e\x0cf", "g\u2029h"]
    found = columns(tmp_path, "\n".join(["k,note", *(f"{at},{word}" for at, word in enumerate(strange)), ""]))
    assert found == {"k": [0, 1, 2, 3], "note": strange}


def test_lines_of_an_old_mac_are_lines(tmp_path):
    found = table(tmp_path, "# made\rx,y,z\r1,2,3\r4,5,6\r")
    assert found.zyx_um.tolist() == [[3, 2, 1], [6, 5, 4]]


def test_a_header_may_have_two_lines_and_cells_too(tmp_path):
    found = table(tmp_path, '# made\n"x\n(mm)","y\n(mm)","z\n(mm)",note\n1,2,3,"two\nlines"\n4,5,6,one\n')
    assert found.zyx_um.tolist() == [[3000, 2000, 1000], [6000, 5000, 4000]]
    assert found.columns["note"].tolist() == ["two\nlines", "one"]


def test_names_that_are_empty_or_the_same_get_their_own(tmp_path):
    assert list(columns(tmp_path, "a,,a,a\n1,2,3,4\n")) == ["a", "column 2", "a (2)", "a (3)"]


def test_a_table_without_a_header_is_doubted(tmp_path):
    found = table(tmp_path, "1,2,3\n4,5,6\n7,8,9\n")
    assert found.zyx_um.tolist() == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]
    assert "the table has no header" in said(find_one(READER, tmp_path))
    assert isinstance(table(tmp_path, "1,a\n2,b\n"), TableData)


def test_a_table_without_rows_has_its_columns(tmp_path):
    assert columns(tmp_path, "x,y,z\n") == {"x": [], "y": [], "z": []}
    assert columns(tmp_path, "x,y,z") == {"x": [], "y": [], "z": []}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x,y,z\n1,2\n", "row 2: it has 2 cells, the first row has 3"),
        ("# c\nx,y,z\n1,2,3\n1,2,3,4\n", "row 4: it has 4 cells, the first row has 3"),
        ("# c\nx,y,z\n" + "1,2,3\n" * 300 + "4,5\n", "row 303: Expected 3 columns, got 2: 4,5"),
        ("x,y,z\n" + "1,2,3\n" * 300 + "1,here,3\n", "the column 'y' has places and words"),
        ("a,b\n1,2\n" + "é,2\n" * 300_000 + "\udcff,2\n", "invalid UTF8"),
    ],
)
def test_a_ragged_or_spoilt_table_is_refused_with_its_row(tmp_path, text, reason):
    assert reason in refusal(tmp_path, text.encode("utf-8", "surrogateescape"))


def test_a_packed_table_is_read_and_a_damaged_one_refused(tmp_path):
    packed = gzip.compress(b"x\ty\tz\n1\t2\t3\n")
    assert table(tmp_path, packed, name="a.tsv.gz").zyx_um.tolist() == [[3, 2, 1]]
    for damaged in (packed[:-5] + b"!" + packed[-4:], packed[:-9]):
        assert "its compressed stream is damaged" in refusal(tmp_path, damaged, "a.tsv.gz")


def test_a_parquet_column_keeps_every_digit(tmp_path):
    large = 864_691_135_123_456_789
    found = parquet(
        tmp_path,
        plain=pa.array([large, 1, 2]),
        holes=pa.array([large, None, 2]),
        small_holes=pa.array([5, None, 2]),
        unsigned=pa.array([large, 1, 2], pa.uint64()),
        beyond=pa.array([2**64 - 1, 1, 2], pa.uint64()),
        words=pa.array(["a", None, "c"]).dictionary_encode(),
    ).columns
    assert found["plain"].tolist() == found["unsigned"].tolist() == [large, 1, 2]
    assert found["holes"].tolist() == [str(large), "", "2"]
    assert np.array_equal(found["small_holes"], [5, np.nan, 2], equal_nan=True)
    assert found["beyond"].tolist() == [str(2**64 - 1), "1", "2"]
    assert found["words"].tolist() == ["a", "", "c"]


def test_parquet_places_are_found_and_read_under_the_same_names(tmp_path):
    found = parquet(tmp_path, **{" x": [1.0, np.nan], "y ": [2, 3], "z": pa.array([3, None])})
    assert isinstance(found, PointsData)
    assert np.array_equal(found.zyx_um, [[3, 2, 1], [np.nan, 3, np.nan]], equal_nan=True)


def test_parquet_that_is_damaged_or_nested_is_refused(tmp_path):
    pq.write_table(pa.table({"x": [1.0] * 1000, "y": [2.0] * 1000}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    assert "is damaged" in refusal(tmp_path, whole[:-20], "a.parquet")
    assert "is damaged" in refusal(tmp_path, whole[:4] + bytes(60) + whole[64:], "a.parquet")
    pq.write_table(pa.table({"places": [[1, 2, 3]], "v": [1]}), tmp_path / "a.parquet")
    assert "the column 'places' holds list" in refusal(tmp_path, (tmp_path / "a.parquet").read_bytes(), "a.parquet")


def test_nothing_in_a_table_is_evaluated(tmp_path):
    formula = '=HYPERLINK("http://example.org")'
    found = columns(tmp_path, 'a,b\n"=1+1",{}\n@x,2\n'.format('"=HYPERLINK(""http://example.org"")"'))
    assert found == {"a": ["=1+1", "@x"], "b": [formula, "2"]}


def real_table(path, options=None):
    options = options or Options()
    (found,) = READER.find([file for file in source_files(path.parent) if file.path == path], options)
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ","))
    return READER.read_geometry(found, path.parent, options), rows, found


def test_real_cells_of_a_mouse_lie_where_python_reads_them(sample):
    data, rows, found = real_table(sample("mouse/starmap_cells/well11_spatial.csv.gz"))
    assert "its second row names the types of columns" in said(found)
    assert len(rows) - 1 == len(data.zyx_um) == 43_341
    assert data.zyx_um.tolist() == [[float(row[axis]) for axis in "ZYX"] for row in rows[1:]]
    assert data.columns["Maintype_Symbol"].tolist() == [row["Maintype_Symbol"] for row in rows[1:]]


def test_real_cells_that_lie_in_hundreds_of_images_are_a_table_unless_a_person_says_otherwise(sample):
    data, rows, found = real_table(sample("macaque/retrograde_cells/cells.tsv"))
    assert (found.kind, len(data.columns["kind"])) == (AssetKind.TABLE, len(rows))
    assert "the images that the column image names" in said(found)


def test_real_boxed_cells_of_a_macaque_lie_in_the_middle_of_their_boxes(sample):
    data, rows, _ = real_table(sample("macaque/retrograde_cells/cells.tsv"), Options(axes="xyz"))
    middles = [[sum(float(row[f"{axis}_{end}"]) for end in ("min", "max")) / 2 for axis in "yx"] for row in rows]
    assert data.zyx_um[:, 1:].tolist() == middles
    assert not data.zyx_um[:, 0].any()
