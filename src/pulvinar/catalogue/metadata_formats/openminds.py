"""openMINDS 4, as JSON-LD: a DatasetVersion and the nodes that it names, as the package `openminds` saves them.

Source: openMINDS core 4.0 and its instance libraries (https://openminds.om-i.org). What openMINDS requires and a record
does not know (data type, experimental approach, ethics assessment, age category) is left out: its curators choose them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pulvinar.catalogue.metadata_formats.parts import (
    Document,
    age_of,
    age_text,
    bare_doi,
    names_of,
    object_of,
    objects_of,
    text_of,
    texts_of,
    unlike,
    without_empty,
)
from pulvinar.model.dataset import Version, VersionState
from pulvinar.model.record import Contributor, Record, Subject
from pulvinar.model.terms import Term, Vocabulary, by_identifier, keyed, recognise

CONTEXT = {"@vocab": "https://openminds.om-i.org/props/"}
_TYPES = "https://openminds.om-i.org/types/"
_INSTANCES = "https://openminds.om-i.org/instances/"
KEEPS = (
    "title", "species", "licence", "description", "contributors.name", "contributors.orcid",
    "contributors.affiliation", "keywords", "doi", "related.identifier", "funding", "citation", "subject.name",
    "subject.sex", "subject.age", "subject.strain", "acquisition.modality", "acquisition.stains",
)  # fmt: skip


class _Graph:
    """Nodes, each with a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[Document] = []

    def add(self, kind: str, **said: Any) -> Document:
        """A link to a new node of a type; to a like one where there is one."""
        node: Document = {"@type": _TYPES + kind, **without_empty(said)}
        for known in self.nodes:
            if {key: value for key, value in known.items() if key != "@id"} == node:
                return {"@id": known["@id"]}
        self.nodes.append({"@id": f"_:{len(self.nodes):06d}", **node})
        return {"@id": self.nodes[-1]["@id"]}


def write(version: Version) -> Document:
    """A version as a JSON-LD graph; its first node is the DatasetVersion."""
    record, graph = version.record, _Graph()
    made: Document = without_empty(
        {
            "@id": "_:dataset",
            "@type": _TYPES + "DatasetVersion",
            "fullName": record.title,
            "shortName": record.title[:60],
            "description": record.description,
            "versionIdentifier": f"{version.dataset_id}/{version.number}",
            "releaseDate": version.published.date().isoformat() if version.published else "",
            "accessibility": _instance("productAccessibility/freeAccess") if _is_open(version) else {},
            "license": _licence(graph, record.licence),
            "author": unlike([_person(graph, one) for one in record.contributors]),
            "howToCite": record.citation,
            "digitalIdentifier": graph.add("DOI", identifier=_address(record.doi)) if bare_doi(record.doi) else {},
            "keyword": [_keyword(graph, word) for word in record.keywords],
            "technique": _techniques(graph, record),
            "relatedPublication": [
                graph.add("DOI", identifier=_address(one.identifier))
                for one in record.related
                if bare_doi(one.identifier)
            ],
            "funding": [
                graph.add("Funding", funder=graph.add("Organization", fullName=one.funder), awardNumber=one.award)
                for one in record.funding
            ],
            "studiedSpecimen": [_subject(graph, record)],
        }
    )
    return {"@context": CONTEXT, "@graph": [made, *graph.nodes]}


def _is_open(version: Version) -> bool:
    return version.state is VersionState.PUBLISHED


def _address(doi: str) -> str:
    return f"https://doi.org/{bare_doi(doi)}"


def _instance(name: str) -> Document:
    return {"@id": _INSTANCES + name}


def _licence(graph: _Graph, licence: str) -> Document:
    term = recognise(Vocabulary.LICENCE, licence)
    if term and "openminds" in term.identifiers:
        return _instance(term.identifiers["openminds"])
    address = term.identifiers.get("url", "") if term else ""
    return graph.add("License", shortName=licence, fullName=term.en if term else licence, legalCode=_iri(address))


