"""How the assets of a version were made, for other programs: as an RO-Crate with its actions, and as W3C PROV.

Sources: RO-Crate 1.1, "Provenance of entities" (doi.org/10.5281/zenodo.4541002); the W3C's PROV-DM and its form
PROV-JSON (w3.org/submissions/prov-json). Both are written, and not read.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from pulvinar.catalogue.metadata_formats.parts import Document, as_address, without_empty
from pulvinar.model.dataset import Asset, Version
from pulvinar.model.derivation import Derivation, made_by_job
from pulvinar.model.job import JobInput

CRATE = "https://w3id.org/ro/crate/1.1"
_PULVINAR = "urn:pulvinar:"


def write_crate(version: Version) -> Document:
    """A version as `ro-crate-metadata.json`: its assets as data entities, each job as a `CreateAction` with its
    instrument, inputs, results and agent."""
    record = version.record
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": record.title,
        "description": record.description or record.title,
        "datePublished": (version.published or version.created).isoformat(),
        "license": {"@id": "#licence"},
        "creditText": record.citation,
        "keywords": list(record.keywords),
        "identifier": [f"sha256:{version.digest}", as_address(record.doi)],
        "version": str(version.number),
        "author": [{"@id": _person_id(index)} for index in range(len(record.contributors))],
        "hasPart": [{"@id": _asset_id(asset.id)} for asset in version.assets],
        "mentions": [{"@id": _job_id(one.job_id)} for one, _ in made_by_job(version.assets)],
    }
    people = [
        {
            "@id": _person_id(index),
            "@type": "Person",
            "name": person.name,
            "affiliation": person.affiliation,
            "sameAs": f"https://orcid.org/{person.orcid}" if person.orcid else "",
        }
        for index, person in enumerate(record.contributors)
    ]
    descriptor = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": CRATE},
        "about": {"@id": "./"},
    }
    parts = [
        {
            "@id": _asset_id(asset.id),
            "@type": "Dataset",
            "name": asset.name,
            "additionalType": asset.kind.value,
            "identifier": f"sha256:{asset.digest}",
            "contentSize": str(asset.size_bytes),
        }
        for asset in version.assets
    ]
    licence = {"@id": "#licence", "@type": "CreativeWork", "name": record.licence}
    graph: list[dict[str, Any]] = [descriptor, root, licence, *people, *parts]
    known = {item["@id"] for item in graph}
    own = {asset.id for asset in version.assets}
    for derivation, assets in made_by_job(version.assets):
        for item in _action(derivation, assets, own):
            if item["@id"] not in known:
                known.add(item["@id"])
                graph.append(item)
    return {"@context": f"{CRATE}/context", "@graph": without_empty(graph)}


def _action(made: Derivation, assets: list[Asset], own: Container[str]) -> Iterator[dict[str, Any]]:
    """A job, and all that it names; inputs that are not the version's `own` are no parts of the crate."""

    def name_of(one: JobInput) -> str:
        return _asset_id(one.asset_id) if one.asset_id in own else f"#asset-{one.asset_id}"

    parameters = [f"#{made.job_id}/{name}" for name in made.parameters]
    yield {
        "@id": _job_id(made.job_id),
        "@type": "CreateAction",
        "name": f"{made.solution} {made.solution_version}",
        "instrument": {"@id": _solution_id(made)},
        "agent": {"@id": f"#{made.actor_id}"},
        "startTime": made.started.isoformat(),
        "endTime": made.ended.isoformat(),
        "object": [{"@id": name_of(one)} for one in made.inputs] + [{"@id": one} for one in parameters],
        "result": [{"@id": _asset_id(one.id)} for one in assets],
    }
    yield {
        "@id": _solution_id(made),
        "@type": "SoftwareApplication",
        "name": made.solution,
        "softwareVersion": "+".join(one for one in (made.solution_version, made.commit) if one),
        "softwareRequirements": [f"{name} {version}" for name, version in made.libraries.items()],
        "runtimePlatform": made.engine,
    }
    yield {"@id": f"#{made.actor_id}", "@type": "Person", "name": made.actor_name}
    for name, value in made.parameters.items():
        yield {"@id": f"#{made.job_id}/{name}", "@type": "PropertyValue", "name": name, "value": value}
    for one in made.inputs:
        yield {
            "@id": name_of(one),
            "@type": "Dataset",
            "name": one.name,
            "identifier": f"sha256:{one.digest}",
            "isPartOf": {"@id": f"#dataset-{one.dataset_id}-v{one.version}"},
        }
        yield {
            "@id": f"#dataset-{one.dataset_id}-v{one.version}",
            "@type": "Dataset",
            "name": f"dataset {one.dataset_id} version {one.version}",
            "identifier": f"sha256:{one.digest}",
        }


