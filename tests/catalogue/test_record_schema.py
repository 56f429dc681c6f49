"""The published schemas are what records are: of today, and of every release before."""

import json
from dataclasses import fields, is_dataclass
from typing import get_args, get_type_hints

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.catalogue.record_schema import field_name, published_schema, record_fields, record_schema, schema_id, walk
from pulvinar.errors import NotFound
from pulvinar.model.record import (
    Acquisition,
    Contributor,
    Funding,
    Record,
    Related,
    Species,
    Specimen,
    Subject,
    record_from_json,
    record_to_json,
)
from pulvinar.model.record_migrations import SCHEMA_VERSION
from pulvinar.model.terms import Vocabulary, recognise

TEXT = st.text(max_size=8)
LENGTH = st.floats(1e-3, 1e6)
RECORDS = st.builds(
    Record,
    TEXT,
    st.sampled_from(Species),
    TEXT,
    description=TEXT,
    subject=st.none() | st.builds(Subject, TEXT, st.sampled_from(Species), TEXT, TEXT, TEXT),
    specimen=st.builds(Specimen, TEXT, TEXT, TEXT),
    acquisition=st.builds(
        Acquisition,
        TEXT,
        TEXT,
        st.lists(TEXT, max_size=2).map(tuple),
        st.none() | st.tuples(LENGTH, LENGTH, LENGTH),
        time_step_s=st.none() | LENGTH,
        date=TEXT,
    ),
    contributors=st.lists(st.builds(Contributor, TEXT, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    related=st.lists(st.builds(Related, TEXT, TEXT), max_size=2).map(tuple),
    funding=st.lists(st.builds(Funding, TEXT, TEXT), max_size=2).map(tuple),
    keywords=st.lists(TEXT, max_size=2).map(tuple),
)


def validator(version: int | None = None) -> jsonschema.Draft202012Validator:
    schema = published_schema(version)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def paths_of(kind: type, above: str = "") -> set[str]:
    """The fields of a dataclass by path, found without the schema."""
    found = set()
    for one in fields(kind):
        path = f"{above}{one.name}"
        hint = get_type_hints(kind)[one.name]
        inner = [part for part in (hint, *get_args(hint)) if is_dataclass(part)]
        found |= {path, *(deeper for part in inner for deeper in paths_of(part, f"{path}."))}
    return found


def test_the_schema_the_table_of_meanings_and_the_record_have_the_same_fields():
    assert {path for path, _ in walk(record_schema())} == set(record_fields()) == paths_of(Record)


def test_every_field_is_explained_in_both_languages():
    for path, node in walk(record_schema()):
        said = record_fields()[path]
        assert node["description"].startswith(said["meaning"]), path
        assert any("\u4e00" <= letter <= "\u9fff" for letter in said["meaning_zh"]), path
        assert said["zh"], path


@given(RECORDS)
def test_every_record_is_valid_and_comes_back(record: Record):
    stored = json.loads(json.dumps(record_to_json(record)))
    validator().validate(stored)
    assert record_from_json(stored) == record


def test_a_field_is_called_by_name_in_both_languages():
    assert field_name("acquisition.date", "en") == record_fields()["acquisition.date"]["en"]
    assert field_name("contributors.0.name", "zh") == record_fields()["contributors.name"]["zh"]
    assert field_name("cells: header.unit", "zh") == "cells: header.unit"


@pytest.mark.parametrize(
    "change",
    [
        {"species": "axolotl"},
        {"title": None},
        {"tittle": "a slip"},
        {"acquisition": {"stain": "DAPI"}},
        {"acquisition": {"voxel_size_um": [1, 2]}},
        {"contributors": [{"orcid": "x"}]},
        {"schema_version": 1},
        {"keywords": "one"},
    ],
)
def test_what_is_no_record_is_not_valid(change):
    stored = record_to_json(Record("A brain", Species.MOUSE, "CC0-1.0"))
    validator().validate(stored)
    assert not validator().is_valid({**stored, **change})


def test_the_first_schema_still_describes_what_was_stored_under_it():
    first = {"title": "t", "species": "mouse", "licence": "x", "acquisition": {"stain": "DAPI"}}
    validator(1).validate(first)
    validator().validate(record_to_json(record_from_json(first)))


def test_schemas_have_numbers_and_names():
    assert [published_schema(n)["$id"] for n in range(1, SCHEMA_VERSION + 1)] == [
        schema_id(n) for n in range(1, SCHEMA_VERSION + 1)
    ]
    for wrong in (0, SCHEMA_VERSION + 1):
        with pytest.raises(NotFound):
            published_schema(wrong)


def test_the_examples_are_valid_and_their_terms_are_known():
    node = {path: said.get("example") for path, said in record_fields().items()}
    record = {name: value for name, value in node.items() if "." not in name and value is not None}
    for path, value in node.items():
        above, _, name = path.rpartition(".")
        if above in ("subject", "specimen", "acquisition"):
            record.setdefault(above, {})[name] = value
        elif above:
            record.setdefault(above, [{}])[0][name] = value
    validator().validate(record)
    assert record_from_json(record).acquisition.modality == "light-sheet"
    for path, said in record_fields().items():
        if "vocabulary" in said:
            examples = said["example"] if isinstance(said["example"], list) else [said["example"]]
            assert all(recognise(Vocabulary(said["vocabulary"]), one) for one in examples), path
