"""The metadata record of a dataset: from what people answer, from what files say, and what is still missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from pulvinar.errors import Invalid, MetadataMissing
from pulvinar.ingest.reader import Finding, FoundAsset, Options, Severity
from pulvinar.model.record import Acquisition, Contributor, Record, Specimen, Subject
from pulvinar.model.record import Species as SpeciesName
from pulvinar.model.space import Affine, opposite
from pulvinar.model.volume import Triple

_WORLD = ("S", "A", "R")


_SYNONYMS = {
    SpeciesName.ZEBRAFISH: ("danio rerio", "zebra fish", "larval zebrafish", "斑马鱼"),
    SpeciesName.MOUSE: ("mus musculus", "mice", "house mouse", "小鼠", "小家鼠"),
    SpeciesName.MACAQUE: (
        "macaca mulatta", "rhesus", "rhesus macaque", "rhesus monkey", "monkey", "恒河猴", "猕猴", "猴",
    ),
    SpeciesName.HUMAN: ("homo sapiens", "person", "people", "人", "人类"),
}  # fmt: skip
_SPECIES = {name: one for one, others in _SYNONYMS.items() for name in (one.value, *others)}


@dataclass(frozen=True)
class RecordAnswers:
    """What a person says of the data, one field a flag; an empty one was not said.

    `contributors` are names, or "name <role>", or "name <role> orcid"; `keywords` are free words in any language.
    """

    title: str = ""
    species: str = ""
    licence: str = ""
    description: str = ""
    lab: str = ""
    subject: str = ""
    sex: str = ""
    age: str = ""
    strain: str = ""
    specimen: str = ""
    preparation: str = ""
    modality: str = ""
    instrument: str = ""
    stain: str = ""
    contributors: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    citation: str = ""
    source: str = ""


REQUIRED = {"title": "--title", "species": "--species", "licence": "--licence"}
"""What no dataset can be without, and the flags that say it."""
_SAID_BY_FILES = ("--title",)
"""Of these, what some format can hold."""


def questions(assets: Sequence[FoundAsset], answers: RecordAnswers, *, into_existing: bool) -> list[Finding]:
    """Everything that only a person can answer and nobody has: missing record fields and readers' questions.

    Into an existing dataset, the record is there already and only the readers' questions count.
    """
    said = _said_by_files(assets)
    missing = [
        Finding(Severity.QUESTION, f"the {field} of the dataset is not known", flag)
        for field, flag in REQUIRED.items()
        if not into_existing and not getattr(answers, field) and not said.get(field)
    ]
    asked = [
        Finding(Severity.QUESTION, f"{asset.name}: {finding.message}", finding.flag)
        for asset in assets
        for finding in asset.findings
        if finding.severity is Severity.QUESTION
    ]
    return missing + asked


def refuse_hopeless(answers: RecordAnswers, *, into_existing: bool) -> None:
    """Raise `MetadataMissing`, before any file is opened, when something is missing that no file could say.

    It names all that is not answered so far: a file may give a title, but nobody should be asked twice.
    """
    missing = questions((), answers, into_existing=into_existing)
    if any(finding.flag not in _SAID_BY_FILES for finding in missing):
        refuse_unanswered(missing)


def refuse_unanswered(findings: Sequence[Finding]) -> None:
    """Raise `MetadataMissing` with everything unanswered at once, naming the flags."""
    if not findings:
        return
    lines: dict[str, None] = dict.fromkeys(f"{finding.message} ({finding.flag or 'no flag'})" for finding in findings)
    flags = dict.fromkeys(finding.flag for finding in findings if finding.flag)
    raise MetadataMissing("not known: " + "; ".join(lines), hint=f"answer with {' '.join(flags)}")


def make_record(assets: Sequence[FoundAsset], answers: RecordAnswers, options: Options) -> Record:
    """The record of a new dataset: answers over what the files say; raises `Invalid` for an unknown species."""
    said = {**_said_by_files(assets), **_given(answers)}
    species = species_of(str(said["species"]))
    subject = Subject(
        name=_text(said, "subject") or "unnamed",
        species=species,
        sex=_text(said, "sex"),
        age=_text(said, "age"),
        strain=_text(said, "strain"),
    )
    return Record(
        title=_text(said, "title"),
        species=species,
        licence=_text(said, "licence"),
        description=_text(said, "description"),
        lab=_text(said, "lab"),
        subject=subject if any(said.get(key) for key in ("subject", "sex", "age", "strain")) else None,
        specimen=Specimen(name=_text(said, "specimen"), preparation=_text(said, "preparation")),
        acquisition=_acquisition(assets, said, options),
        contributors=tuple(contributor(entry) for entry in said.get("contributors", ())),
        keywords=tuple(str(word) for word in said.get("keywords", ())),
        citation=_text(said, "citation"),
        source=_text(said, "source"),
    )


def species_of(text: str) -> SpeciesName:
    """The species that `text` names, in English, Chinese or Latin; raises `Invalid` with the names that are known."""
    species = _SPECIES.get(_species_key(text))
    if species is None:
        known = "; ".join(f"{one} ({', '.join(_SYNONYMS[one])})" for one in SpeciesName)
        raise Invalid(f"{text!r} is not a species that Pulvinar knows", hint=f"--species takes one of {known}")
    return species


def _species_key(text: str) -> str:
    return " ".join(text.lower().replace("_", " ").split())


def contributor(text: str) -> Contributor:
    """`"Ada Lovelace <author> 0000-0002-1825-0097"` as a contributor; role and ORCID may be left out."""
    name, _, rest = text.partition("<")
    role, _, orcid = rest.partition(">")
    return Contributor(name=name.strip(), role=role.strip() or "author", orcid=orcid.strip())


def orientation_of(affine_um: Affine | None) -> str:
    """Three letters, one for each voxel axis (z, y, x): the side that rising indexes go to; "" when not known."""
    if affine_um is None:
        return ""
    columns = [[affine_um[row][column] for row in range(3)] for column in range(3)]
    letters = ""
    for column in columns:
        row = max(range(3), key=lambda index: abs(column[index]))
        letters += _WORLD[row] if column[row] > 0 else opposite(_WORLD[row])
    return letters if len({frozenset((letter, opposite(letter))) for letter in letters}) == 3 else ""


def _acquisition(assets: Sequence[FoundAsset], said: dict[str, Any], options: Options) -> Acquisition:
    first = next((asset.volume for asset in assets if asset.volume is not None), None)
    voxel_size: Triple | None = options.voxel_size_um or (first.voxel_size_um if first else None)
    return Acquisition(
        modality=_text(said, "modality"),
        instrument=_text(said, "instrument"),
        stain=_text(said, "stain"),
        voxel_size_um=voxel_size,
        orientation=options.orientation or orientation_of(first.affine_um if first else None),
        time_step_s=options.time_step_s or (first.time_step_s if first else None),
    )


def _said_by_files(assets: Sequence[FoundAsset]) -> dict[str, Any]:
    """What the files say under the names of answers; where they differ, the first one."""
    names = {field.name for field in fields(RecordAnswers)}
    said: dict[str, Any] = {}
    for asset in assets:
        for key, value in asset.metadata.items():
            if key in names and value and _right_shape(key, value):
                said.setdefault(key, value)
    return said


def _right_shape(key: str, value: Any) -> bool:
    # a file may hold anything under a known word: what doesn't fit the record stays in the asset's header only
    if key in ("contributors", "keywords"):
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if key == "species":
        return isinstance(value, str) and _species_key(value) in _SPECIES
    return isinstance(value, str | int | float)


def _given(answers: RecordAnswers) -> dict[str, Any]:
    return {field.name: value for field in fields(answers) if (value := getattr(answers, field.name))}


def _text(said: dict[str, Any], key: str) -> str:
    return str(said.get(key, "")).strip()
