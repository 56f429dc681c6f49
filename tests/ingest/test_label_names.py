import json

import pytest

from pulvinar.errors import UnreadableFile
from pulvinar.ingest.label_names import label_name_files, read_label_names


def test_a_table_with_a_header(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("index,name\n0,Background\n2001,Precentral_L\n2002.0,Precentral_R\n")
    names = read_label_names(path)
    assert [(item.id, item.name) for item in names] == [(2001, "Precentral_L"), (2002, "Precentral_R")]


def test_lines_with_colours(tmp_path):
    path = tmp_path / "lut.txt"
    path.write_text(
        "# comment\n1 l_gyrus_(x) 47 129 147 255\n2   Left-Cerebral-White-Matter   245 245 245 0\n3 Area 17\n"
    )
    names = read_label_names(path)
    assert [(item.id, item.name, item.color) for item in names] == [
        (1, "l_gyrus_(x)", "2F8193"),
        (2, "Left-Cerebral-White-Matter", "F5F5F5"),
        (3, "Area 17", ""),
    ]


def test_a_nested_ontology(tmp_path):
    path = tmp_path / "tree.json"
    leaf = {"id": 997, "name": "brain", "acronym": "br", "color_hex_triplet": "ffffff", "children": []}
    path.write_text(json.dumps({"msg": [{"id": 0, "name": "root", "children": [leaf]}]}))
    (only,) = read_label_names(path)
    assert (only.id, only.acronym, only.color) == (997, "br", "FFFFFF")


@pytest.mark.parametrize("text", ["", "[" * 100_000, "a,b\n1,2\n", "{}", "hello"])
def test_anything_else_is_refused(tmp_path, text):
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(UnreadableFile):
        read_label_names(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_chinese_names_in_any_usual_encoding(tmp_path, encoding):
    path = tmp_path / "labels.csv"
    path.write_bytes("id,name\n7,海马\n3,初级视觉皮层\n".encode(encoding))
    assert [item.name for item in read_label_names(path)] == ["初级视觉皮层", "海马"]


def test_a_file_that_is_no_text_holds_no_names(tmp_path, sample):
    with pytest.raises(UnreadableFile, match="is no text"):
        read_label_names(sample("macaque/inia19/inia19-NeuroMaps.nii.gz"))
    path = tmp_path / "names.txt"
    path.write_bytes(b"1 a\x00b\n2 c\n")
    with pytest.raises(UnreadableFile, match="is no text"):
        read_label_names(path)


def test_names_become_segment_properties(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,name,acronym\n7,海马,HP\n3,Cortex,CX\n")
    files = label_name_files(read_label_names(path))
    inline = json.loads(files["segments/info"])["inline"]
    assert inline["ids"] == ["3", "7"]
    assert inline["properties"][0]["values"] == ["Cortex", "海马"]


def test_an_atlas_keeps_its_colours(tmp_path, sample):
    files = label_name_files(read_label_names(sample("mouse/allen_ccfv3_25um/ABA_annotation.json")))
    inline = json.loads(files["segments/info"])["inline"]
    colours = next(item["values"] for item in inline["properties"] if item["id"] == "color")
    assert colours[inline["ids"].index("382")] == "#7ED04B"  # field CA1, as the Allen ontology colours it
    path = tmp_path / "plain.csv"
    path.write_text("id,name\n7,Cortex\n")
    assert b"color" not in label_name_files(read_label_names(path))["segments/info"]


def test_the_samples_tables(sample):
    macaque = read_label_names(sample("macaque/inia19/inia19-NeuroMaps.txt"))
    assert len(macaque) >= 724
    mouse = {item.id: item for item in read_label_names(sample("mouse/allen_ccfv3_25um/ABA_annotation.json"))}
    assert mouse[997].name in ("brain", "root")
