"""Chinese names: rules, states, and how much of each real ontology they cover."""

from __future__ import annotations

import csv
import re
from importlib.resources import files
from pathlib import Path

import pytest

from pulvinar.atlases.names import chinese_name, read_glossary, with_chinese_names
from pulvinar.errors import UnreadableFile
from pulvinar.model.ontology import NameState, Region


@pytest.mark.parametrize(
    ("name", "zh"),
    [
        ("Thalamus", "丘脑"),
        ("Field CA1", "CA1区"),
        ("Field CA1, stratum oriens", "CA1区始层"),
        ("Primary visual area, layer 2/3", "初级视觉区第2/3层"),
        ("Ectorhinal area/Layer 5", "外嗅区第5层"),
        ("Putamen, left", "左侧壳"),
        ("left Claustrum: dorsal part", "左侧屏状核背侧部"),
        ("left Claustrum-other", "左侧屏状核其余部分"),
        ("Cingulate cortex: area 24b", "扣带皮层24b区"),
        ("Laterolateral anterior visual area,layer 5", "外外侧前视觉区第5层"),
        ("Dorsal Area 24d, right", "右侧24d区背侧部"),
        ("Superior frontal gyrus, medial orbital, right", "右侧眶内侧额上回"),
        ("Inferior parietal lobule, PFcm", "顶下小叶PFcm区"),
        ("Primary somatosensory area, barrel field, layer 4", "初级躯体感觉区桶状区第4层"),
        ("no such structure", None),
    ],
)
def test_names_are_joined_of_structures_sides_layers_and_parts(name: str, zh: str | None):
    found = chinese_name(name)
    assert (found.text if found else None) == zh


def test_a_name_that_is_proposed_says_so():
    found = chinese_name("Primary visual area, layer 1")
    assert found is not None
    assert found.state is NameState.PROPOSED


@pytest.mark.parametrize("table", ["regions.tsv", "parts.tsv"])
def test_every_row_has_a_chinese_name_and_a_state_and_none_comes_twice(table: str):
    text = (files("pulvinar.atlases.names") / table).read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert all(re.search(r"[\u4e00-\u9fff]", row["zh"]) for row in rows)
    assert {row["state"] for row in rows} <= {"proposed", "reviewed"}
    names = [re.sub(r"[^a-z0-9]", "", row["name"].casefold()) for row in rows]
    assert len(set(names)) == len(names)


def test_a_site_adds_and_overrules_names(tmp_path: Path):
    path = tmp_path / "names.tsv"
    path.write_text("name\tzh\tstate\tsource\nThalamus\t视丘\treviewed\t本院\nField XY\tXY区\tproposed\t\n", "utf-8")
    extra = read_glossary(path)
    regions = with_chinese_names([Region("o", 1, "TH", "Thalamus"), Region("o", 2, "XY", "Field XY")], extra)
    assert [(one.name_zh, one.name_zh_state) for one in regions] == [
        ("视丘", NameState.REVIEWED),
        ("XY区", NameState.PROPOSED),
    ]
    assert regions[0].name_zh_source == "本院"


def test_a_table_that_is_none_is_refused(tmp_path: Path):
    path = tmp_path / "names.tsv"
    path.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(UnreadableFile, match="columns"):
        read_glossary(path)
    path.write_text("name\tzh\tstate\tsource\nThalamus\t丘脑\tmaybe\t\n", "utf-8")
    with pytest.raises(UnreadableFile, match="line 2"):
        read_glossary(path)


def test_a_name_of_its_own_stays():
    assert with_chinese_names([Region("o", 1, "TH", "Thalamus", name_zh="视丘")])[0].name_zh == "视丘"