def write_prov(version: Version) -> Document:
    """A version as PROV-JSON: assets and versions as entities, jobs as activities, who asked and what ran as agents."""
    entities: dict[str, Any] = {
        f"pulvinar:{asset.id}": {
            "prov:label": asset.name,
            "pulvinar:kind": asset.kind.value,
            "pulvinar:sha256": asset.digest,
        }
        for asset in version.assets
    }
    whole = f"pulvinar:{version.dataset_id}-v{version.number}"
    members = {f"_:{whole}-{part}": {"prov:collection": whole, "prov:entity": part} for part in entities}
    entities[whole] = {
        "prov:type": _qualified("prov:Collection"),
        "prov:label": version.record.title,
        "pulvinar:sha256": version.digest,
    }
    told: Document = {
        "prefix": {"pulvinar": _PULVINAR},
        "entity": entities,
        "hadMember": members,
        "activity": {},
        "agent": {},
        "used": {},
        "wasGeneratedBy": {},
        "wasDerivedFrom": {},
        "wasAssociatedWith": {},
    }
    for made, assets in made_by_job(version.assets):
        job, solution, person = (f"pulvinar:{one}" for one in (made.job_id, made.solution, made.actor_id))
        told["activity"][job] = {
            "prov:startTime": made.started.isoformat(),
            "prov:endTime": made.ended.isoformat(),
            "prov:label": f"{made.solution} {made.solution_version}",
            **{f"pulvinar:parameter-{name}": value for name, value in made.parameters.items()},
        }
        told["agent"][person] = {"prov:type": _qualified("prov:Person"), "prov:label": made.actor_name}
        told["agent"][solution] = {
            "prov:type": _qualified("prov:SoftwareAgent"),
            "pulvinar:version": made.solution_version,
            "pulvinar:commit": made.commit,
            "pulvinar:engine": made.engine,
            **{f"pulvinar:library-{name}": number for name, number in made.libraries.items()},
        }
        for agent in (person, solution):
            told["wasAssociatedWith"][f"_:{job}-{agent}"] = {"prov:activity": job, "prov:agent": agent}
        for one in made.inputs:
            source = f"pulvinar:{one.asset_id}"
            entities.setdefault(
                source,
                {
                    "prov:label": one.name,
                    "pulvinar:dataset": one.dataset_id,
                    "pulvinar:version": one.version,
                    "pulvinar:sha256": one.digest,
                },
            )
            told["used"][f"_:{job}-{one.name}"] = {"prov:activity": job, "prov:entity": source, "prov:role": one.name}
        for asset in assets:
            made_of = f"pulvinar:{asset.id}"
            told["wasGeneratedBy"][f"_:{made_of}"] = {"prov:entity": made_of, "prov:activity": job}
            for one in made.inputs:
                told["wasDerivedFrom"][f"_:{made_of}-{one.name}"] = {
                    "prov:generatedEntity": made_of,
                    "prov:usedEntity": f"pulvinar:{one.asset_id}",
                    "prov:activity": job,
                }
    return {key: value for key, value in told.items() if value}


def _qualified(name: str) -> dict[str, str]:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _asset_id(asset_id: str) -> str:
    return f"assets/{asset_id}/"


def _job_id(job_id: str) -> str:
    return f"#{job_id}"


def _person_id(index: int) -> str:
    return f"#contributor-{index + 1}"


def _solution_id(made: Derivation) -> str:
    return f"#solution-{made.solution}-{made.solution_version}"
