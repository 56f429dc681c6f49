"""Records go out in the words of other standards, which their own tools accept, and come back."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulvinar.catalogue.metadata_formats import FORMATS, FormatName, read_document, write_text
from pulvinar.errors import Invalid
from pulvinar.model.dataset import Asset, AssetKind, Version, VersionState
from pulvinar.model.record import (
    Acquisition,
    Contributor,
    Funding,
    Record,
    Related,
    Species,
    Specimen,
    Subject,
    record_to_json,
)
from pulvinar.model.volume import Channel, Level, Volume, VolumeKind, volume_to_json

FULL = Record(
    title="Whole mouse brain, c-Fos 全脑",
    species=Species.MOUSE,
    licence="CC-BY-4.0",
    description="A cleared brain & its <signals>, imaged whole.",
    lab="Institute of Brain Science",
    subject=Subject("mouse17", Species.MOUSE, "female", "P56D", "C57BL/6J"),
    specimen=Specimen("brain17", "brain", "perfused, cleared by iDISCO+"),
    acquisition=Acquisition(
        "light-sheet",
        "UltraMicroscope II",
        ("c-Fos", "autofluorescence", "DAPI"),
        (5.0, 2.5, 2.0),
        "SAR",
        date="2025-03-14",
    ),
    contributors=(
        Contributor("Lovelace, Ada", orcid="0000-0002-1825-0097", affiliation="Institute of Brain Science"),
        Contributor("王小明", affiliation="脑科学研究所"),
        Contributor("Grace Hopper", "data curator"),
    ),
    keywords=("whole brain", "全脑"),
    citation="Lovelace A (2025) Exploring mice.",
    source="https://example.org/17",
    doi="10.1234/abcd.17",
    related=(Related("10.1038/s41586-000-0000-0", "IsSupplementTo"), Related("10.5281/zenodo.1", "IsDerivedFrom")),
    funding=(Funding("National Natural Science Foundation", "32000000"), Funding("A Trust")),
    ethics="Animal Care Committee, approval 2024-117",
)
READ = [name for name, known in FORMATS.items() if known.keeps]
"""The others are only written: see test_provenance.py."""
BARE = Record("A brain", Species.HUMAN, "as its source says")
VOLUME = Volume(
    VolumeKind.IMAGE,
    "uint16",
    (Level((1, 2, 10, 20, 30), (5.0, 2.5, 2.0), (0.0, 0.0, 0.0), (1, 1, 10, 20, 30), (1, 1, 10, 20, 30)),),
    (Channel("c-Fos"), Channel("auto")),
)


def version(record: Record, *, state: VersionState = VersionState.PUBLISHED) -> Version:
    now = datetime(2025, 6, 1, 12, tzinfo=UTC)
    volume = Asset("a1", "scan", AssetKind.VOLUME, "assets/a1", 24_000, 3, "d" * 64, {"volume": volume_to_json(VOLUME)})
    table = Asset("a2", "cells", AssetKind.TABLE, "assets/a2", 10, 1, "e" * 64)
    return Version(
        "local-v", "local-01arz", 3, state, "f" * 64, record, now, now, (volume, table), record_to_json(record)
    )


def kept(document: Any, paths: tuple[str, ...]) -> Any:
    """Of `document` what lies under `paths`, without what is empty; of lists the same of each of their items."""
    if paths == ("*",):
        return {key: value for key, value in document.items() if key != "schema_version"}
    found: dict[str, Any] = {}
    for path in paths:
        name, _, below = path.partition(".")
        value = document.get(name)
        if not value:
            continue
        if not below:
            found[name] = value
        elif isinstance(value, list):
            items = [item.get(below) for item in value]
            found[name] = [
                {**old, below: item} for old, item in zip(found.get(name, [{}] * len(items)), items, strict=True)
            ]
        elif value.get(below):
            found.setdefault(name, {})[below] = value[below]
    return found


def comes_back(record: Record, name: FormatName) -> None:
    text = write_text(version(record), name)
    document = text if name is FormatName.OME else json.loads(text)
    found, said = read_document(document)
    assert found is name
    keeps = FORMATS[name].keeps
    expected = kept(json.loads(json.dumps(record_to_json(record))), keeps)
    if keeps == ("*",):
        expected = {key: value for key, value in expected.items() if value not in ("", [], None)}
        said = {key: value for key, value in kept(said, keeps).items() if value not in ("", [], None)}
        assert strip(said) == strip(expected)
    else:
        assert strip(kept(said, keeps)) == strip(expected)


def strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: inner for key, item in value.items() if (inner := strip(item)) not in ("", None, [], {}, "author")}
    return [strip(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", READ)
def test_a_full_record_comes_back_with_all_that_the_format_keeps(name: FormatName):
    comes_back(FULL, name)


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("state", list(VersionState))
def test_a_bare_record_is_written_and_read(name: FormatName, state: VersionState):
    text = write_text(version(BARE, state=state), name)
    _, said = read_document(text if name is FormatName.OME else json.loads(text))
    assert said["species"] == "human"
    assert said["title"] == "A brain" or name is FormatName.BIDS


@pytest.mark.parametrize("name", READ)
def test_what_a_format_keeps_is_worth_while(name: FormatName):
    assert FORMATS[name].keeps == ("*",) or len(FORMATS[name].keeps) >= 14


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=12)


@given(TEXT, TEXT, TEXT)
def test_ome_xml_carries_any_text(title, description, keyword):
    record = replace(FULL, title=title, description=description, keywords=(keyword,), contributors=())
    _, said = read_document(write_text(version(record), FormatName.OME))
    assert (said["title"], said["description"], said["keywords"]) == (title, description, [keyword])


# what the standards' own tools say


@pytest.mark.parametrize("record", [FULL, BARE, replace(FULL, contributors=(Contributor("A Lab", "odd role"),))])
def test_datacite_accepts_what_is_written(record: Record):
    from datacite import schema45

    document = FORMATS[FormatName.DATACITE].write(version(record))
    schema45.validator.validate(document)
    xml = schema45.tostring({**document, "doi": "10.1234/x"})
    assert f">{record.title}</title>" in xml


def test_datacite_says_who_and_what():
    document = FORMATS[FormatName.DATACITE].write(version(FULL))
    assert [one["name"] for one in document["creators"]] == ["Lovelace, Ada", "王小明"]
    assert document["contributors"] == [{"name": "Grace Hopper", "contributorType": "DataCurator"}]
    assert document["rightsList"][0]["rightsIdentifier"] == "CC-BY-4.0"
    assert document["publicationYear"] == "2025"
    assert {"date": "2025-03-14", "dateType": "Collected"} in document["dates"]
    assert document["relatedIdentifiers"][0] == {
        "relatedIdentifier": "10.1038/s41586-000-0000-0",
        "relatedIdentifierType": "DOI",
        "relationType": "IsSupplementTo",
    }
    assert FORMATS[FormatName.DATACITE].write(version(BARE))["creators"] == [{"name": "(:unkn)"}]


def test_the_relations_and_roles_are_datacites():
    import datacite

    from pulvinar.catalogue.metadata_formats.datacite import RELATIONS, ROLES

    path = next(Path(datacite.__file__).parent.rglob("datacite-v4.5.json"))
    definitions = json.loads(path.read_text())["definitions"]
    assert set(RELATIONS) == set(definitions["relationType"]["enum"])
    assert {*ROLES, "Other"} == set(definitions["contributorType"]["enum"])


def test_an_answer_of_the_datacite_api_is_read():
    answer = {
        "data": {
            "attributes": {
                "doi": "10.5061/dryad.1",
                "titles": [{"title": "Neurons"}],
                "creators": [{"name": "Doe, Jane", "affiliation": ["A University"], "nameIdentifiers": []}],
                "publisher": "Dryad",
                "types": {"resourceTypeGeneral": "Dataset"},
                "rightsList": [{"rights": "CC0", "rightsUri": "https://creativecommons.org/publicdomain/zero/1.0/"}],
                "subjects": [{"subject": "cortex"}, {"subject": "Mus musculus", "subjectScheme": "NCBITaxon"}],
                "relatedIdentifiers": [{"relatedIdentifier": "12345", "relatedIdentifierType": "PMID"}],
            }
        }
    }
    name, said = read_document(answer)
    assert name is FormatName.DATACITE
    assert (said["title"], said["lab"], said["species"], said["licence"]) == ("Neurons", "Dryad", "mouse", "CC0")
    assert said["contributors"] == [{"name": "Doe, Jane", "role": "author", "affiliation": "A University"}]
    assert said["related"] == [{"identifier": "PMID:12345", "relation": "References"}]
    assert said["keywords"] == ["cortex"]


def test_nwb_takes_what_is_written(tmp_path: Path):
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject as TheirSubject

    document = FORMATS[FormatName.NWB].write(version(FULL))
    fields = dict(document["NWBFile"])
    start = datetime.fromisoformat(fields.pop("session_start_time"))
    made = NWBFile(**fields, session_start_time=start, subject=TheirSubject(**document["Subject"]))
    with NWBHDF5IO(tmp_path / "a.nwb", "w") as out:
        out.write(made)
    with NWBHDF5IO(tmp_path / "a.nwb", "r") as stored:
        found = stored.read()
        assert found.subject.sex == "F"
        assert found.subject.species == "Mus musculus"
        assert found.subject.age == "P56D"
        assert list(found.experimenter) == ["Lovelace, Ada", "王小明", "Grace Hopper"]
        assert found.data_collection == "Light-sheet microscopy"
        assert found.session_start_time.date().isoformat() == "2025-03-14"


NWB_FIELDS = ("identifier", "session_description", "experiment_description", "lab", "institution", "experimenter")


def test_the_fields_of_real_nwb_files_are_read(samples: Path):
    from pynwb import NWBHDF5IO

    paths = sorted((samples / "mouse" / "nwb_hippocampus").glob("*.nwb"))
    assert paths
    for path in paths:
        with NWBHDF5IO(path, "r") as stored:
            file = stored.read()
            fields = {name: getattr(file, name) for name in NWB_FIELDS}
            fields = {
                name: list(value) if isinstance(value, tuple) else value for name, value in fields.items() if value
            }
            fields["session_start_time"] = file.session_start_time.isoformat()
            subject = {name: getattr(file.subject, name, None) for name in ("subject_id", "species", "sex", "age")}
        name, said = read_document(
            {"NWBFile": fields, "Subject": {key: value for key, value in subject.items() if value}}
        )
        assert name is FormatName.NWB
        assert said["title"] == fields["session_description"]
        assert said["acquisition"]["date"] == fields["session_start_time"][:10]
        assert said.get("lab") == fields.get("lab", fields.get("institution"))
        assert [one["name"] for one in said.get("contributors", [])] == fields.get("experimenter", [])
        assert said["subject"] == {"sex": "unknown", "age": "P20D-P90D"}


def test_nwb_gets_no_day_that_nobody_said():
    assert "session_start_time" not in FORMATS[FormatName.NWB].write(version(BARE))["NWBFile"]
    year = replace(FULL, acquisition=replace(FULL.acquisition, date="2025"))
    assert "session_start_time" not in FORMATS[FormatName.NWB].write(version(year))["NWBFile"]


@pytest.mark.parametrize("record", [FULL, BARE])
def test_ome_xml_is_valid_and_says_the_same(record: Record):
    import ome_types

    ome = ome_types.from_xml(write_text(version(record), FormatName.OME), validate=True)
    assert ome.datasets[0].name == record.title
    assert ome.rights.rights_held == record.licence
    (image,) = ome.images
    pixels = image.pixels
    assert (pixels.size_x, pixels.size_y, pixels.size_z, pixels.size_c, pixels.size_t) == (30, 20, 10, 2, 1)
    assert (pixels.physical_size_x, pixels.physical_size_y, pixels.physical_size_z) == (2.0, 2.5, 5.0)
    assert pixels.physical_size_x_unit.value == "µm"
    assert [channel.name for channel in pixels.channels] == ["c-Fos", "auto"]
    assert [person.last_name for person in ome.experimenters] == (
        ["Lovelace", None, "Hopper"] if record is FULL else []
    )


def test_ome_xml_of_another_program_is_read():
    from ome_types import OME
    from ome_types.model import Experimenter, Image, Instrument, MetadataOnly, Microscope, Pixels

    sizes = {f"size_{axis}": 1 for axis in "xyzct"}
    pixels = Pixels(**sizes, dimension_order="XYZCT", type="uint8", metadata_only=MetadataOnly())
    other = OME(
        images=[
            Image(name="section 7", description="a section", acquisition_date="2024-01-02T03:04:05", pixels=pixels)
        ],
        experimenters=[Experimenter(first_name="Jane", last_name="Doe")],
        instruments=[Instrument(microscope=Microscope(manufacturer="Zeiss", model="LSM 980"))],
    )
    name, said = read_document(other.to_xml())
    assert name is FormatName.OME
    assert (said["title"], said["description"]) == ("section 7", "a section")
    assert said["contributors"] == [{"name": "Jane Doe"}]
    assert said["acquisition"] == {"instrument": "Zeiss LSM 980", "date": "2024-01-02"}


@pytest.mark.parametrize(
    "text",
    [
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image',
        '<!DOCTYPE a [<!ENTITY b "c">]><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">&b;</OME>',
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<MapAnnotation Namespace="urn:pulvinar:record:2">'
        '<M K="title">no json</M></MapAnnotation></OME>',
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<MapAnnotation Namespace="urn:pulvinar:record:2">'
        '<M K="title">"a"</M><M K="title.b">"c"</M></MapAnnotation></OME>',
    ],
)
def test_damaged_ome_xml_is_refused_with_a_reason(text: str):
    with pytest.raises(Invalid, match="OME-XML"):
        read_document(text)


@pytest.mark.parametrize("record", [FULL, BARE])
def test_openminds_reads_what_is_written(record: Record, tmp_path: Path):
    import openminds.v4.core as core
    from openminds import Collection

    path = tmp_path / "a.jsonld"
    path.write_text(write_text(version(record), FormatName.OPENMINDS))
    nodes = Collection()
    nodes.load(str(path), version="v4")
    failures = nodes.validate(ignore=["required"])
    assert not any(failures.values()), failures
    (dataset,) = [node for node in nodes if isinstance(node, core.DatasetVersion)]
    assert dataset.full_name == record.title
    assert dataset.version_identifier == "local-01arz/3"
    if record is FULL:
        assert [person.family_name for person in dataset.authors] == ["Lovelace", None, "Hopper"]
        assert dataset.digital_identifier.identifier == "https://doi.org/10.1234/abcd.17"
        assert dataset.funding[0].award_number == "32000000"
        assert dataset.studied_specimens[0].studied_states[0].age.value == 56


def test_openminds_of_the_package_itself_is_read(tmp_path: Path):
    import openminds.v4.controlled_terms as terms
    import openminds.v4.core as core
    from openminds import Collection

    mouse = core.Subject(
        internal_identifier="m3",
        species=core.Strain(name="C57BL/6J", species=terms.Species.mus_musculus),
        biological_sex=terms.BiologicalSex.male,
    )
    dataset = core.DatasetVersion(
        full_name="A tracing study",
        license=core.License.by_name("CC-BY-4.0"),
        authors=[core.Person(given_name="Jane", family_name="Doe")],
        techniques=[terms.Technique.two_photon_fluorescence_microscopy, terms.Technique.nissl_staining],
        studied_specimens=[mouse],
    )
    path = tmp_path / "b.jsonld"
    Collection(dataset).save(str(path))
    name, said = read_document(json.loads(path.read_text()))
    assert name is FormatName.OPENMINDS
    assert (said["title"], said["species"], said["licence"]) == ("A tracing study", "mouse", "CC-BY-4.0")
    assert said["subject"] == {"name": "m3", "sex": "male", "strain": "C57BL/6J"}
    assert said["acquisition"] == {"modality": "two-photon", "stains": ["Nissl"]}
    assert said["contributors"] == [{"name": "Doe, Jane"}]


def test_bids_knows_every_field_that_is_written():
    from bidsschematools.schema import load_schema

    objects = load_schema().to_dict()["objects"]
    known = {entry["name"] for entry in objects["metadata"].values()}
    columns = {entry["name"] for entry in objects["columns"].values()}
    files = FORMATS[FormatName.BIDS].write(version(FULL))
    assert set(files) == {
        "dataset_description.json",
        "participants.tsv",
        "participants.json",
        "samples.tsv",
        "sub-mouse17_sample-brain17_SPIM.json",
    }
    assert set(files["dataset_description.json"]) <= known
    assert set(files["sub-mouse17_sample-brain17_SPIM.json"]) <= known
    for table in ("participants.tsv", "samples.tsv"):
        assert set(files[table].splitlines()[0].split("\t")) <= columns
    assert files["participants.tsv"].splitlines()[1].split("\t") == [
        "sub-mouse17",
        "Mus musculus",
        "female",
        "56",
        "C57BL/6J",
    ]
    assert files["sub-mouse17_sample-brain17_SPIM.json"]["PixelSize"] == [2.0, 2.5, 5.0]


def test_single_bids_files_are_read():
    said = {
        "Name": "Study",
        "BIDSVersion": "1.8.0",
        "Authors": ["Jane Doe"],
        "License": "CC0",
        "DatasetDOI": "doi:10.1/x",
    }
    name, found = read_document(said)
    assert (name, found["title"], found["licence"]) == (FormatName.BIDS, "Study", "CC0")
    assert "doi" not in found  # 10.1/x is no DOI: a prefix has four digits
    sidecar = {"Manufacturer": "Siemens", "ManufacturersModelName": "Prisma", "RepetitionTime": 0.8, "TaskName": "rest"}
    name, found = read_document(sidecar)
    assert (name, found["acquisition"]) == (FormatName.BIDS, {"instrument": "Siemens Prisma", "time_step_s": 0.8})
    del sidecar["TaskName"]
    assert "time_step_s" not in read_document(sidecar)[1]["acquisition"]


def test_a_table_of_several_participants_says_no_more_than_their_species():
    files = {
        "dataset_description.json": {"Name": "Study", "BIDSVersion": "1.8.0"},
        "participants.tsv": "participant_id\tage\nsub-1\t20\nsub-2\t30\n",
    }
    assert read_document(files)[1] == {"title": "Study", "species": "human"}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
DATACITE_KEYS = ("titles", "creators", "publisher", "subjects", "rightsList", "dates", "descriptions", "contributors")
BIDS_KEYS = ("Name", "Authors", "Funding", "ReferencesAndLinks", "PixelSize", "PixelSizeUnits", "RepetitionTime")
OPENMINDS_KEYS = ("author", "license", "technique", "studiedSpecimen", "keyword", "funding", "digitalIdentifier")


@given(st.data())
def test_no_shape_of_a_foreign_document_makes_reading_fail(data: st.DataObject):
    def some(keys):
        return data.draw(st.dictionaries(st.sampled_from(keys), JSON, max_size=5))

    documents = [
        {"titles": [], "types": {}, **some(DATACITE_KEYS)},
        {"BIDSVersion": "1", **some(BIDS_KEYS)},
        {"RepetitionTime": 1, **some(BIDS_KEYS)},
        {
            "dataset_description.json": data.draw(JSON),
            "participants.tsv": data.draw(JSON),
            "sub-1_T1w.json": data.draw(JSON),
        },
        {"NWBFile": {}, "Subject": data.draw(JSON)},
        {"@type": "https://openminds.om-i.org/types/DatasetVersion", **some(OPENMINDS_KEYS)},
    ]
    for document in documents:
        name, said = read_document(document)
        assert name is not FormatName.PULVINAR
        assert isinstance(said, dict)


@pytest.mark.parametrize("document", [{}, [], "text", None, 3, {"some": "thing"}, "<html></html>"])
def test_what_is_no_metadata_is_refused_with_the_formats_that_are(document):
    with pytest.raises(Invalid, match="DataCite"):
        read_document(document)
