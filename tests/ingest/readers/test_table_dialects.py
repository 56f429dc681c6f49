"""Tables as people export them: in any encoding, with decimal commas, with holes; and what is assumed is said."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.ingest.readers.reading import find_one, read_geometry, said

from pulvinar.ingest.intake import ingest
from pulvinar.ingest.reader import Options, Severity
from pulvinar.ingest.readers.tables import TableReader
from pulvinar.ingest.readers.text import encoding_of
from pulvinar.ingest.record import RecordAnswers
from pulvinar.ingest.request import Request
from pulvinar.model.dataset import AssetKind

READER = TableReader()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("x,y,z,名称\n1,2,3,细胞\n4,5,6,神经元\n", "gb18030"),
        ("编号,脑区\n1,初级视觉皮层（左）\n2,海马 CA1、CA3\n", "gb18030"),
        ("id,name\n1,Hébert Müller\n2,Señor Ångström, 5 µm ± 2°\n", "latin-1"),
        ("id,name\n1,ÄÖÜ äöü ß\n", "latin-1"),
        ("id,name\n1,Café", "latin-1"),
        ("x,y,z,名称\n1,2,3,细胞\n", "utf-8"),
        ("id,name\n1,plain\n", "utf-8"),
    ],
)
def test_the_encoding_of_a_text_is_told_by_its_letters(text, encoding):
    assert encoding_of(text.encode(encoding)) == encoding
    if encoding == "gb18030":
        # a sample may end within a letter
        assert encoding_of(text.encode(encoding)[:-2], complete=False) == encoding


def test_a_chinese_table_is_read_as_chinese_and_says_so(tmp_path):
    text = "x,y,z,名称\n1,2,3,细胞\n4,5,6,神经元\n"
    (tmp_path / "cells.csv").write_bytes(text.encode("gbk"))
    assert "its text is not UTF-8: GB18030 (Chinese) is assumed" in said(find_one(READER, tmp_path))
    assert read_geometry(READER, tmp_path).columns["名称"].tolist() == ["细胞", "神经元"]
    (tmp_path / "cells.csv").write_bytes(text.encode("utf-8-sig"))
    assert "assumed" not in said(find_one(READER, tmp_path)).replace("µm is assumed", "")
    assert list(read_geometry(READER, tmp_path).columns) == ["x", "y", "z", "名称"]


def test_a_european_table_is_read_as_such(tmp_path):
    (tmp_path / "cells.csv").write_bytes("id,who\n1,Hébert\n2,Müller\n".encode("latin-1"))
    assert "Latin-1 is assumed" in said(find_one(READER, tmp_path))
    assert read_geometry(READER, tmp_path).columns["who"].tolist() == ["Hébert", "Müller"]


@pytest.mark.parametrize(
    "text",
    [
        "x;y;z;type\n1,5;2,0;3;a\n4;5,25;6;b, c\n",
        "1,5;2,0;3\n4;5,25;6\n",
        "# by Excel\nX;Y;Z\n1,5;2,0;3\n4;5,25;6\n",
    ],
)
def test_decimal_commas_are_read_as_such_and_said(tmp_path, text):
    (tmp_path / "cells.csv").write_text(text)
    asset = find_one(READER, tmp_path)
    assert asset.kind is AssetKind.POINTS
    assert "its numbers have decimal commas" in said(asset)
    data = read_geometry(READER, tmp_path)
    assert data.zyx_um.tolist() == [[3, 2, 1.5], [6, 5.25, 4]]
    if "type" in text:
        assert data.columns["type"].tolist() == ["a", "b, c"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("name;size\na;1.234,5\nb;2.000,0\n", ["1.234,5", "2.000,0"]),  # thousands
        ("name;size;share\na;1,5;0.5\nb;2,5;1.5\n", ["1,5", "2,5"]),  # which of the two is it?
        ("name;size\na;1,5\nb;large\n", ["1,5", "large"]),
        ("name,size\na,1.5\nb,2\n", [1.5, 2.0]),
    ],
)
def test_commas_that_may_be_something_else_stay(tmp_path, text, read):
    (tmp_path / "sizes.csv").write_text(text)
    assert "decimal commas" not in said(find_one(READER, tmp_path))
    assert read_geometry(READER, tmp_path).columns["size"].tolist() == read


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_rows_without_a_place_are_counted_and_kept(means, tmp_path, ending):
    path = tmp_path / f"cells{ending}"
    if ending == ".csv":
        path.write_text("x,y,z,kind\n1,2,3,a\n,,,b\n4,5,,c\n7,8,9,d\n")
    else:
        columns = {
            "x": [1.0, None, 4.0, 7.0],
            "y": [2.0, None, 5.0, 8.0],
            "z": [3.0, None, None, 9.0],
            "kind": [*"abcd"],
        }
        pq.write_table(pa.table(columns), path)
    answers = RecordAnswers(title="t", species="mouse", licence="x")
    done = ingest(means, Request(path, Options(unit="um"), answers))
    (doubt,) = [item for item in done.findings if item.severity is Severity.DOUBT]
    assert "2 of its 4 rows have no place" in doubt.message
    (asset,) = done.version.assets
    assert asset.details["count"] == 2
    stored = pq.read_table(io.BytesIO(means.store.read(f"{asset.prefix}/points.parquet")))
    assert stored["kind"].to_pylist() == [*"abcd"]
