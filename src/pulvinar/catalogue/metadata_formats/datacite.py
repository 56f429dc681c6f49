"""DataCite 4.5, as JSON: what is needed to register a DOI for a version.

Source: DataCite Metadata Schema 4.5 and its JSON form, as the DataCite REST API takes and gives it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulvinar.catalogue.metadata_formats.parts import (
    Document,
    bare_doi,
    identifier_of,
    is_date,
    object_of,
    objects_of,
    species_key,
    text_of,
    texts_of,
    unlike,
    without_empty,
)
from pulvinar.model.dataset import Version
from pulvinar.model.record import Contributor, Record, Related
from pulvinar.model.terms import Vocabulary, known_as, latin_name, named

SCHEMA = "http://datacite.org/schema/kernel-4"
KEEPS = (
    "title", "species", "licence", "description", "lab", "contributors", "keywords", "doi", "related", "funding",
    "acquisition.modality", "acquisition.stains", "acquisition.date", "acquisition.instrument",
    "specimen.preparation", "ethics", "citation",
)  # fmt: skip
"""The fields of a record that come back from what `write` makes."""
RELATIONS = (
    "IsCitedBy", "Cites", "IsCollectedBy", "Collects", "IsSupplementTo", "IsSupplementedBy", "IsContinuedBy",
    "Continues", "IsDescribedBy", "Describes", "HasMetadata", "IsMetadataFor", "HasVersion", "IsVersionOf",
    "IsNewVersionOf", "IsPreviousVersionOf", "IsPartOf", "HasPart", "IsPublishedIn", "IsReferencedBy", "References",
    "IsDocumentedBy", "Documents", "IsCompiledBy", "Compiles", "IsVariantFormOf", "IsOriginalFormOf", "IsIdenticalTo",
    "IsReviewedBy", "Reviews", "IsDerivedFrom", "IsSourceOf", "IsRequiredBy", "Requires", "IsObsoletedBy", "Obsoletes",
)  # fmt: skip
ROLES = (
    "ContactPerson", "DataCollector", "DataCurator", "DataManager", "Distributor", "Editor", "HostingInstitution",
    "Producer", "ProjectLeader", "ProjectManager", "ProjectMember", "RegistrationAgency", "RegistrationAuthority",
    "RelatedPerson", "Researcher", "ResearchGroup", "RightsHolder", "Sponsor", "Supervisor", "WorkPackageLeader",
)  # fmt: skip
_UNKNOWN, _UNAVAILABLE = "(:unkn)", "(:unav)"
"""DataCite's own words for what must be there and isn't known."""
_MODALITY, _STAIN, _TAXON = "Pulvinar modality", "Pulvinar stain", "NCBITaxon"
_ETHICS, _CITATION, _INSTRUMENT = "Ethics approval: ", "Cite as: ", "Instrument: "


def write(version: Version) -> Document:
    """A version as DataCite attributes; what is not known is left out, or said to be unknown where it must be there."""
    record = version.record
    authors = [person for person in record.contributors if person.role == "author"]
    others = [person for person in record.contributors if person.role != "author"]
    made: Document = without_empty(
        {
            "doi": version.doi or bare_doi(record.doi),
            "types": {
                "resourceTypeGeneral": "Dataset",
                "resourceType": named(Vocabulary.MODALITY, record.acquisition.modality, "en"),
            },
            "creators": unlike([_person(one) for one in authors]) or [_unknown_creator(record)],
            "titles": [{"title": record.title}],
            "publisher": {"name": record.lab or _UNAVAILABLE},
            "publicationYear": str((version.published or version.created).year),
            "subjects": unlike([*_subjects(record)]),
            "contributors": unlike([_person(one) | {"contributorType": _role(one.role)} for one in others]),
            "dates": _dates(version),
            "alternateIdentifiers": [
                {"alternateIdentifier": version.dataset_id, "alternateIdentifierType": "Pulvinar dataset"},
                {"alternateIdentifier": f"sha256:{version.digest}", "alternateIdentifierType": "Pulvinar version"},
            ],
            "relatedIdentifiers": unlike([*_related(record.related)]),
            "sizes": [f"{sum(asset.size_bytes for asset in version.assets)} bytes"],
            "version": str(version.number),
            "rightsList": [_rights(record.licence)],
            "descriptions": [*_descriptions(record)],
            "fundingReferences": [{"funderName": one.funder, "awardNumber": one.award} for one in record.funding],
        }
    )
    return made | {"schemaVersion": SCHEMA}


def _person(person: Contributor) -> Document:
    identifier = {
        "nameIdentifier": f"https://orcid.org/{person.orcid}",
        "nameIdentifierScheme": "ORCID",
        "schemeUri": "https://orcid.org",
    }
    return {
        "name": person.name,
        "nameIdentifiers": [identifier] if person.orcid else [],
        "affiliation": [{"name": person.affiliation}] if person.affiliation else [],
    }


def _unknown_creator(record: Record) -> Document:
    return {"name": record.lab, "nameType": "Organizational"} if record.lab else {"name": _UNKNOWN}


def _role(role: str) -> str:
    """`role` as a contributorType: "data curator" is DataCurator; what DataCite doesn't know is Other."""
    joined = "".join(role.lower().split())
    return next((one for one in ROLES if one.lower() == joined), "Other")


