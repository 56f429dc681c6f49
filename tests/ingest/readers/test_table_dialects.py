"""Tables as people export them: in any encoding, with decimal commas, with holes; and what is assumed is said."""

import pytest
from tests.ingest.readers.reading import find_one, read_geometry, said

from pulvinar.ingest.readers.tables import TableReader
from pulvinar.ingest.readers.text import encoding_of

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