def _iri(address: str) -> Document:
    return {"@id": address} if address else {}


def _person(graph: _Graph, person: Contributor) -> Document:
    family, given = names_of(person)
    orcid = graph.add("ORCID", identifier=f"https://orcid.org/{person.orcid}") if person.orcid else {}
    works_at = graph.add("Organization", fullName=person.affiliation) if person.affiliation else {}
    affiliation = [{"@type": _TYPES + "Affiliation", "memberOf": works_at}] if works_at else []
    return graph.add(
        "Person",
        givenName=given,
        familyName=family,
        alternateName=[person.name],
        digitalIdentifier=[orcid],
        affiliation=affiliation,
    )


def _keyword(graph: _Graph, word: str) -> Document:
    return graph.add("TermSuggestion", name=word)


def _techniques(graph: _Graph, record: Record) -> list[Document]:
    """Modality and stains: instances of the library where it has them, else techniques of their own name."""
    said = [(Vocabulary.MODALITY, record.acquisition.modality)] if record.acquisition.modality else []
    said += [(Vocabulary.STAIN, stain) for stain in record.acquisition.stains]
    return unlike([_technique(graph, vocabulary, text) for vocabulary, text in said])


def _technique(graph: _Graph, vocabulary: Vocabulary, text: str) -> Document:
    term = recognise(vocabulary, text)
    if term and "openminds" in term.identifiers:
        return _instance(term.identifiers["openminds"])
    return graph.add("Technique", name=term.en if term else text, description=f"Pulvinar {vocabulary.value}: {text}")


def _subject(graph: _Graph, record: Record) -> Document:
    subject = record.subject or Subject("", record.species)
    species = _term_link(recognise(Vocabulary.SPECIES, record.species.value))
    strain = graph.add("Strain", name=subject.strain, species=species) if subject.strain else {}
    age = age_of(subject.age)
    aged = {
        "@type": _TYPES + "QuantitativeValue",
        "value": age[0] if age else None,
        "unit": _instance(f"unitOfMeasurement/{age[1]}") if age else {},
    }
    state = graph.add("SubjectState", age=aged) if age else {}
    return graph.add(
        "Subject",
        internalIdentifier=subject.name,
        lookupLabel=subject.name,
        species=strain or species,
        biologicalSex=_term_link(recognise(Vocabulary.SEX, subject.sex)),
        studiedState=[state],
    )


def _term_link(term: Term | None) -> Document:
    return _instance(term.identifiers["openminds"]) if term and "openminds" in term.identifiers else {}


def recognises(document: Any) -> bool:
    """Whether `document` is JSON-LD with a DatasetVersion of openMINDS."""
    return any(_kind(node) == "DatasetVersion" for node in _nodes(document))


def _nodes(document: Any) -> list[Mapping[str, Any]]:
    whole = object_of(document)
    return objects_of(whole["@graph"]) if "@graph" in whole else [whole]


def _kind(node: Mapping[str, Any]) -> str:
    kinds = texts_of(node.get("@type"))
    # version 3 had names below openminds.ebrains.eu
    return next((kind.rpartition("/")[2] for kind in kinds if "//openminds." in kind), "")