def _spoken(role: str) -> str:
    return " ".join(re.findall("[A-Z][a-z]*", role)).lower() or "other"


def _subjects(record: Record) -> Iterator[Document]:
    number = record.species.ncbi_taxon.partition(":")[2]
    yield {
        "subject": latin_name(record.species),
        "subjectScheme": _TAXON,
        "schemeUri": "https://www.ncbi.nlm.nih.gov/taxonomy",
        "valueUri": f"http://purl.obolibrary.org/obo/NCBITaxon_{number}",
        "classificationCode": record.species.ncbi_taxon,
    }
    if record.acquisition.modality:
        yield {"subject": record.acquisition.modality, "subjectScheme": _MODALITY}
    for stain in record.acquisition.stains:
        yield {"subject": stain, "subjectScheme": _STAIN}
    for word in record.keywords:
        yield {"subject": word}


def _dates(version: Version) -> list[Document]:
    collected = version.record.acquisition.date
    dates = [{"date": collected, "dateType": "Collected"}] if is_date(collected) else []
    if version.published:
        dates.append({"date": version.published.date().isoformat(), "dateType": "Issued"})
    return dates


def _related(related: tuple[Related, ...]) -> Iterator[Document]:
    for one in related:
        kind, value = identifier_of(one.identifier)
        if kind:
            relation = one.relation if one.relation in RELATIONS else "References"
            yield {"relatedIdentifier": value, "relatedIdentifierType": kind, "relationType": relation}


def _rights(licence: str) -> Document:
    address = known_as(Vocabulary.LICENCE, licence, "url")
    known = {
        "rights": named(Vocabulary.LICENCE, licence, "en"),
        "rightsUri": address,
        "rightsIdentifier": licence,
        "rightsIdentifierScheme": "SPDX",
        "schemeUri": "https://spdx.org/licenses/",
    }
    return known if address else {"rights": licence}


def _descriptions(record: Record) -> Iterator[Document]:
    if record.description:
        yield {"description": record.description, "descriptionType": "Abstract"}
    if record.specimen.preparation:
        yield {"description": record.specimen.preparation, "descriptionType": "Methods"}
    if record.acquisition.instrument:
        yield {"description": _INSTRUMENT + record.acquisition.instrument, "descriptionType": "TechnicalInfo"}
    for start, said in ((_ETHICS, record.ethics), (_CITATION, record.citation)):
        if said:
            yield {"description": start + said, "descriptionType": "Other"}


def recognises(document: Any) -> bool:
    """Whether `document` is DataCite JSON: attributes, or an answer of its REST API."""
    attributes = _attributes(document)
    return "titles" in attributes and bool({"creators", "types", "schemaVersion"} & set(attributes))


def _attributes(document: Any) -> Mapping[str, Any]:
    whole = object_of(document)
    return object_of(object_of(whole.get("data")).get("attributes")) or whole


