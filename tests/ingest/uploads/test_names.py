"""Names from other systems: what is kept stays below its folder, and what some system takes for the same is refused."""

import unicodedata
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.errors import Conflict, Invalid
from pulvinar.ingest.uploads.names import NameBook, checked_name, name_key


@given(st.text(max_size=60) | st.lists(st.sampled_from(["..", ".", "a", "脑", "", "con", "b.tif"])).map("/".join))
def test_whatever_is_kept_lies_below_its_folder(name):
    try:
        kept = checked_name(name)
    except Invalid:
        return
    assert kept == name
    root = Path("/landing/files")
    path = root / kept
    assert path.resolve().is_relative_to(root)
    assert path != root
    assert str(PurePosixPath(kept)) == kept
    assert not any(unicodedata.category(letter) == "Cc" for letter in kept)
    assert all(len(part.encode()) <= 255 for part in path.parts)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_forms_and_case_of_a_name_have_one_key(name):
    keys = {name_key(unicodedata.normalize(form, name)) for form in ("NFC", "NFD")}
    assert len(keys) == 1
    assert name_key(name.casefold()) == name_key(name)


@pytest.mark.parametrize(
    "name", ["斑马鱼/第一张.tif", "макака/мозг.nii.gz", "दिमाग.nii", "مخ.tif", "sub-01_T1w.nii.gz", "a:b.tif"]
)
def test_names_of_any_script_are_kept(name):
    assert checked_name(name) == name


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["A.tif", "a.tif"], "upper and lower case"),
        (["É.tif", "E\u0301.tif"], "NFC, NFD"),
        (["A/x.tif", "a/y.tif"], "upper and lower case"),
        (["a", "a/b"], "a file and a folder"),
        (["a/b", "a"], "a file and a folder"),
        (["a", "a"], "there already"),
    ],
)
def test_clashes_are_told_with_both_names(names, why):
    book = NameBook({})
    with pytest.raises(Conflict, match=why):
        for name in names:
            book.add(name)


def test_a_folder_of_many_files_is_taken():
    book = NameBook({})
    for number in range(1000):
        book.add(f"stack/plane{number:04d}.tif")
    assert len(book.added) == 1001