class _Linked:
    """Follows the links between nodes: to one of the graph, or to what is written in its place."""

    def __init__(self, nodes: list[Mapping[str, Any]]) -> None:
        self._nodes = {text_of(node.get("@id")): node for node in nodes if "@id" in node}

    def all(self, node: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
        """The objects under a property."""
        return [self._nodes.get(text_of(one.get("@id")), one) for one in objects_of(node.get(name))]

    def one(self, node: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """The first object under a property, or an empty one."""
        return next(iter(self.all(node, name)), {})


def read(document: Any) -> Document:
    """What an openMINDS DatasetVersion says of a dataset, in the fields of a record."""
    nodes = _nodes(document)
    said, links = next(node for node in nodes if _kind(node) == "DatasetVersion"), _Linked(nodes)
    subject = next((one for one in links.all(said, "studiedSpecimen") if _kind(one) == "Subject"), {})
    species = links.one(subject, "species")
    strain = species if _kind(species) == "Strain" else {}
    made: Document = without_empty(
        {
            "title": text_of(said.get("fullName")) or text_of(said.get("shortName")),
            "species": _key(Vocabulary.SPECIES, links.one(strain, "species") if strain else species),
            "licence": _key(Vocabulary.LICENCE, links.one(said, "license")),
            "description": text_of(said.get("description")),
            "contributors": [*_people(links, said)],
            "keywords": [text_of(one.get("name")) for one in links.all(said, "keyword")]
            + texts_of(said.get("keyword")),
            "citation": text_of(said.get("howToCite")),
            "doi": bare_doi(text_of(links.one(said, "digitalIdentifier").get("identifier"))),
            "related": [
                {"identifier": doi}
                for one in links.all(said, "relatedPublication")
                if (doi := bare_doi(text_of(one.get("identifier"))))
            ],
            "funding": [*_funding(links, said)],
            "subject": {
                "name": text_of(subject.get("internalIdentifier")) or text_of(subject.get("lookupLabel")),
                "sex": _key(Vocabulary.SEX, links.one(subject, "biologicalSex")),
                "age": _age(links, links.one(subject, "studiedState")),
                "strain": text_of(strain.get("name")),
            },
            "acquisition": _acquisition(links.all(said, "technique")),
        }
    )
    return made


def _key(vocabulary: Vocabulary, node: Mapping[str, Any]) -> str:
    """The term that a node is: an instance of the library, or a node with a name."""
    name = "/".join(text_of(node.get("@id")).split("/")[-2:])
    term = by_identifier(vocabulary, "openminds", name)
    said = text_of(node.get("shortName")) or text_of(node.get("name")) or text_of(node.get("fullName"))
    return term.key if term else keyed(vocabulary, said)


def _people(links: _Linked, said: Mapping[str, Any]) -> Iterator[Document]:
    for one in links.all(said, "author"):
        family, given = text_of(one.get("familyName")), text_of(one.get("givenName"))
        full = next(iter(texts_of(one.get("alternateName"))), "") or ", ".join(filter(None, (family, given)))
        name = full or text_of(one.get("fullName"))
        works_at = links.one(links.one(one, "affiliation"), "memberOf")
        orcid = text_of(links.one(one, "digitalIdentifier").get("identifier")).rpartition("/")[2]
        if name:
            yield {"name": name, "orcid": orcid, "affiliation": text_of(works_at.get("fullName"))}


def _funding(links: _Linked, said: Mapping[str, Any]) -> Iterator[Document]:
    for one in links.all(said, "funding"):
        funder = text_of(links.one(one, "funder").get("fullName"))
        if funder:
            yield {"funder": funder, "award": text_of(one.get("awardNumber"))}


def _age(links: _Linked, state: Mapping[str, Any]) -> str:
    age = links.one(state, "age")
    value, unit = age.get("value"), text_of(links.one(age, "unit").get("@id")).rpartition("/")[2]
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return age_text(float(value), unit) if known and value is not None else ""


def _acquisition(techniques: list[Mapping[str, Any]]) -> Document:
    """Of the techniques the first modality, and every stain; of unknown ones we know by our own note what they were."""
    modality, stains = "", []
    for one in techniques:
        note, _, said = text_of(one.get("description")).partition(": ")
        name = "/".join(text_of(one.get("@id")).split("/")[-2:])
        stain = by_identifier(Vocabulary.STAIN, "openminds", name) or recognise(
            Vocabulary.STAIN, text_of(one.get("name"))
        )
        if note == "Pulvinar stain" or stain:
            stains.append(stain.key if stain else said)
        elif not modality:
            modality = said if note == "Pulvinar modality" else _key(Vocabulary.MODALITY, one)
    return {"modality": modality, "stains": stains}