def read(document: Any) -> Document:
    """What DataCite JSON says of a dataset, in the fields of a record."""
    said = _attributes(document)
    subjects = objects_of(said.get("subjects"))
    publisher = said.get("publisher")
    lab = text_of(object_of(publisher).get("name")) or text_of(publisher)
    made: Document = without_empty(
        {
            "title": next((text_of(one.get("title")) for one in objects_of(said.get("titles"))), ""),
            "species": species_key(*_under(subjects, _TAXON), *(text_of(one.get("valueUri")) for one in subjects)),
            "licence": next(map(_licence, objects_of(said.get("rightsList"))), ""),
            "lab": "" if lab == _UNAVAILABLE else lab,
            "contributors": [*_people(said)],
            "keywords": [text_of(one.get("subject")) for one in subjects if not one.get("subjectScheme")],
            "acquisition": {
                "modality": next(iter(_under(subjects, _MODALITY)), ""),
                "stains": _under(subjects, _STAIN),
                "date": _dated(objects_of(said.get("dates")), "Collected"),
                "instrument": _described(said, "TechnicalInfo", _INSTRUMENT),
            },
            "specimen": {"preparation": _described(said, "Methods")},
            "description": _described(said, "Abstract"),
            "ethics": _described(said, "Other", _ETHICS),
            "citation": _described(said, "Other", _CITATION),
            "doi": bare_doi(text_of(said.get("doi"))),
            "related": [*_relations(objects_of(said.get("relatedIdentifiers")))],
            "funding": [
                {"funder": text_of(one.get("funderName")), "award": text_of(one.get("awardNumber"))}
                for one in objects_of(said.get("fundingReferences"))
                if text_of(one.get("funderName"))
            ],
        }
    )
    return made


def _under(subjects: list[Mapping[str, Any]], scheme: str) -> list[str]:
    return [text_of(one.get("subject")) for one in subjects if one.get("subjectScheme") == scheme]


def _licence(rights: Mapping[str, Any]) -> str:
    return text_of(rights.get("rightsIdentifier")) or text_of(rights.get("rights")) or text_of(rights.get("rightsUri"))


def _people(said: Mapping[str, Any]) -> Iterator[Document]:
    listed = [("author", one) for one in objects_of(said.get("creators"))]
    listed += [(_spoken(text_of(one.get("contributorType"))), one) for one in objects_of(said.get("contributors"))]
    for role, one in listed:
        name = text_of(one.get("name"))
        alone = role == "author" and one.get("nameType") == "Organizational" and len(listed) == 1
        if name and name != _UNKNOWN and not alone:
            yield {"name": name, "role": role, "orcid": _orcid(one), "affiliation": _affiliation(one)}


def _orcid(person: Mapping[str, Any]) -> str:
    for one in objects_of(person.get("nameIdentifiers")):
        if text_of(one.get("nameIdentifierScheme")).upper() == "ORCID":
            return text_of(one.get("nameIdentifier")).rstrip("/").rpartition("/")[2]
    return ""


def _affiliation(person: Mapping[str, Any]) -> str:
    listed = person.get("affiliation")
    named_ones = [text_of(one.get("name")) for one in objects_of(listed)] + texts_of(listed)
    return "; ".join(name for name in named_ones if name)


def _dated(dates: list[Mapping[str, Any]], kind: str) -> str:
    return next((text_of(one.get("date"))[:10] for one in dates if one.get("dateType") == kind), "")


def _described(said: Mapping[str, Any], kind: str, start: str = "") -> str:
    for one in objects_of(said.get("descriptions")):
        text = text_of(one.get("description"))
        if one.get("descriptionType") == kind and text.startswith(start):
            return text.removeprefix(start)
    return ""


def _relations(listed: list[Mapping[str, Any]]) -> Iterator[Document]:
    for one in listed:
        kind, value = text_of(one.get("relatedIdentifierType")), text_of(one.get("relatedIdentifier"))
        if value:
            identifier = f"{kind}:{value}" if kind in ("PMID", "arXiv") and not value.startswith(kind) else value
            yield {
                "identifier": bare_doi(identifier) or identifier,
                "relation": text_of(one.get("relationType")) or "References",
            }
